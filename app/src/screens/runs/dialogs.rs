//! The question before a run goes to the bin.

use egui::Ui;

use super::{Actions, name};
use crate::state::runs::RunsAction;
use crate::state::{Action, State};
use crate::theme::{Type, icons, space};
use crate::widgets::{button, caption, dialog, focus_when_opened, quiet_button, styled};
use crate::words::runs as words;

/// Draws it, if it is asked.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let Some(run) = state.runs.deleting.and_then(|key| state.runs.run(key)) else {
        return;
    };
    let modal = dialog(ui, "deleting", 400.0, |ui| {
        ui.heading(styled(words::DELETE_TITLE, Type::Heading));
        caption(ui, words::delete_text(name(run)));
        ui.add_space(space::S);
        ui.horizontal(|ui| {
            if button(ui, icons::DELETE, words::DELETE_DO).clicked() {
                actions.push(Action::Runs(RunsAction::Delete));
            }
            let cancel = quiet_button(ui, "", words::CANCEL);
            focus_when_opened(&cancel);
            if cancel.clicked() {
                actions.push(Action::Runs(RunsAction::KeepInPlace));
            }
        });
    });
    if modal.should_close() {
        actions.push(Action::Runs(RunsAction::KeepInPlace));
    }
}
