//! Where a message is typed. Enter sends it, Shift and Enter begin a line, Escape stops what is said.

use egui::{
    Align, CornerRadius, Event, EventFilter, Frame, Key, KeyboardShortcut, Layout, Margin,
    Modifiers, ScrollArea, Stroke, TextEdit, Ui, WidgetInfo, vec2,
};

use super::super::Actions;
use super::{act, variants};
use crate::state::State;
use crate::state::chat::ChatAction;
use crate::theme::size::{CONTEXT_BAR, DRAFT_MOST};
use crate::theme::{CARD_RADIUS, Type, icons, palette, space};
use crate::widgets::{
    button, caption, focus_when_opened, follow_focus, one_line, primary_button, share_bar, styled,
};
use crate::words::chat as words;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let colors = palette(ui);
    let frame = Frame::NONE
        .fill(colors.surface)
        .stroke(Stroke::new(1.0, colors.border_strong))
        .corner_radius(CornerRadius::same(CARD_RADIUS))
        .inner_margin(Margin::same(space::S as i8));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = space::S;
        let entered = message(ui, state, actions);
        let line = vec2(ui.available_width(), 0.0);
        let layout = Layout::right_to_left(Align::Center);
        ui.allocate_ui_with_layout(line, layout, |ui| {
            send(ui, state, entered, actions);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                context(ui, state)
            });
        });
    });
}

/// Whether Enter was pressed in the message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entered {
    Yes,
    No,
}

fn message(ui: &mut Ui, state: &State, actions: &mut Actions) -> Entered {
    let draft = &state.chat.draft;
    let mut typed = draft.clone();
    let response = ScrollArea::vertical()
        .id_salt("message")
        .max_height(DRAFT_MOST)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            let keys = EventFilter {
                tab: false,
                escape: true,
                horizontal_arrows: true,
                vertical_arrows: true,
            };
            let field = TextEdit::multiline(&mut typed)
                .hint_text(words::MESSAGE_EMPTY)
                .desired_rows(2)
                .desired_width(f32::INFINITY)
                .frame(Frame::NONE.inner_margin(Margin::same(space::XS as i8 + 2)))
                .event_filter(keys)
                .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
            let response = ui.add(field);
            follow_focus(ui);
            response
        })
        .inner;
    let shown = typed.clone();
    response.widget_info(|| {
        let mut info = WidgetInfo::text_edit(true, &shown, &shown, words::MESSAGE_EMPTY);
        info.label = Some(words::MESSAGE.to_owned());
        info
    });
    focus_when_opened(&response);
    if typed != *draft {
        act(actions, ChatAction::Draft(typed));
    }
    let is_enter = |event: &Event| matches!(event, Event::Key { key: Key::Enter, pressed: true, modifiers, .. } if modifiers.is_none());
    match response.has_focus() && ui.input(|input| input.events.iter().any(is_enter)) {
        true => Entered::Yes,
        false => Entered::No,
    }
}

fn send(ui: &mut Ui, state: &State, entered: Entered, actions: &mut Actions) {
    if state.chat.conversation.is_open() {
        let stop = button(ui, icons::STOP, words::STOP);
        if stop.on_hover_text(words::STOP_HELP).clicked() {
            act(actions, ChatAction::Stop);
        }
        return;
    }
    let can = state.chat.can_send();
    let label = match can {
        Ok(()) => Ok(words::SEND),
        Err(_) => Err(words::SEND),
    };
    let response = primary_button(ui, label, 0.0);
    let response = match can {
        Ok(()) => response,
        Err(problem) => response.on_disabled_hover_text(words::cannot_send(problem)),
    };
    if response.clicked() || (entered == Entered::Yes && can.is_ok()) {
        act(actions, ChatAction::Send);
    }
}

/// What the model can hold, and how much of that is used where it is known.
fn context(ui: &mut Ui, state: &State) {
    let chat = &state.chat;
    let Some(ready) = chat.session.ready() else {
        return;
    };
    match chat.context_tokens() {
        Some(tokens) => {
            let text = words::context_used(tokens, ready.context_length);
            let share = tokens as f32 / ready.context_length.max(1) as f32;
            let colors = palette(ui);
            let color = match share {
                share if share > 0.9 => colors.warning,
                _ => colors.accent,
            };
            let bar = vec2(CONTEXT_BAR, ui.available_height());
            ui.allocate_ui_with_layout(bar, Layout::left_to_right(Align::Center), |ui| {
                share_bar(ui, &text, 6.0, &[(share.min(1.0), color)]);
            });
            caption(ui, text);
        }
        None => {
            caption(ui, words::context_of(ready.context_length));
        }
    }
    let mut templates: Vec<String> = { chat.answering() }
        .map(|who| variants::template(state, who))
        .collect();
    templates.dedup();
    if !templates.is_empty() {
        let used = words::template(&templates.join(", "));
        let color = palette(ui).faint;
        one_line(ui, styled(used, Type::Caption).color(color));
    }
}
