//! Below the cards: how much of the page is shown, and the one button.

use egui::{Align, Layout, Ui};

use super::super::Actions;
use super::super::shortcuts::{Shortcut, hint};
use super::act;
use crate::state::settings::{Detail, SettingsAction};
use crate::state::setup::SetupAction;
use crate::state::{Action, State};
use crate::theme::size::PRIMARY_HEIGHT;
use crate::theme::space;
use crate::widgets::{Choice, primary_button, segmented};
use crate::words::fine_tune::{self as words, Waits};

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let waits = match state.runs.is_training() {
        true => Waits::ForAnother,
        false => Waits::No,
    };
    let label = words::primary(&state.setup.ready(), waits);
    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
        ui.set_height(PRIMARY_HEIGHT);
        let [simple, advanced] = words::DETAILS;
        let details = [
            Choice::new(Detail::Simple, simple),
            Choice::new(Detail::Advanced, advanced),
        ];
        let chosen = segmented(ui, words::DETAIL, &state.settings.detail, &details);
        if let Some(detail) = chosen {
            actions.push(Action::Settings(SettingsAction::Detail(detail)));
        }
        // As wide as the cards.
        let width = ui.available_width() - space::XS;
        let label = { label.as_ref() }
            .map(String::as_str)
            .map_err(String::as_str);
        let help = hint(ui, words::START_HELP, Shortcut::Start);
        let button = primary_button(ui, label, width).on_hover_text(help);
        if button.clicked() {
            act(actions, SetupAction::Start);
        }
    });
}
