//! What a run's model says to held-out prompts, evaluation by evaluation: the newest unless another was
//! stepped to.

use egui::{Align, Frame, Label, Layout, Margin, Stroke, Ui};
use stepladder_protocol::FinishReason;

use super::{Actions, look};
use crate::state::State;
use crate::state::runs::answers::{
    Answer, Answers, FileRead, Prompt, question, thought_and_answer,
};
use crate::state::runs::run::Run;
use crate::state::runs::view::{Fold, ViewAction};
use crate::text::{loss, visible_lines};
use crate::theme::size::{QUOTE_LINE, READING_WIDTH};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{
    self, Tone, banner, caption, card_with, icon_button, quiet_button, rows, styled,
};
use crate::words::runs as words;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, run: &Run, actions: &mut Actions) {
    let answers = &run.answers;
    let step = answers.step(state.runs.view.evaluation);
    let steps = |ui: &mut Ui| {
        if let Some(step) = step {
            stepping(ui, answers, step, actions);
        }
    };
    let mut pressed = Actions::new();
    card_with(ui, icons::CHAT, words::ANSWERS, steps, |ui| {
        if let FileRead::Failed(problem) = &answers.file {
            banner(ui, Tone::Warning, words::ANSWERS_FAILED, problem, |_| ());
        }
        match step {
            Some(step) => evaluation(ui, state, run, step, &mut pressed),
            None => nothing(ui, run),
        }
        if answers.damaged > 0 {
            caption(ui, words::answers_damaged(answers.damaged));
        }
        if answers.left_out() > 0 {
            caption(ui, words::answers_left_out(answers.left_out()));
        }
    });
    actions.append(&mut pressed);
}

fn nothing(ui: &mut Ui, run: &Run) {
    match (
        &run.answers.file,
        run.is_on() && run.config.sample_answers > 0,
    ) {
        (FileRead::No | FileRead::Reading, false) if run.folder.is_some() => {
            ui.horizontal(|ui| {
                ui.spinner();
                caption(ui, words::READING_ANSWERS);
            });
        }
        (FileRead::Failed(_), _) => {}
        (_, true) => {
            caption(ui, words::NO_ANSWERS_YET);
        }
        (_, false) => {
            caption(ui, words::NO_ANSWERS);
        }
    }
}

/// From evaluation to evaluation; from right to left.
fn stepping(ui: &mut Ui, answers: &Answers, step: usize, actions: &mut Actions) {
    let (before, after) = answers.beside(step);
    let newest = answers.step(None);
    let mut to = |step: Option<usize>| {
        // The newest stays the newest while others come.
        let asked = step.filter(|step| Some(*step) != newest);
        actions.push(look(ViewAction::Evaluation(asked)));
    };
    ui.spacing_mut().item_spacing.x = space::XS;
    ui.add_enabled_ui(after.is_some(), |ui| {
        if quiet_button(ui, "", words::NEWEST).clicked() {
            to(None);
        }
        if icon_button(ui, icons::RIGHT, words::LATER).clicked() {
            to(after);
        }
    });
    ui.add_enabled_ui(before.is_some(), |ui| {
        if icon_button(ui, icons::LEFT, words::EARLIER).clicked() {
            to(before);
        }
    });
}

fn evaluation(ui: &mut Ui, state: &State, run: &Run, step: usize, actions: &mut Actions) {
    let answers = &run.answers;
    let mut line = words::evaluation_at(step, answers.place(step));
    let evaluations = run.figures().map(|figures| figures.columns().evaluations());
    let held_out = { evaluations.into_iter().flatten() }
        .find(|evaluation| evaluation.step as usize == step)
        .map(|evaluation| f64::from(evaluation.loss));
    if let Some(held_out) = held_out.filter(|loss| loss.is_finite()) {
        line = format!(
            "{line} · {} {}",
            words::RESULT_LOSS.to_lowercase(),
            loss(Some(held_out))
        );
    }
    caption(ui, line);
    let said: Vec<_> = answers.at(step).collect();
    // Of many prompts only those in sight are laid out.
    rows(ui, ("answers", run.key), said.len(), |ui, place| {
        let (number, prompt, answer) = said[place];
        ui.push_id(number, |ui| {
            if place > 0 {
                ui.separator();
            }
            let one = One {
                state,
                number,
                step,
            };
            one.show(ui, prompt, answer, actions);
        });
    });
}

/// A prompt with its answers.
struct One<'a> {
    state: &'a State,
    number: usize,
    step: usize,
}

impl One<'_> {
    fn show(&self, ui: &mut Ui, prompt: &Prompt, answer: &Answer, actions: &mut Actions) {
        ui.spacing_mut().item_spacing.y = space::S;
        let heading = words::prompt(self.number);
        ui.label(styled(&heading, Type::Strong));
        let asked = question(&prompt.prompt);
        text(ui, asked, palette(ui).text);
        if asked.len() < prompt.prompt.trim().len()
            && self.fold(ui, Fold::Prompt, (words::WHOLE_PROMPT, &heading), actions)
        {
            beside_a_line(ui, &prompt.prompt);
        }

        let said = words::answer_at(self.step);
        ui.horizontal(|ui| {
            ui.label(styled(&said, Type::Strong).color(palette(ui).accent));
            if let Some(tokens) = answer.tokens {
                let color = match answer.finish {
                    Some(FinishReason::Length) => palette(ui).warning,
                    _ => palette(ui).muted,
                };
                let length = words::length(tokens, answer.finish);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.label(styled(length, Type::Caption).color(color));
                });
            }
        });
        let (thought, said_then) = thought_and_answer(&prompt.prompt, &answer.text);
        if !thought.is_empty() {
            let title = words::reasoning(answer.reasoning_tokens);
            if self.fold(ui, Fold::Reasoning, (&title, &said), actions) {
                beside_a_line(ui, thought);
            }
        }
        match (said_then.is_empty(), thought.is_empty()) {
            (false, _) => text(ui, said_then, palette(ui).text),
            (true, true) => {
                caption(ui, words::SAID_NOTHING);
            }
            (true, false) => {
                caption(ui, words::ONLY_THOUGHT);
            }
        }

        ui.label(styled(words::REFERENCE, Type::Strong).color(palette(ui).muted));
        let (thought, reference) = thought_and_answer(&prompt.prompt, &prompt.reference);
        if !thought.is_empty()
            && self.fold(
                ui,
                Fold::Reference,
                (words::REASONING, words::REFERENCE),
                actions,
            )
        {
            beside_a_line(ui, thought);
        }
        text(ui, reference, palette(ui).muted);
    }

    /// A line that unfolds what belongs to it; gives whether it is unfolded.
    fn fold(
        &self,
        ui: &mut Ui,
        part: Fold,
        (title, heading): (&str, &str),
        actions: &mut Actions,
    ) -> bool {
        let unfolded = self.state.runs.view.unfolded.contains(&(self.number, part));
        let name = words::unfold(title, heading, self.number);
        let line = widgets::Fold {
            icon: None,
            title,
            name: &name,
            is_unfolded: unfolded,
        };
        if widgets::fold(ui, line).clicked() {
            actions.push(look(ViewAction::Unfold(self.number, part)));
        }
        unfolded
    }
}

/// Foreign text as it is; long lines wrap.
fn text(ui: &mut Ui, text: &str, color: egui::Color32) {
    let font = Type::Body.style().resolve(ui.style());
    let height = (font.size * Type::LINE_HEIGHT).round();
    let text = styled(visible_lines(text), Type::Body).color(color);
    ui.scope(|ui| {
        ui.set_max_width(ui.available_width().min(READING_WIDTH));
        ui.add(Label::new(text.line_height(Some(height))).wrap());
    });
}

/// What is beside the point, with a line at its left.
fn beside_a_line(ui: &mut Ui, what: &str) {
    let colors = palette(ui);
    let margin = Margin {
        left: space::M as i8,
        ..Margin::ZERO
    };
    let drawn = Frame::NONE
        .inner_margin(margin)
        .show(ui, |ui| text(ui, what.trim(), colors.muted));
    let rect = drawn.response.rect;
    let line = Stroke::new(QUOTE_LINE, colors.border_strong);
    ui.painter()
        .vline(rect.left() + QUOTE_LINE / 2.0, rect.y_range(), line);
}
