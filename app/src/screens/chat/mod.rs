//! The Chat page: conversations at the left, the open one in the middle, what it is asked with at the
//! right where that is wanted.

mod composer;
mod dialogs;
mod drawer;
mod head;
mod list;
mod reply;
mod transcript;
mod variants;

use egui::{CentralPanel, Frame, Key, Margin, Modifiers, Panel, Popup, Ui};

use super::Actions;
use crate::state::chat::{ChatAction, Shown};
use crate::state::{Action, State};
use crate::theme::size::{CONVERSATIONS_WIDTH, DRAWER_WIDTH, MIDDLE_LEAST, READING_WIDTH};
use crate::theme::space;
use crate::widgets::sheet;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    escape(ui, state, actions);
    let (list, drawer) = shown(ui, state);
    if list == Shown::Yes {
        Panel::left("conversations")
            .exact_size(CONVERSATIONS_WIDTH)
            .resizable(false)
            .show_separator_line(false)
            .frame(sheet(ui))
            .show(ui, |ui| list::show(ui, state, actions));
    }
    if drawer == Shown::Yes {
        Panel::right("drawer")
            .exact_size(DRAWER_WIDTH)
            .resizable(false)
            .show_separator_line(false)
            .frame(sheet(ui))
            .show(ui, |ui| drawer::show(ui, state, actions));
    }
    let beside = |shown| match shown {
        Shown::Yes => space::L as i8,
        Shown::No => 0,
    };
    let middle = Frame::NONE.inner_margin(Margin {
        left: beside(list),
        right: beside(drawer),
        ..Margin::ZERO
    });
    CentralPanel::default().frame(middle).show(ui, |ui| {
        part(Panel::top("head")).show(ui, |ui| {
            head::show(ui, state, list, actions);
            ui.add_space(space::S);
        });
        part(Panel::bottom("composer")).show(ui, |ui| {
            ui.add_space(space::S);
            centered(ui, READING_WIDTH, |ui| composer::show(ui, state, actions));
        });
        CentralPanel::default()
            .frame(Frame::NONE)
            .show(ui, |ui| transcript::show(ui, state, actions));
    });
    dialogs::show(ui, state, actions);
}

/// The list and the drawer, as far as there is room: where there is not, the drawer hides the list.
fn shown(ui: &Ui, state: &State) -> (Shown, Shown) {
    let view = state.chat.view;
    let room = ui.available_width() - CONVERSATIONS_WIDTH - DRAWER_WIDTH;
    match view.drawer {
        Shown::Yes if room < MIDDLE_LEAST => (Shown::No, Shown::Yes),
        drawer => (view.list, drawer),
    }
}

fn part(panel: Panel) -> Panel {
    panel
        .resizable(false)
        .show_separator_line(false)
        .frame(Frame::NONE)
}

/// The Escape key ends what goes on: a question that is changed, replies that come.
fn escape(ui: &Ui, state: &State, actions: &mut Actions) {
    let is_elsewhere = ui.memory(|memory| memory.top_modal_layer().is_some())
        || Popup::is_any_open(ui.ctx())
        || state.chat.kept.naming.is_some();
    let action = match (&state.chat.editing, state.chat.conversation.is_open()) {
        (Some(_), _) => ChatAction::LeaveAsItWas,
        (None, true) => ChatAction::Stop,
        (None, false) => return,
    };
    if !is_elsewhere && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
        act(actions, action);
    }
}

/// What stands in the middle and is no wider than can be read.
fn centered<R>(ui: &mut Ui, most: f32, content: impl FnOnce(&mut Ui) -> R) -> R {
    let room = ui.available_width();
    let width = room.min(most);
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        ui.add_space(((room - width) / 2.0).floor());
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            ui.set_width(width);
            content(ui)
        })
        .inner
    })
    .inner
}

fn act(actions: &mut Actions, action: ChatAction) {
    actions.push(Action::Chat(action));
}
