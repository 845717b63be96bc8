//! Runs over each other: their curves, what differed between them, and which came out best.

use egui::{Margin, ScrollArea, Ui};

use super::curves::{color_of, dot, grid};
use super::{Actions, look, name};
use crate::state::State;
use crate::state::runs::comparison::Difference;
use crate::state::runs::run::Run;
use crate::state::runs::view::ViewAction;
use crate::text::{bytes, clock};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{button, caption, follow_focus, sheet, styled};
use crate::words::runs as words;

const COLUMN: f32 = 150.0;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let runs = state.runs.ticked();
    ScrollArea::vertical()
        .id_salt("comparison")
        .auto_shrink(false)
        .show(ui, |ui| {
            sheet(ui)
                .inner_margin(Margin::same(space::L as i8))
                .show(ui, |ui| {
                    ui.set_width(ui.available_width());
                    ui.horizontal(|ui| {
                        ui.heading(styled(words::comparing(runs.len()), Type::Title));
                        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                            if button(ui, icons::CLOSE, words::TICK_NONE).clicked() {
                                actions.push(look(ViewAction::TickNone));
                            }
                        });
                    });
                    caption(ui, words::COMPARING_HELP);
                    ui.horizontal_wrapped(|ui| {
                        for (place, run) in runs.iter().enumerate() {
                            dot(ui, color_of(ui, place));
                            ui.label(styled(name(run), Type::Body));
                            ui.add_space(space::S);
                        }
                    });
                });
            ui.add_space(space::M);
            grid(ui, &state.runs.view, &runs, actions);
            table(ui, &runs, &state.runs.tables.differences);
            follow_focus(ui);
        });
}

fn table(ui: &mut Ui, runs: &[&Run], differences: &[Difference]) {
    sheet(ui)
        .inner_margin(Margin::same(space::L as i8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.heading(styled(words::DIFFERENCES, Type::Heading));
            if differences.is_empty() {
                caption(ui, words::NO_DIFFERENCES);
            }
            ScrollArea::horizontal()
                .id_salt("differences")
                .show(ui, |ui| {
                    egui::Grid::new("differences")
                        .num_columns(runs.len() + 1)
                        .spacing(egui::vec2(space::L, space::S))
                        .show(ui, |ui| {
                            ui.label("");
                            for (place, run) in runs.iter().enumerate() {
                                ui.horizontal(|ui| {
                                    dot(ui, color_of(ui, place));
                                    cell(ui, name(run), Type::Strong);
                                });
                            }
                            ui.end_row();
                            results(ui, runs);
                            for difference in differences {
                                caption(ui, &difference.label);
                                for value in &difference.values {
                                    cell(ui, value.text(), Type::Body);
                                }
                                ui.end_row();
                            }
                        });
                });
        });
}

fn results(ui: &mut Ui, runs: &[&Run]) {
    let best = { runs.iter() }
        .filter_map(|run| run.best())
        .fold(f64::INFINITY, f64::min);
    caption(ui, words::RESULT_LOSS);
    for run in runs {
        let text = run.best().map_or(words::UNKNOWN.to_owned(), words::short);
        let is_best = run.best() == Some(best);
        ui.horizontal(|ui| {
            cell(ui, &text, if is_best { Type::Strong } else { Type::Body });
            if is_best {
                ui.label(styled(icons::BEST, Type::Body).color(palette(ui).warning))
                    .on_hover_text(words::BEST_OF_THESE);
            }
        });
    }
    ui.end_row();
    let mut line = |title: &str, text: &dyn Fn(&Run) -> Option<String>| {
        caption(ui, title);
        for run in runs {
            let text = text(run).unwrap_or_else(|| words::UNKNOWN.to_owned());
            cell(ui, &text, Type::Body);
        }
        ui.end_row();
    };
    line(words::RESULT_STEPS, &|run| {
        let (step, total) = run.steps();
        Some(words::step_of(step, total))
    });
    line(words::RESULT_TIME, &|run| run.elapsed().map(clock));
    line(words::RESULT_MEMORY, &|run| {
        run.memory()?.measured_peak_bytes.map(bytes)
    });
}

fn cell(ui: &mut Ui, text: &str, kind: Type) {
    ui.scope(|ui| {
        ui.set_max_width(COLUMN);
        ui.add(egui::Label::new(styled(text, kind)).truncate());
    });
}
