//! The question before a model goes to the bin.

use egui::Ui;

use super::Actions;
use crate::state::models::ModelsAction;
use crate::state::{Action, State};
use crate::text::bytes;
use crate::theme::{Type, icons, space};
use crate::widgets::{button, caption, dialog, focus_when_opened, quiet_button, styled};
use crate::words::models::name;
use crate::words::{runs, settings as words};

/// Draws it, if it is asked.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let Some(model) = &state.models.deleting else {
        return;
    };
    let modal = dialog(ui, "deleting-model", 400.0, |ui| {
        ui.heading(styled(words::DELETE_TITLE, Type::Heading));
        caption(ui, words::delete_text(&name(model), &bytes(model.bytes)));
        ui.add_space(space::S);
        ui.horizontal(|ui| {
            if button(ui, icons::DELETE, runs::DELETE_DO).clicked() {
                actions.push(Action::Models(ModelsAction::Delete));
            }
            let cancel = quiet_button(ui, "", runs::CANCEL);
            focus_when_opened(&cancel);
            if cancel.clicked() {
                actions.push(Action::Models(ModelsAction::KeepInPlace));
            }
        });
    });
    if modal.should_close() {
        actions.push(Action::Models(ModelsAction::KeepInPlace));
    }
}
