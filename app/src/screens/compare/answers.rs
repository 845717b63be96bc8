//! The answers to one question side by side, with what each variant thought folded.

use egui::{Label, ScrollArea, Ui, vec2};
use stepladder_protocol::{AnswerVerdict, ComparedAnswer};

use super::super::Actions;
use super::{act, charts};
use crate::state::State;
use crate::state::compare::CompareAction;
use crate::state::compare::found::Comparison;
use crate::state::compare::view::ViewAction;
use crate::text::{excerpt, visible, visible_lines};
use crate::theme::size::REPLY_LEAST;
use crate::theme::{Palette, Type, icons, palette, space};
use crate::widgets::{Fold, caption, card, fold, one_line, styled};
use crate::words::compare as words;

/// Characters of a final answer.
const MOST: usize = 200;

/// Draws them.
pub fn show(ui: &mut Ui, state: &State, found: &Comparison, actions: &mut Actions) {
    let chosen = state.compare.view.chosen;
    let row = { found.rows.iter() }.find(|row| Some(row.question.number) == chosen);
    let Some(row) = row else {
        return;
    };
    card(ui, icons::CHAT, words::ANSWERS, |ui| {
        let question = row.question.question.trim();
        ui.label(styled(words::question(row.question.number), Type::Strong));
        match question.is_empty() {
            true => {
                caption(ui, words::NO_WORDS);
            }
            false => {
                ui.add(Label::new(styled(visible_lines(question), Type::Body)).wrap());
            }
        }
        match &row.question.reference {
            Some(reference) => {
                caption(ui, words::REFERENCE);
                ui.add(Label::new(styled(visible_lines(reference), Type::Body)).wrap());
            }
            None => {
                caption(ui, words::NO_REFERENCE);
            }
        }
        ui.separator();
        let number = row.answers.len().max(1);
        let gaps = space::L * (number - 1) as f32;
        let room = ui.available_width() - space::S;
        let width = ((room - gaps) / number as f32).max(REPLY_LEAST);
        ScrollArea::horizontal().id_salt("answers").show(ui, |ui| {
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = space::L;
                for (place, answer) in row.answers.iter().enumerate() {
                    ui.push_id(place, |ui| {
                        ui.vertical(|ui| {
                            ui.set_width(width);
                            ui.spacing_mut().item_spacing = vec2(space::S, space::S);
                            ui.horizontal(|ui| {
                                charts::dot(ui, place);
                                let name = { found.variants.get(place) }
                                    .map_or_else(String::new, |variant| visible(&variant.name));
                                one_line(ui, styled(name, Type::Strong));
                            });
                            match answer {
                                Some(answer) => one(ui, state, place, answer, actions),
                                None => {
                                    caption(ui, words::NOT_ANSWERED_YET);
                                }
                            }
                        });
                    });
                }
            });
        });
    });
}

fn verdict(
    palette: &Palette,
    verdict: AnswerVerdict,
) -> (&'static str, Option<bool>, egui::Color32) {
    match verdict {
        AnswerVerdict::Right => (icons::CHECK, Some(true), palette.success),
        AnswerVerdict::Wrong => (icons::CLOSE, Some(false), palette.danger),
        AnswerVerdict::NotJudged => (icons::HELP, None, palette.muted),
    }
}

fn one(ui: &mut Ui, state: &State, place: usize, answer: &ComparedAnswer, actions: &mut Actions) {
    let colors = palette(ui);
    let (icon, right, color) = verdict(colors, answer.verdict);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        ui.label(styled(icon, Type::Body).color(color));
        ui.label(styled(words::verdict(right), Type::Strong).color(color));
    });
    let figures = styled(words::figures(answer), Type::Caption).color(colors.muted);
    ui.add(Label::new(figures).wrap());
    if let Some(said) = &answer.answer {
        let said = words::final_answer(&excerpt(said, MOST));
        ui.add(Label::new(styled(said, Type::Body)).wrap());
    }
    trace(ui, state, place, answer, actions);
    let text = answer.answer_text().trim();
    match (text.is_empty(), answer.trace_text().trim().is_empty()) {
        (true, true) => {
            caption(ui, words::NOTHING_SAID);
        }
        (true, false) => {}
        (false, _) => {
            ui.add(Label::new(styled(visible_lines(text), Type::Body)).wrap());
        }
    }
}

fn trace(ui: &mut Ui, state: &State, place: usize, answer: &ComparedAnswer, actions: &mut Actions) {
    let text = answer.trace_text().trim();
    if text.is_empty() {
        return;
    }
    let colors = palette(ui);
    let unfolded = state.compare.view.unfolded.contains(&place);
    let title = words::thought(answer.reasoning_tokens);
    let line = Fold {
        icon: Some(icons::REASONING),
        title: &title,
        name: &title,
        is_unfolded: unfolded,
    };
    if fold(ui, line).clicked() {
        act(actions, CompareAction::View(ViewAction::Unfold(place)));
    }
    if unfolded {
        let text = styled(visible_lines(text), Type::Body).color(colors.muted);
        ui.add(Label::new(text).wrap());
    }
}
