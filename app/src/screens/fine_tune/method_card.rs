//! The method, and the settings that go with it.

use egui::Ui;

use super::super::Actions;
use super::{act, advanced, columns, fields};
use crate::state::settings::Detail;
use crate::state::setup::SetupAction;
use crate::state::setup::choice::Choice as Chosen;
use crate::state::setup::field::Field;
use crate::state::setup::memory::METHODS;
use crate::state::{Action, State};
use crate::theme::{icons, space};
use crate::widgets::{Chosen as Marked, card_with, option_row, quiet_button};
use crate::words::fine_tune as words;

/// What most runs need.
const SIMPLE: [Field; 3] = [Field::Context, Field::Epochs, Field::BatchSize];

/// The same, and what is wrong besides: what keeps a run from starting can be mended where it is said.
fn simple(state: &State) -> Vec<Field> {
    let setup = &state.setup;
    let is_wrong = |field: &Field| {
        !SIMPLE.contains(field)
            && field.matters_to(setup.config.method)
            && setup.wrong(*field).is_some()
    };
    { SIMPLE.into_iter() }
        .chain(Field::ALL.into_iter().filter(is_wrong))
        .collect()
}

/// Draws the card.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let mut asked = None;
    let reset = |ui: &mut Ui| {
        if !state.setup.is_changed() {
            ui.disable();
        }
        if quiet_button(ui, icons::RESET, words::RESET).clicked() {
            asked = Some(SetupAction::Reset);
        }
    };
    card_with(ui, icons::METHOD, words::METHOD, reset, |ui| {
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing.y = space::XS;
            for method in METHODS {
                let exports = words::exports(method);
                let texts = (method.title(), words::method_help(method), exports.as_str());
                let marked = Marked::of(&state.setup.config.method, &method);
                if option_row(ui, words::METHOD, texts, marked) {
                    act(actions, SetupAction::Choose(Chosen::Method(method)));
                }
            }
        });
        match state.settings.detail {
            Detail::Simple => {
                let count = columns::that_fit(ui, 140.0, 3);
                columns::grid(ui, count, &simple(state), |ui, field| {
                    fields::typed(ui, state, *field, actions);
                });
            }
            Detail::Advanced => advanced::show(ui, state, actions),
        }
    });
    actions.extend(asked.map(Action::Setup));
}
