//! What methods did that were trained alike, over all their seeds.

use egui::{Grid, ScrollArea, Ui, vec2};
use stepladder_protocol::{MatchedReport, MethodReport, Switch};

use crate::text::{bytes, thousands};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{Tone, banner, caption, card, styled};
use crate::words::compare as words;

/// Draws it.
pub fn show(ui: &mut Ui, matched: &MatchedReport) {
    card(ui, icons::BEST, words::METHODS, |ui| {
        match matched.parameters_match {
            true => {
                caption(ui, words::SIZES_MATCH);
            }
            false => banner(ui, Tone::Warning, words::SIZES_DO_NOT_MATCH, "", |_| {}),
        }
        table(ui, "methods", &words::METHOD_COLUMNS, |ui| {
            for method in &matched.methods {
                ui.label(styled(method.method.title(), Type::Strong));
                for text in [
                    thousands(method.parameters),
                    words::share_interval(method.accuracy.as_ref()),
                    words::interval(method.reasoning_tokens.as_ref()),
                    words::difference_interval(method.difference.as_ref()),
                    words::difference_interval(method.difference_both_right.as_ref()),
                ] {
                    ui.label(styled(text, Type::Body));
                }
                for way in [Switch::Off, Switch::On] {
                    peak(ui, method, way);
                }
                ui.end_row();
            }
        });
        if !matched.pairs.is_empty() {
            ui.heading(styled(words::METHOD_PAIRS, Type::Strong));
        }
        table(ui, "method-pairs", &words::PAIR_COLUMNS, |ui| {
            for pair in &matched.pairs {
                let name = words::method_pair(pair.method, pair.against);
                ui.label(styled(name, Type::Strong));
                for text in [
                    words::points_interval(pair.accuracy.as_ref()),
                    words::difference_interval(pair.reasoning_tokens.as_ref()),
                    words::difference_interval(pair.reasoning_tokens_both_right.as_ref()),
                ] {
                    ui.label(styled(text, Type::Body));
                }
                ui.end_row();
            }
        });
        caption(ui, words::METHODS_HELP);
    });
}

/// The memory of training with activations kept or recomputed; that of its runs comes first.
fn peak(ui: &mut Ui, method: &MethodReport, recompute: Switch) {
    let found = method
        .peaks
        .iter()
        .position(|peak| peak.recompute == recompute);
    let measured = found.and_then(|place| method.peaks[place].measured_bytes);
    let text = measured.map_or_else(|| words::UNKNOWN.to_owned(), bytes);
    let style = match found {
        Some(0) => Type::Strong,
        _ => Type::Body,
    };
    ui.label(styled(text, style));
}

fn table(ui: &mut Ui, name: &str, columns: &[&str], rows: impl FnOnce(&mut Ui)) {
    ScrollArea::horizontal().id_salt(name).show(ui, |ui| {
        Grid::new(name)
            .num_columns(columns.len())
            .min_row_height(22.0)
            .spacing(vec2(space::M, space::XS))
            .show(ui, |ui| {
                for column in columns {
                    let color = palette(ui).muted;
                    ui.label(styled(*column, Type::Caption).color(color));
                }
                ui.end_row();
                rows(ui);
            });
    });
}
