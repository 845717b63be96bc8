//! The question before a conversation goes to the bin.

use egui::{Id, Modal, Ui};

use super::super::Actions;
use super::act;
use crate::state::State;
use crate::state::chat::ChatAction;
use crate::state::chat::kept::KeptAction;
use crate::text::excerpt;
use crate::theme::{Type, icons, space};
use crate::widgets::{button, caption, focus_when_opened, quiet_button, styled};
use crate::words::chat as words;

/// Draws it, if it is asked.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let kept = &state.chat.kept;
    let Some(id) = &kept.deleting else {
        return;
    };
    let mut answer = |action| act(actions, ChatAction::Kept(action));
    let modal = Modal::new(Id::unique(("deleting", "conversation"))).show(ui.ctx(), |ui| {
        ui.set_width(400.0);
        ui.heading(styled(words::DELETE_TITLE, Type::Heading));
        caption(ui, words::delete_text(&excerpt(kept.title(id), 120)));
        ui.add_space(space::S);
        ui.horizontal(|ui| {
            if button(ui, icons::DELETE, words::DELETE_DO).clicked() {
                answer(KeptAction::Delete);
            }
            let cancel = quiet_button(ui, "", words::CANCEL);
            focus_when_opened(&cancel);
            if cancel.clicked() {
                answer(KeptAction::KeepInPlace);
            }
        });
    });
    if modal.should_close() {
        answer(KeptAction::KeepInPlace);
    }
}
