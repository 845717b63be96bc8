//! Rows that are not trained on, why, and what else the engine says of the dataset.

use egui::{CollapsingHeader, Ui};
use stepladder_protocol::DatasetPreview;

use crate::state::State;
use crate::state::setup::examples::file_name;
use crate::text::{excerpt, thousands};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{caption, styled};
use crate::words::{fine_tune as words, in_the_window};

/// Reasons, rows and notices that are drawn; the command line lists more.
const MOST: usize = 12;
const CHARACTERS: usize = 300;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State) {
    let Some(preview) = &state.setup.dataset.preview else {
        return;
    };
    if preview.skipped > 0 {
        skipped(ui, preview);
    }
    notices(ui, preview);
}

fn skipped(ui: &mut Ui, preview: &DatasetPreview) {
    let colors = palette(ui);
    let title = styled(words::skipped(preview.skipped), Type::Strong).color(colors.warning);
    CollapsingHeader::new(title)
        .id_salt(words::SKIPPED)
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = space::XS;
            for reason in preview.skipped_reasons.iter().take(MOST) {
                let rows = thousands(reason.rows as u64);
                ui.label(format!("{rows} × {}", excerpt(&reason.reason, CHARACTERS)));
            }
            for row in preview.skipped_rows.iter().take(MOST) {
                let place = format!("{}:{}", excerpt(&file_name(&row.path), 60), row.line);
                let line = format!("{place}: {}", excerpt(&row.reason, CHARACTERS));
                let response = caption(ui, line);
                if !row.hint.is_empty() {
                    response.on_hover_text(in_the_window(&row.hint));
                }
            }
            let named = preview.skipped_rows.len().min(MOST);
            if preview.skipped > named {
                caption(ui, words::more(preview.skipped - named));
            }
        });
}

fn notices(ui: &mut Ui, preview: &DatasetPreview) {
    let near = { preview.held_out.as_ref() }
        .filter(|held_out| held_out.near_duplicates > 0)
        .map(|held_out| {
            let first = held_out.first_near_duplicate.as_ref();
            words::near_duplicates(held_out.near_duplicates, first)
        });
    let own = { preview.notices.iter() }.map(|notice| in_the_window(notice));
    for notice in own.chain(near).take(MOST) {
        ui.horizontal_top(|ui| {
            let color = palette(ui).warning;
            ui.label(styled(icons::INFO, Type::Caption).color(color));
            ui.vertical(|ui| caption(ui, notice));
        });
    }
}
