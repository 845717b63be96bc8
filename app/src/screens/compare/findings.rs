//! What a comparison found: sentences, the table of figures, the charts.

use egui::{Grid, Label, ScrollArea, Ui, vec2};
use stepladder_protocol::VariantReport;

use super::super::Actions;
use super::{charts, methods};
use crate::state::State;
use crate::state::compare::found::Comparison;
use crate::text::{thousands, visible};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{Tone, banner, caption, card, empty, styled};
use crate::words::compare as words;

const NAMES: f32 = 128.0;
const COLUMN: f32 = 168.0;
/// The row of parameters.
const PARAMETERS: usize = 12;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, found: &Comparison, actions: &mut Actions) {
    if found.given() == 0 {
        empty(
            ui,
            icons::COMPARE,
            words::NO_ANSWERS,
            words::NO_ANSWERS_TEXT,
            |_| {},
        );
        return;
    }
    let matched = { found.report.as_ref() }.and_then(|report| report.matched.as_ref());
    if let Some(matched) = matched {
        methods::show(ui, matched);
    }
    card(ui, icons::TABLE, words::FIGURES, |ui| {
        sentences(ui, found);
        // Of methods it is said above.
        if found.sizes_differ() && matched.is_none() {
            banner(ui, Tone::Warning, words::SIZES_DIFFER, "", |_| {});
        }
        table(ui, found);
        caption(ui, words::FIGURES_HELP);
        if found.report.is_none() {
            caption(ui, words::FIGURES_SO_FAR);
        }
    });
    charts::show(ui, state, found, actions);
}

fn sentences(ui: &mut Ui, found: &Comparison) {
    let Some(baseline) = found.variants.get(found.baseline) else {
        return;
    };
    let baseline = visible(&baseline.name);
    // Of runs over many seeds the card of methods says more.
    if found
        .report
        .as_ref()
        .is_some_and(|report| report.matched.is_some())
    {
        return;
    }
    for place in found.others() {
        if let Some(figures) = found.figures.get(place) {
            let sentence = words::sentence(
                &visible(&figures.name),
                &baseline,
                figures.difference.as_ref(),
                figures.difference_both_right.as_ref(),
            );
            ui.label(styled(sentence, Type::Body));
        }
    }
}

fn table(ui: &mut Ui, found: &Comparison) {
    ScrollArea::horizontal().id_salt("figures").show(ui, |ui| {
        Grid::new("figures")
            .num_columns(found.figures.len() + 1)
            .min_row_height(20.0)
            .spacing(vec2(space::M, space::XS))
            .show(ui, |ui| {
                ui.label("");
                for (place, figures) in found.figures.iter().enumerate() {
                    ui.horizontal(|ui| {
                        charts::dot(ui, place);
                        let name = visible(&figures.name);
                        cell(ui, &name, Type::Strong, palette(ui).text);
                    });
                }
                ui.end_row();
                for (row, (name, help)) in words::FIGURE_ROWS.iter().enumerate() {
                    ui.scope(|ui| {
                        ui.set_min_width(NAMES);
                        caption(ui, *name).on_hover_text(*help);
                    });
                    for (place, figures) in found.figures.iter().enumerate() {
                        let is_baseline = place == found.baseline;
                        let (text, careful) = value(row, figures, is_baseline);
                        let careful = careful || (row == PARAMETERS && found.sizes_differ());
                        let colors = palette(ui);
                        let color = if careful { colors.warning } else { colors.text };
                        cell(ui, &text, Type::Body, color);
                    }
                    ui.end_row();
                }
            });
    });
}

/// What stands in a row of the table, and whether it is to be looked at.
fn value(row: usize, figures: &VariantReport, is_baseline: bool) -> (String, bool) {
    let number = |number: usize| thousands(number as u64);
    let careful = |count: usize| (number(count), count > 0);
    let difference = |found: Option<&stepladder_protocol::Difference>| match is_baseline {
        true => (words::UNKNOWN.to_owned(), false),
        false => (words::difference(found), false),
    };
    match row {
        0 => (words::accuracy(figures.accuracy), false),
        1 => (words::right_of(figures.right, figures.wrong), false),
        2 => (words::tokens(figures.median_reasoning_tokens), false),
        3 => (words::tokens(figures.mean_reasoning_tokens), false),
        4 => difference(figures.difference.as_ref()),
        5 => difference(figures.difference_both_right.as_ref()),
        6 => (number(figures.answered), false),
        7 => careful(figures.truncated),
        8 => careful(figures.no_answer),
        9 => careful(figures.empty_trace),
        10 => careful(figures.missing_trace),
        11 => {
            let share = figures.distinct_3;
            let text =
                share.map_or_else(|| words::UNKNOWN.to_owned(), |share| format!("{share:.2}"));
            (text, false)
        }
        PARAMETERS => match figures.parameters {
            0 => (words::UNKNOWN.to_owned(), false),
            size => (thousands(size), false),
        },
        _ => (thousands(figures.total_tokens), false),
    }
}

fn cell(ui: &mut Ui, text: &str, kind: Type, color: egui::Color32) {
    ui.scope(|ui| {
        ui.set_max_width(COLUMN);
        ui.add(Label::new(styled(text, kind).color(color)).truncate());
    });
}
