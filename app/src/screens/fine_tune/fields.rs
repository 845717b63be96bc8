//! Fields of the run config, each with its help or what is wrong with it.

use egui::{Align, Layout, Ui};
use stepladder_protocol::Switch;

use super::super::Actions;
use super::act;
use crate::state::State;
use crate::state::setup::SetupAction;
use crate::state::setup::choice::{Choice as Chosen, Switched};
use crate::state::setup::field::Field;
use crate::theme::{Type, space};
use crate::widgets::{Choice, Hint, caption, dropdown, field, number_field, styled, switch};
use crate::words::fine_tune as words;

/// A field that is typed.
pub fn typed(ui: &mut Ui, state: &State, which: Field, actions: &mut Actions) {
    let setup = &state.setup;
    let wrong = setup.wrong(which).map(|problem| words::wrong(&problem));
    let help = words::field_help(which);
    let hint = match &wrong {
        Some(problem) => Hint::ProblemAndHelp(problem, help),
        None => Hint::Help(help),
    };
    let label = words::field_label(which);
    field(ui, label, hint, |ui| {
        let width = ui.available_width();
        let (text, default) = (setup.text(which), setup.default_text(which));
        if let Some(text) = number_field(ui, label, &text, &default, width) {
            act(actions, SetupAction::Type(which, text));
        }
    });
}

/// A field of which one of several is chosen; gives another that was chosen.
pub fn one_of<T: PartialEq + Clone, const N: usize>(
    ui: &mut Ui,
    (label, help): (&str, &str),
    current: &T,
    values: [T; N],
    names: [&str; N],
) -> Option<T> {
    let choices: Vec<Choice<T>> = { values.into_iter().zip(names) }
        .map(|(value, name)| Choice::new(value, name))
        .collect();
    field(ui, label, Hint::Help(help), |ui| {
        let width = ui.available_width();
        dropdown(ui, label, current, &choices, width)
    })
}

/// A field that is on or off; gives the choice that was made.
pub fn switched(ui: &mut Ui, which: Switched, on: bool) -> Option<Chosen> {
    let label = words::switch_label(which);
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        let pressed = ui
            .horizontal(|ui| {
                ui.label(styled(label, Type::Strong));
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    switch(ui, label, on)
                })
                .inner
            })
            .inner;
        caption(ui, words::switch_help(which));
        let to = |on: bool| if on { Switch::On } else { Switch::Off };
        pressed.map(|on| Chosen::Switched(which, to(on)))
    })
    .inner
}
