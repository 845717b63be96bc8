//! How long the examples are, and where the context ends.

use egui::Ui;
use stepladder_protocol::TokenLengths;

use super::columns;
use crate::text::thousands;
use crate::theme::{Type, palette, space};
use crate::widgets::{Bar, caption, histogram, one_line, styled};
use crate::words::fine_tune as words;

/// Draws it.
pub fn show(ui: &mut Ui, lengths: &TokenLengths) {
    ui.horizontal(|ui| {
        ui.label(styled(words::LENGTHS, Type::Strong));
        caption(ui, words::context_line(lengths.context));
    });
    let bars: Vec<Bar> = { lengths.histogram.iter() }
        .map(|range| Bar {
            from: range.from,
            to: range.to,
            count: range.examples,
        })
        .collect();
    let TokenLengths {
        shortest,
        median,
        p90,
        p95,
        p99,
        longest,
        context,
        ..
    } = *lengths;
    let label = words::histogram(shortest, median, longest, context);
    histogram(ui, &label, 84.0, &bars, context, |bar| {
        words::range(bar.from, bar.to, bar.count)
    });
    let values = [shortest, median, p90, p95, p99, longest];
    let facts: Vec<(&str, usize)> = words::PERCENTILES.into_iter().zip(values).collect();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        let count = columns::that_fit(ui, 48.0, 6);
        columns::grid(
            ui,
            if count < 6 { 3 } else { 6 },
            &facts,
            |ui, (name, value)| {
                ui.spacing_mut().item_spacing.y = 0.0;
                let faint = palette(ui).faint;
                one_line(ui, styled(*name, Type::Caption).color(faint));
                one_line(ui, styled(thousands(*value as u64), Type::Body));
            },
        );
    });
}
