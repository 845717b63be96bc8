//! What a run was asked to do, what became of its dataset, and its memory part by part.

use egui::{Grid, Label, Ui};
use stepladder_protocol::{DatasetPreview, RunMemory};

use super::super::copy_icon;
use super::Actions;
use crate::state::runs::comparison::{ConfigField, Said};
use crate::state::runs::run::Run;
use crate::state::{Action, State};
use crate::text::{bytes, thousands, visible};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{button, caption, card, card_with, styled};
use crate::words::fine_tune::part;
use crate::words::{in_the_window, runs as words};

/// Skipped rows that are told one by one.
const SKIPPED: usize = 12;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, run: &Run, actions: &mut Actions) {
    config(ui, state, run, actions);
    ui.add_space(space::S);
    card(ui, icons::DATASET, words::DATASET, |ui| {
        match run
            .details
            .as_ref()
            .and_then(|details| details.dataset.as_ref())
        {
            Some(account) => dataset(ui, account),
            None => {
                caption(ui, words::NO_DATASET);
            }
        }
    });
    ui.add_space(space::S);
    card(ui, icons::MEMORY, words::MEMORY_CARD, |ui| {
        match run.memory() {
            Some(plan) => memory(ui, plan),
            None => {
                caption(ui, words::NO_MEMORY);
            }
        }
    });
}

fn config(ui: &mut Ui, state: &State, run: &Run, actions: &mut Actions) {
    let copy = |ui: &mut Ui| {
        if let Some(folder) = &run.folder
            && button(ui, copy_icon(state), words::COPY_CONFIG).clicked()
        {
            let path = folder.join("run.json");
            actions.push(Action::Copy(words::command(&path.display().to_string())));
        }
    };
    card_with(ui, icons::METHOD, words::CONFIG, copy, |ui| {
        let fields = &state.runs.tables.fields;
        let columns = if ui.available_width() >= 560.0 { 2 } else { 1 };
        let width = (ui.available_width() - space::L) / columns as f32;
        let rows = fields.len().div_ceil(columns);
        ui.horizontal_top(|ui| {
            for half in fields.chunks(rows.max(1)) {
                ui.vertical(|ui| {
                    ui.set_width(width);
                    pairs(ui, half, width);
                });
            }
        });
    });
}

fn pairs(ui: &mut Ui, fields: &[ConfigField], width: f32) {
    let named = fields.first().map_or("", |field| &field.label);
    Grid::new(("config", named))
        .num_columns(2)
        .min_row_height(20.0)
        .show(ui, |ui| {
            for field in fields {
                caption(ui, &field.label);
                ui.scope(|ui| {
                    ui.set_max_width(width * 0.48);
                    let text = styled(field.value.text(), Type::Body);
                    let text = match field.value {
                        Said::Set(_) => text,
                        Said::Default(_) => text.color(palette(ui).faint),
                    };
                    ui.add(Label::new(text).truncate());
                });
                ui.end_row();
            }
        });
}

fn dataset(ui: &mut Ui, account: &DatasetPreview) {
    ui.spacing_mut().item_spacing.y = space::XS;
    ui.label(styled(
        words::account(account.rows, account.examples, account.skipped),
        Type::Body,
    ));
    for file in account.files.iter().take(SKIPPED) {
        let about = format!(
            "{} · {}",
            visible(&file.container),
            words::account(file.rows, file.examples, 0)
        );
        let line = format!("{} · {about}", visible(&file.path));
        ui.add(Label::new(styled(line, Type::Caption).color(palette(ui).muted)).truncate());
    }
    if account.files.len() > SKIPPED {
        caption(ui, words::more(account.files.len() - SKIPPED));
    }
    for notice in &account.notices {
        caption(ui, in_the_window(notice));
    }
    if account.skipped == 0 {
        return;
    }
    ui.add_space(space::S);
    ui.label(styled(words::SKIPPED, Type::Strong));
    for reason in account.skipped_reasons.iter().take(SKIPPED) {
        caption(
            ui,
            format!(
                "{} × {}",
                thousands(reason.rows as u64),
                visible(&reason.reason)
            ),
        );
    }
    for row in account.skipped_rows.iter().take(SKIPPED) {
        let line = format!(
            "{}:{} {}",
            visible(&row.path),
            row.line,
            visible(&row.reason)
        );
        ui.add(Label::new(styled(line, Type::Code).color(palette(ui).muted)).truncate());
    }
    if account.skipped > SKIPPED {
        caption(
            ui,
            words::more(account.skipped - account.skipped_rows.len().min(SKIPPED)),
        );
    }
}

fn memory(ui: &mut Ui, memory: &RunMemory) {
    let row = |ui: &mut Ui, name: &str, planned: Option<u64>, measured: Option<u64>, kind: Type| {
        let text = |amount: Option<u64>| amount.map_or(words::UNKNOWN.to_owned(), bytes);
        ui.label(styled(name, kind).color(palette(ui).muted));
        ui.label(styled(text(planned), kind));
        ui.label(styled(text(measured), kind));
        ui.end_row();
    };
    Grid::new("memory")
        .num_columns(3)
        .spacing(egui::vec2(space::XL, space::XS))
        .show(ui, |ui| {
            ui.label("");
            caption(ui, words::PLANNED);
            caption(ui, words::MEASURED);
            ui.end_row();
            let measured = memory.measured;
            for (name, planned) in memory.estimated.named() {
                let known = measured.and_then(|parts| match name {
                    "weights" => Some(parts.weights),
                    "adapter" => Some(parts.adapter),
                    "gradients" => Some(parts.gradients),
                    "optimizer" => Some(parts.optimizer),
                    _ => None,
                });
                row(ui, part(name), Some(planned), known, Type::Body);
            }
            if let Some(parts) = measured {
                row(ui, words::REST, None, Some(parts.rest), Type::Body);
            }
            let total = Some(memory.estimated_peak_bytes);
            row(
                ui,
                words::TOTAL,
                total,
                memory.measured_peak_bytes,
                Type::Strong,
            );
        });
}
