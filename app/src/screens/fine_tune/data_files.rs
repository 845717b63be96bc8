//! What the dataset is made of: a row for each file or folder that was added.

use egui::{Align, Layout, ScrollArea, Ui};
use stepladder_protocol::DataFormat;

use super::super::Actions;
use super::act;
use crate::state::State;
use crate::state::setup::dataset::DataRow;
use crate::state::setup::{BUILTIN, SetupAction};
use crate::text::{bytes, excerpt};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{button, caption, follow_focus, icon_button, one_line, styled};
use crate::words::fine_tune as words;

const ROW_HEIGHT: f32 = 30.0;
/// Rows that are seen at once.
const AT_ONCE: f32 = 6.0;

/// Draws them.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let rows = &state.setup.dataset.rows;
    if rows.is_empty() {
        ui.horizontal_wrapped(|ui| {
            caption(ui, words::NO_DATA);
            if button(ui, icons::DATASET, words::SAMPLE).clicked() {
                act(actions, SetupAction::SampleData);
            }
        });
        return;
    }
    // What keeps all of it from being read is said once, below.
    let is_told = state.setup.dataset.problem.is_some();
    ScrollArea::vertical()
        .id_salt("data")
        .max_height(ROW_HEIGHT * AT_ONCE)
        .auto_shrink([false, true])
        .show_rows(ui, ROW_HEIGHT, rows.len(), |ui, range| {
            for place in range {
                row(ui, place, &rows[place], is_told, actions);
            }
            follow_focus(ui);
        });
}

fn row(ui: &mut Ui, place: usize, row: &DataRow, is_told: bool, actions: &mut Actions) {
    let colors = palette(ui);
    let is_sample = row.target == BUILTIN;
    let name = match is_sample {
        true => words::SAMPLE_NAME.to_owned(),
        false => excerpt(&row.name, 200),
    };
    let size = egui::vec2(ui.available_width(), ROW_HEIGHT);
    let layout = Layout::right_to_left(Align::Center);
    ui.allocate_ui_with_layout(size, layout, |ui| {
        ui.set_min_height(ROW_HEIGHT);
        if icon_button(ui, icons::CLOSE, &words::remove(&name)).clicked() {
            act(actions, SetupAction::RemoveData(place));
        }
        if row.bytes > 0 {
            ui.label(styled(bytes(row.bytes), Type::Caption).color(colors.muted));
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let (icon, color) = match &row.problem {
                Some(_) => (icons::WARNING, colors.warning),
                None if row.files.is_some_and(|files| files > 1) => (icons::FOLDER, colors.muted),
                None => (icons::TEXT_FILE, colors.muted),
            };
            ui.label(styled(icon, Type::Body).color(color));
            // The name keeps most of the room.
            let room = ui.available_width() * 0.55;
            ui.scope(|ui| {
                ui.set_max_width(room);
                let response = one_line(ui, styled(&name, Type::Strong));
                if !is_sample {
                    response.on_hover_text(excerpt(&row.path, 1000));
                }
            });
            ui.add_space(space::XS);
            let about = styled(about(row, is_told), Type::Caption).color(colors.muted);
            let response = one_line(ui, about);
            let why = row.problem.as_ref().unwrap_or(&row.reason);
            if !why.is_empty() {
                response.on_hover_text(excerpt(why, 1000));
            }
        });
    });
}

fn about(row: &DataRow, is_told: bool) -> String {
    if let (Some(problem), false) = (&row.problem, is_told) {
        return excerpt(problem, 200);
    }
    let mut facts = Vec::new();
    if let Some(files) = row.files.filter(|files| *files > 1) {
        facts.push(words::files(files));
    }
    if !row.container.is_empty() {
        facts.push(excerpt(&row.container, 40));
    }
    if row.format != DataFormat::Auto {
        facts.push(words::format(row.format).to_owned());
        if row.confidence > 0.0 && row.confidence < 0.995 {
            facts.push(words::sure(row.confidence));
        }
    }
    facts.join(" · ")
}
