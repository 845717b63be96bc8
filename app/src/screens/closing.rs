//! The question before a window is closed that trains.

use egui::Ui;

use super::Actions;
use crate::state::closing::{Closing, ClosingAction};
use crate::state::{Action, State};
use crate::theme::{Type, space};
use crate::widgets::{
    button, caption, dialog, focus_when_opened, primary_button, progress, quiet_button, styled,
};
use crate::words::shell;

/// Draws it, if it is asked.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let act = |action| Action::Closing(action);
    match state.closing {
        Closing::No => {}
        Closing::Asking => {
            let modal = dialog(ui, "closing", 420.0, |ui| {
                ui.heading(styled(shell::CLOSE_TITLE, Type::Heading));
                caption(ui, shell::CLOSE_TEXT);
                ui.add_space(space::S);
                ui.horizontal(|ui| {
                    if primary_button(ui, Ok(shell::CLOSE_PAUSE), 0.0).clicked() {
                        actions.push(act(ClosingAction::PauseAndClose));
                    }
                    if button(ui, "", shell::CLOSE_KEEP).clicked() {
                        actions.push(act(ClosingAction::KeepRunning));
                    }
                    let stay = quiet_button(ui, "", shell::CLOSE_STAY);
                    focus_when_opened(&stay);
                    if stay.clicked() {
                        actions.push(act(ClosingAction::Stay));
                    }
                });
            });
            if modal.should_close() {
                actions.push(act(ClosingAction::Stay));
            }
        }
        Closing::WhenSaved => {
            dialog(ui, "closing", 320.0, |ui| {
                ui.heading(styled(shell::CLOSING, Type::Heading));
                progress(ui, shell::CLOSING, None);
                caption(ui, shell::CLOSE_NOW_HELP);
                if quiet_button(ui, "", shell::CLOSE_NOW).clicked() {
                    actions.push(act(ClosingAction::CloseNow));
                }
            });
        }
    }
}
