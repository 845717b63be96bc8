//! Which column of the files holds which field of the format.

use egui::Ui;
use stepladder_protocol::DataFormat;

use super::super::Actions;
use super::{act, columns};
use crate::state::State;
use crate::state::setup::dataset::MappedField;
use crate::state::setup::{BUILTIN, SetupAction};
use crate::text::excerpt;
use crate::theme::Type;
use crate::widgets::{Choice, Hint, Tone, badge, caption, dropdown, field, link_button, styled};
use crate::words::fine_tune as words;

/// Draws it where it is asked for or needed.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let dataset = &state.setup.dataset;
    let mapping = &dataset.mapping;
    let is_sample = state.setup.config.data == [BUILTIN];
    if mapping.columns.is_empty() || is_sample {
        return;
    }
    let lacks = |field: &MappedField| field.required && field.column.is_none();
    let is_needed = mapping.format == DataFormat::Auto
        || dataset.problem.is_some()
        || mapping.fields.iter().any(lacks);
    if !is_needed {
        let label = match dataset.mapping_open {
            true => words::HIDE_COLUMNS,
            false => words::SHOW_COLUMNS,
        };
        if link_button(ui, label).clicked() {
            act(actions, SetupAction::ShowMapping(!dataset.mapping_open));
        }
        if !dataset.mapping_open {
            return;
        }
    }
    if mapping.format == DataFormat::Auto {
        caption(ui, words::COLUMNS_FIRST);
        ui.horizontal_wrapped(|ui| {
            for column in mapping.columns.iter().take(12) {
                badge(ui, excerpt(column, 40), Tone::Neutral);
            }
        });
        return;
    }
    ui.label(styled(words::COLUMNS, Type::Strong));
    caption(ui, words::COLUMNS_HELP);
    let count = columns::that_fit(ui, 180.0, 2);
    columns::grid(ui, count, &mapping.fields, |ui, mapped| {
        let missing = lacks(mapped);
        let hint = match missing {
            true => Hint::Problem(words::COLUMN_MISSING),
            false => Hint::Help(""),
        };
        let label = match mapped.required {
            true => mapped.name.to_owned(),
            false => words::optional(mapped.name),
        };
        field(ui, &label, hint, |ui| {
            column(ui, mapped, &mapping.columns, actions)
        });
    });
}

fn column(ui: &mut Ui, mapped: &MappedField, names: &[String], actions: &mut Actions) {
    let mut choices = Vec::new();
    // What is recognized cannot be taken away, only said otherwise.
    if mapped.by_hand {
        choices.push(Choice::new(None, words::COLUMN_RECOGNIZED));
    } else if mapped.column.is_none() {
        choices.push(Choice::new(None, words::NO_COLUMN));
    }
    choices.extend({ names.iter() }.map(|name| Choice::new(Some(name.clone()), excerpt(name, 60))));
    let width = ui.available_width();
    if let Some(column) = dropdown(ui, mapped.name, &mapped.column, &choices, width) {
        act(actions, SetupAction::Map(mapped.name, column));
    }
}
