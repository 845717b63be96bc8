//! One reply: who says it, what it thought (folded), what it answered, and its figures.

use egui::{Frame, Label, Margin, Stroke, Ui};
use stepladder_protocol::FinishReason;

use super::super::Actions;
use super::transcript::{can_ask_again, line_height};
use super::{act, variants};
use crate::state::chat::ChatAction;
use crate::state::chat::conversation::{Reply, Stage, Who};
use crate::state::chat::links::may_be_opened;
use crate::state::chat::session::{Place, Stage as Session};
use crate::state::{Action, State};
use crate::text::{excerpt, visible_lines};
use crate::theme::size::QUOTE_LINE;
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{
    Fold, MarkdownPressed, MarkdownWords, Tone, badge, banner, button, caption, fold, icon_button,
    markdown, styled,
};
use crate::words::chat as words;

/// Characters of the engine's own words.
const MOST: usize = 600;
/// What an adapter says of itself where the model has to be loaded in another form for it.
const ANOTHER_FORM: &str = "config_invalid";

/// Draws it over the available width.
pub fn show(ui: &mut Ui, state: &State, place: Place, reply: &Reply, actions: &mut Actions) {
    ui.spacing_mut().item_spacing.y = space::S;
    if stands_beside_others(state, place) || reply.who != Who::Base {
        let name = words::variant(&reply.who);
        let tone = match reply.who {
            Who::Base => Tone::Neutral,
            Who::Adapter { .. } => Tone::Accent,
        };
        let template = words::template(&variants::template(state, &reply.who));
        badge(ui, name, tone).on_hover_text(template);
    }
    if let Some(problem) = &reply.problem
        && state.chat.session.stage == Session::Failed(problem.clone())
    {
        // Above the conversation stands what to do.
        let message = excerpt(&problem.message, MOST);
        let color = palette(ui).danger;
        ui.label(styled(message, Type::Caption).color(color));
    } else if let Some(problem) = &reply.problem {
        let message = excerpt(&problem.message, MOST);
        banner(ui, Tone::Danger, &message, &words::hint(problem), |ui| {
            if let (Who::Adapter { path, .. }, ANOTHER_FORM) = (&reply.who, problem.code.as_str())
                && can_ask_again(state, place.0)
            {
                let load = button(ui, icons::AGAIN, words::LOAD_FOR);
                if load.on_hover_text(words::LOAD_FOR_HELP).clicked() {
                    act(actions, ChatAction::LoadFor(path.clone()));
                }
            }
        });
    }
    match reply.stage {
        Stage::Waiting => {
            let is_first = state.chat.session.answering() == Some(place);
            let waits = match (state.chat.session.ready(), is_first) {
                (None, _) => words::LOADING,
                (_, true) => words::WAITING,
                (_, false) => words::WAITING_TURN,
            };
            ui.horizontal(|ui| {
                ui.spinner();
                caption(ui, waits);
            });
            return;
        }
        Stage::Reasoning(_) | Stage::Answering | Stage::Ended => {}
    }
    reasoning(ui, state, place, reply, actions);
    answer(ui, reply, actions);
    let is_empty = reply.problem.is_some() && reply.answer.trim().is_empty();
    let stands_alone = !stands_beside_others(state, place);
    if !reply.is_open() && (stands_alone || !is_empty) {
        footer(ui, state, place, reply, actions);
    }
}

fn stands_beside_others(state: &State, (exchange, _): Place) -> bool {
    { state.chat.conversation.exchanges.get(exchange) }
        .is_some_and(|exchange| exchange.replies.len() > 1)
}

fn reasoning(ui: &mut Ui, state: &State, place: Place, reply: &Reply, actions: &mut Actions) {
    if reply.reasoning.trim().is_empty() {
        return;
    }
    let colors = palette(ui);
    let unfolded = state.chat.unfolded.contains(&place);
    let title = match reply.stage {
        Stage::Reasoning(began) => words::thinking((state.now - began).max(0.0)),
        _ => {
            let tokens = reply.stats.as_ref().map(|stats| stats.reasoning_tokens);
            words::thought(tokens, reply.reasoning_secs)
        }
    };
    let line = Fold {
        icon: Some(icons::REASONING),
        title: &title,
        name: &title,
        is_unfolded: unfolded,
    };
    if fold(ui, line).clicked() {
        act(actions, ChatAction::Unfold(place));
    }
    if !unfolded {
        return;
    }
    let drawn = Frame::NONE
        .inner_margin(Margin {
            left: space::M as i8,
            ..Margin::ZERO
        })
        .show(ui, |ui| {
            let text = styled(visible_lines(reply.thought()), Type::Body).color(colors.muted);
            let text = text.line_height(Some(line_height(ui)));
            ui.add(Label::new(text).wrap());
        });
    let rect = drawn.response.rect;
    let line = Stroke::new(QUOTE_LINE, colors.border_strong);
    ui.painter()
        .vline(rect.left() + QUOTE_LINE / 2.0, rect.y_range(), line);
}

fn answer(ui: &mut Ui, reply: &Reply, actions: &mut Actions) {
    let said = reply.answer.trim();
    if !said.is_empty() {
        let words = MarkdownWords {
            copy: words::COPY_CODE,
            code: words::CODE,
            opens: &may_be_opened,
        };
        match markdown(ui, said, &words) {
            Some(MarkdownPressed::Link(target)) => act(actions, ChatAction::Link(target)),
            Some(MarkdownPressed::Copy(code)) => actions.push(Action::Copy(code)),
            None => {}
        }
        return;
    }
    if reply.is_open() || reply.problem.is_some() || reply.finish() == Some(FinishReason::Cancelled)
    {
        return;
    }
    let nothing = match (&reply.stats, reply.reasoning.trim().is_empty()) {
        (None, _) => return,
        (Some(_), true) => words::NOTHING_SAID,
        (Some(_), false) => words::NO_ANSWER,
    };
    caption(ui, nothing);
}

fn footer(ui: &mut Ui, state: &State, place: Place, reply: &Reply, actions: &mut Actions) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        if !reply.answer.trim().is_empty()
            && icon_button(ui, icons::COPY, words::COPY_REPLY).clicked()
        {
            actions.push(Action::Copy(reply.answer.trim().to_owned()));
        }
        if !stands_beside_others(state, place)
            && can_ask_again(state, place.0)
            && icon_button(ui, icons::AGAIN, words::REGENERATE).clicked()
        {
            act(actions, ChatAction::Regenerate);
        }
        match &reply.stats {
            Some(stats) => {
                let color = match stats.finish {
                    FinishReason::Length => palette(ui).warning,
                    FinishReason::Stop | FinishReason::Cancelled => palette(ui).muted,
                };
                let figures = words::figures(stats);
                if !figures.is_empty() {
                    let text = styled(figures, Type::Caption).color(color);
                    ui.add(Label::new(text).wrap());
                }
            }
            None if reply.problem.is_none() => {
                caption(ui, words::CUT_OFF);
            }
            None => {}
        }
    });
}
