//! The conversation: each question, and below it the replies, beside each other where several were
//! asked.

use egui::{
    Align, CornerRadius, Frame, Label, Layout, Margin, ScrollArea, Stroke, TextEdit, Ui, vec2,
};

use super::super::Actions;
use super::{act, reply};
use crate::state::chat::conversation::Exchange;
use crate::state::chat::{Beside, ChatAction, Editing};
use crate::state::setup::BUILTIN;
use crate::state::{Action, State};
use crate::text::visible_lines;
use crate::theme::size::{QUESTION_SHARE, READING_WIDTH, REPLY_LEAST};
use crate::theme::{CARD_RADIUS, CONTROL_HEIGHT, Type, icons, palette, space};
use crate::widgets::{
    button, caption, empty, focus_when_opened, follow_focus, icon_button, quiet_button, rows,
    styled,
};
use crate::words::chat as words;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let exchanges = &state.chat.conversation.exchanges;
    if exchanges.is_empty() {
        return nothing(ui, state, actions);
    }
    ScrollArea::both()
        .id_salt(("transcript", &state.chat.kept.open))
        .auto_shrink(false)
        .stick_to_bottom(true)
        .show(ui, |ui| {
            let room = ui.available_width();
            let columns = { exchanges.iter() }
                .map(|exchange| exchange.replies.len())
                .max()
                .unwrap_or(1)
                .max(1);
            let width = match columns {
                // The scroll bar floats over what is right of it.
                1 => (room - space::L).min(READING_WIDTH),
                columns => {
                    let gaps = space::M * (columns - 1) as f32;
                    (room - space::L).max(REPLY_LEAST * columns as f32 + gaps)
                }
            };
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = 0.0;
                ui.add_space(((room - width) / 2.0).floor().max(0.0));
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing = vec2(space::S, space::M);
                    ui.set_width(width);
                    // A question stands where it is seen first, however many replies it has.
                    let seen = width.min(room - space::L);
                    // Of a long conversation only what is near is laid out.
                    rows(ui, "exchanges", exchanges.len(), |ui, place| {
                        one(ui, state, (place, seen), &exchanges[place], actions);
                    });
                });
            });
            follow_focus(ui);
        });
}

fn nothing(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let is_builtin = state.chat.model == BUILTIN;
    empty(
        ui,
        icons::CHAT,
        words::EMPTY_TITLE,
        words::EMPTY_TEXT,
        |ui| {
            if is_builtin {
                caption(ui, words::EMPTY_BUILTIN);
                ui.add_space(space::S);
                let try_it = button(ui, "", words::TRY_EXAMPLE);
                if try_it.on_hover_text(words::EXAMPLE).clicked() {
                    act(actions, ChatAction::Draft(words::EXAMPLE.to_owned()));
                }
            }
        },
    );
}

fn one(
    ui: &mut Ui,
    state: &State,
    (place, seen): (usize, f32),
    exchange: &Exchange,
    actions: &mut Actions,
) {
    let line = vec2(seen, 0.0);
    let from_right = Layout::top_down(Align::Max);
    ui.allocate_ui_with_layout(line, from_right, |ui| {
        ui.set_max_width(seen);
        match &state.chat.editing {
            Some(editing) if editing.place == place => edited(ui, state, editing, actions),
            _ => question(ui, state, place, exchange, actions),
        }
    });
    let columns = exchange.replies.len();
    if columns > 1 {
        beside(ui, state, (place, seen), exchange, actions);
    } else if let Some(only) = exchange.replies.first() {
        ui.push_id(0, |ui| reply::show(ui, state, (place, 0), only, actions));
    }
    if columns > 1
        && can_ask_again(state, place)
        && quiet_button(ui, icons::AGAIN, words::REGENERATE).clicked()
    {
        act(actions, ChatAction::Regenerate);
    }
}

/// Whether the question of an exchange can be answered anew: it is the last, and nothing is being said.
pub fn can_ask_again(state: &State, place: usize) -> bool {
    let chat = &state.chat;
    place + 1 == chat.conversation.exchanges.len()
        && !chat.conversation.is_open()
        && chat.beside != Beside::NotNow
        && chat.answering().next().is_some()
}

/// Replies in columns of equal width, each on a card of its own.
fn beside(
    ui: &mut Ui,
    state: &State,
    (place, seen): (usize, f32),
    exchange: &Exchange,
    actions: &mut Actions,
) {
    let columns = exchange.replies.len();
    let gaps = space::M * (columns - 1) as f32;
    // As wide as can be seen, unless there are more than have room there.
    let room = seen.max(REPLY_LEAST * columns as f32 + gaps);
    let width = ((room - gaps) / columns as f32).floor();
    let colors = palette(ui);
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        for (column, one) in exchange.replies.iter().enumerate() {
            let card = Frame::NONE
                .fill(colors.surface)
                .stroke(Stroke::new(1.0, colors.border))
                .corner_radius(CornerRadius::same(CARD_RADIUS))
                .inner_margin(Margin::same(space::M as i8));
            card.show(ui, |ui| {
                ui.push_id(column, |ui| {
                    ui.vertical(|ui| {
                        ui.spacing_mut().item_spacing.x = space::S;
                        // The border stands within the column.
                        ui.set_width(width - 2.0 * space::M - 2.0);
                        reply::show(ui, state, (place, column), one, actions);
                    });
                });
            });
        }
    });
}

fn question(ui: &mut Ui, state: &State, place: usize, exchange: &Exchange, actions: &mut Actions) {
    let colors = palette(ui);
    let most = (ui.available_width() * QUESTION_SHARE).min(READING_WIDTH * QUESTION_SHARE);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let bubble = Frame::NONE
            .fill(colors.accent_soft)
            .corner_radius(CornerRadius::same(CARD_RADIUS))
            .inner_margin(Margin::symmetric(space::M as i8, space::S as i8));
        bubble.show(ui, |ui| {
            ui.set_max_width(most);
            let text = styled(visible_lines(&exchange.question), Type::Body);
            let text = text.line_height(Some(line_height(ui)));
            ui.add(Label::new(text).wrap().halign(Align::Min));
        });
        let line = vec2(ui.available_width(), CONTROL_HEIGHT);
        let from_right = Layout::right_to_left(Align::Center);
        ui.allocate_ui_with_layout(line, from_right, |ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            if !state.chat.conversation.is_open()
                && icon_button(ui, icons::RENAME, words::EDIT).clicked()
            {
                act(actions, ChatAction::Edit(place));
            }
            if icon_button(ui, icons::COPY, words::COPY_QUESTION).clicked() {
                actions.push(Action::Copy(exchange.question.clone()));
            }
        });
    });
}

/// Height of a line of running text.
pub fn line_height(ui: &Ui) -> f32 {
    let font = Type::Body.style().resolve(ui.style());
    (font.size * Type::LINE_HEIGHT).round()
}

fn edited(ui: &mut Ui, state: &State, editing: &Editing, actions: &mut Actions) {
    let mut text = editing.text.clone();
    let field = ui.add(
        TextEdit::multiline(&mut text)
            .desired_rows(2)
            .desired_width(ui.available_width() - 2.0 * space::S)
            .margin(Margin::same(space::S as i8)),
    );
    field.widget_info(|| {
        let mut info = egui::WidgetInfo::text_edit(true, &editing.text, &editing.text, "");
        info.label = Some(words::QUESTION.to_owned());
        info
    });
    focus_when_opened(&field);
    if text != editing.text {
        act(actions, ChatAction::Edited(text));
    }
    ui.horizontal(|ui| {
        let can = state.chat.can_resend();
        let resend = ui.add_enabled_ui(can.is_ok(), |ui| button(ui, icons::SEND, words::RESEND));
        let resend = match can {
            Ok(()) => resend.inner.on_hover_text(words::RESEND_HELP),
            Err(problem) => resend
                .inner
                .on_disabled_hover_text(words::cannot_send(problem)),
        };
        if resend.clicked() {
            act(actions, ChatAction::Resend);
        }
        if quiet_button(ui, "", words::CANCEL).clicked() {
            act(actions, ChatAction::LeaveAsItWas);
        }
    });
}
