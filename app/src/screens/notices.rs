//! Sentences that belong to no page, above whichever is shown.

use egui::Ui;

use super::Actions;
use crate::state::{Action, State};
use crate::text::visible;
use crate::theme::space;
use crate::widgets::{Tone, banner, link_button};
use crate::words::shell;

/// Draws them.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    for (place, notice) in state.notices.iter().enumerate() {
        banner(ui, Tone::Warning, &visible(notice), "", |ui| {
            if link_button(ui, shell::DISMISS).clicked() {
                actions.push(Action::Dismiss(place));
            }
        });
        ui.add_space(space::S);
    }
}
