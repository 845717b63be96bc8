//! The question before a comparison goes to the bin.

use egui::Ui;

use super::super::Actions;
use super::act;
use crate::state::State;
use crate::state::compare::asking::name_of;
use crate::state::compare::{CompareAction, KeptAction};
use crate::text::excerpt;
use crate::theme::{Type, icons, space};
use crate::widgets::{button, caption, dialog, focus_when_opened, quiet_button, styled};
use crate::words::compare as words;

/// Draws it, if it is asked.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let Some(folder) = &state.compare.kept.deleting else {
        return;
    };
    let mut answer = |action| act(actions, CompareAction::Kept(action));
    let modal = dialog(ui, "deleting-comparison", 400.0, |ui| {
        ui.heading(styled(words::DELETE_TITLE, Type::Heading));
        caption(ui, words::delete_text(&excerpt(&name_of(folder), 120)));
        ui.add_space(space::S);
        ui.horizontal(|ui| {
            if button(ui, icons::DELETE, words::DELETE_DO).clicked() {
                answer(KeptAction::Delete);
            }
            let keep = quiet_button(ui, "", words::KEEP);
            focus_when_opened(&keep);
            if keep.clicked() {
                answer(KeptAction::KeepInPlace);
            }
        });
    });
    if modal.should_close() {
        answer(KeptAction::KeepInPlace);
    }
}
