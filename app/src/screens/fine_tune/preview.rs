//! What will be trained: examples as the model sees them, their lengths, and the account of all rows.

use egui::{Align, Layout, Margin, ScrollArea, Ui};
use stepladder_protocol::DatasetPreview;

use super::super::Actions;
use super::{columns, example_view, histogram};
use crate::state::State;
use crate::text::thousands;
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{caption, empty, follow_focus, progress, styled};
use crate::words::fine_tune as words;

/// How strongly something is drawn that is about to change.
const OUTDATED: f32 = 0.5;

/// Draws it over all the room there is.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let margin = Margin::same(space::L as i8);
    let height = ui.available_height();
    ScrollArea::vertical()
        .id_salt("preview")
        .auto_shrink(false)
        .content_margin(margin)
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = space::M;
            let colors = palette(ui);
            ui.horizontal(|ui| {
                ui.label(styled(icons::SHOW, Type::Heading).color(colors.accent));
                ui.heading(styled(words::PREVIEW, Type::Heading));
            });
            let setup = &state.setup;
            let Some(preview) = { setup.dataset.preview.as_ref() }.filter(|preview| {
                preview.complete || !setup.examples.at_hand.is_empty() || setup.examples.from > 1
            }) else {
                let text = match setup.is_reading() {
                    true => words::READING,
                    false => words::NO_PREVIEW_HELP,
                };
                empty(ui, icons::TEXT_FILE, words::NO_PREVIEW, text, |_| {});
                return;
            };
            if preview.complete && preview.examples == 0 && !setup.dataset.outdated {
                let text = words::NO_EXAMPLES_HELP;
                empty(ui, icons::TEXT_FILE, words::NO_EXAMPLES, text, |_| {});
                ui.separator();
                return counts(ui, preview);
            }
            if setup.dataset.outdated {
                match setup.is_reading() {
                    true => drop(progress(ui, words::READING, None)),
                    false => drop(caption(ui, words::OUTDATED)),
                }
                ui.multiply_opacity(OUTDATED);
            }
            example_view::show(ui, state, preview, height * 0.46, actions);
            if let Some(lengths) = &preview.lengths {
                ui.separator();
                histogram::show(ui, lengths);
            }
            ui.separator();
            counts(ui, preview);
            follow_focus(ui);
        });
}

fn counts(ui: &mut Ui, preview: &DatasetPreview) {
    let colors = palette(ui);
    ui.label(styled(words::COUNTS, Type::Strong));
    let lengths = preview.lengths.as_ref();
    let number = |number: usize| Some(thousands(number as u64));
    let traces = { preview.traces.as_ref() }
        .filter(|traces| traces.with_trace + traces.empty + traces.unclosed > 0)
        .map(|traces| words::of(traces.with_trace, traces.answers));
    let above_zero = |count: usize| Some(count).filter(|count| *count > 0).and_then(number);
    let values = [
        number(preview.rows),
        number(preview.examples),
        { preview.held_out.as_ref() }.and_then(|held_out| number(held_out.examples)),
        above_zero(preview.skipped),
        above_zero(preview.duplicates),
        lengths.and_then(|lengths| number(lengths.total)),
        lengths.and_then(|lengths| number(lengths.trained)),
        lengths.and_then(|lengths| above_zero(lengths.cut)),
        lengths.and_then(|lengths| above_zero(lengths.split)),
        traces,
    ];
    let rows: Vec<(&str, String)> = { words::COUNT_NAMES.into_iter().zip(values) }
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let count = columns::that_fit(ui, 150.0, 2);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        ui.spacing_mut().interact_size.y = 18.0;
        columns::grid(ui, count, &rows, |ui, (name, value)| {
            ui.horizontal(|ui| {
                ui.label(styled(*name, Type::Caption).color(colors.muted));
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.label(styled(value, Type::Body));
                });
            });
        });
    });
    if !preview.complete {
        caption(ui, words::SO_FAR);
    }
}
