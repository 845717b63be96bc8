//! What a run that trains means for something else that needs the device, and the way out.

use egui::Ui;

use super::Actions;
use crate::state::Action;
use crate::state::chat::Beside;
use crate::state::runs::RunsAction;
use crate::theme::icons;
use crate::widgets::{Tone, banner, button, caption};
use crate::words::shell as words;

/// Draws it: `slower` is what sharing the processor means, `help` what can be done where there is no room
/// for both.
pub fn show(ui: &mut Ui, beside: Beside, (slower, help): (&str, &str), actions: &mut Actions) {
    match beside {
        Beside::Nothing => {}
        Beside::Slower => {
            caption(ui, slower);
        }
        Beside::NotNow => banner(ui, Tone::Warning, words::NOT_NOW, help, |ui| {
            if button(ui, icons::PAUSE, words::PAUSE_RUN).clicked() {
                actions.push(Action::Runs(RunsAction::PauseAll));
            }
        }),
    }
}
