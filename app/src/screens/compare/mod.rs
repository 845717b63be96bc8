//! The Compare page: earlier comparisons at the left; beside them the one that is looked at, or what
//! another is to ask.

mod answers;
mod asking;
mod charts;
mod dialogs;
mod findings;
mod head;
mod list;
mod methods;
mod picture;
mod questions;
mod who;

use egui::{CentralPanel, Frame, Margin, Panel, ScrollArea, Ui};

pub use self::picture::show as picture;

use super::Actions;
use crate::state::compare::found::Comparison;
use crate::state::compare::view::{Tab, ViewAction};
use crate::state::compare::{CompareAction, Shown};
use crate::state::{Action, State};
use crate::theme::size::CONVERSATIONS_WIDTH;
use crate::theme::space;
use crate::widgets::{Choice, caption, follow_focus, segmented, sheet};
use crate::words::compare as words;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    Panel::left("comparisons")
        .exact_size(CONVERSATIONS_WIDTH)
        .resizable(false)
        .show_separator_line(false)
        .frame(sheet(ui))
        .show(ui, |ui| list::show(ui, state, actions));
    let right = Frame::NONE.inner_margin(Margin {
        left: space::L as i8,
        ..Margin::ZERO
    });
    CentralPanel::default().frame(right).show(ui, |ui| {
        if state.compare.kept.reading.is_some() {
            ui.horizontal(|ui| {
                ui.spinner();
                caption(ui, words::READING);
            });
        }
        match (state.compare.shown, state.compare.comparison()) {
            (Shown::AtWork | Shown::Opened, Some(found)) => one(ui, state, found, actions),
            _ => asking::show(ui, state, actions),
        }
    });
    dialogs::show(ui, state, actions);
}

fn one(ui: &mut Ui, state: &State, found: &Comparison, actions: &mut Actions) {
    let id = (found.job.0.clone(), found.name.clone());
    ScrollArea::vertical()
        .id_salt(("comparison", id))
        .auto_shrink(false)
        .show(ui, |ui| {
            // The scroll bar floats over what is right of it.
            ui.set_width(ui.available_width() - space::XS);
            ui.spacing_mut().item_spacing.y = space::M;
            head::show(ui, state, found, actions);
            if found.variants.is_empty() {
                return follow_focus(ui);
            }
            let tab = state.compare.view.tab;
            let choices =
                [Tab::Findings, Tab::Questions].map(|tab| Choice::new(tab, words::tab(tab)));
            if let Some(tab) = segmented(ui, words::PARTS, &tab, &choices) {
                act(actions, CompareAction::View(ViewAction::Tab(tab)));
            }
            match tab {
                Tab::Findings => findings::show(ui, state, found, actions),
                Tab::Questions => {
                    questions::show(ui, state, found, actions);
                    answers::show(ui, state, found, actions);
                }
            }
            follow_focus(ui);
        });
}

fn act(actions: &mut Actions, action: CompareAction) {
    actions.push(Action::Compare(action));
}

/// A comparison's name as it is shown.
fn name(found: &Comparison) -> &str {
    match found.name.is_empty() {
        true => words::NO_NAME,
        false => &found.name,
    }
}
