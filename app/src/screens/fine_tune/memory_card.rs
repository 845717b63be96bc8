//! The memory: each method against the device, what the chosen one is made of, and the ways out.

use egui::Ui;
use stepladder_protocol::{MemoryParts, MemoryReport, MethodEstimate, Verdict};

use super::super::Actions;
use super::{act, columns, memory_bars};
use crate::state::State;
use crate::state::setup::SetupAction;
use crate::text::{bytes, excerpt};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{
    Tone, banner, button, caption, card, link_button, one_line, progress, styled, swatch,
};
use crate::words::fine_tune as words;

/// Sentences that are drawn, and characters of each.
const MOST: usize = 6;
const CHARACTERS: usize = 300;
/// How strongly a plan is drawn that is about to change.
const OUTDATED: f32 = 0.6;

/// Draws the card.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    card(ui, icons::MEMORY, words::MEMORY, |ui| {
        let setup = &state.setup;
        if setup.is_planning() && setup.memory.report.is_none() {
            progress(ui, words::PLANNING, None);
        }
        match (&setup.memory.report, &setup.memory.problem) {
            _ if setup.model.problem.is_some() => {
                caption(ui, words::NO_PLAN);
            }
            (_, Some(problem)) => {
                let message = excerpt(&problem.message, 600);
                banner(ui, Tone::Danger, &message, &words::hint(problem), |ui| {
                    if link_button(ui, words::TRY_AGAIN).clicked() {
                        act(actions, SetupAction::AskAgain);
                    }
                });
            }
            (Some(report), None) => {
                ui.scope(|ui| {
                    if setup.is_planning() {
                        ui.multiply_opacity(OUTDATED);
                    }
                    plan(ui, state, report, actions);
                });
            }
            (None, None) => {}
        }
    });
}

fn plan(ui: &mut Ui, state: &State, report: &MemoryReport, actions: &mut Actions) {
    if let Some(memory) = report.memory_bytes {
        let others = report.other_programs_bytes;
        caption(ui, words::device_memory(&report.device, memory, others));
    }
    if let Some(tokens) = state.setup.longest_row() {
        caption(
            ui,
            words::planned_for(state.setup.config.batch_size, tokens),
        );
    }
    let chosen = state.setup.config.method;
    memory_bars::show(ui, report, chosen, actions);
    ways_out(ui, state, actions);
    if let Some(estimate) = state.setup.memory.of(chosen) {
        breakdown(ui, report, estimate);
    }
    // Switches are offered above, to be pressed.
    let is_plain = |sentence: &&String| !sentence.contains("--");
    for sentence in report.advice.iter().filter(is_plain).take(MOST) {
        caption(ui, excerpt(sentence, CHARACTERS));
    }
    if !report.constants_measured && report.device != "cpu" {
        caption(ui, words::ASSUMED);
    }
}

fn ways_out(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let memory = &state.setup.memory;
    let ways = &memory.ways_out;
    if ways.is_empty() {
        let verdict = { memory.of(state.setup.config.method) }.and_then(|plan| plan.verdict);
        if verdict == Some(Verdict::DoesNotFit) {
            caption(ui, words::NO_WAY_OUT);
        }
        return;
    }
    ui.label(styled(words::WAYS_OUT, Type::Strong));
    ui.horizontal_wrapped(|ui| {
        for (place, way) in ways.iter().enumerate() {
            if button(ui, icons::FAST, &words::way_out(way)).clicked() {
                act(actions, SetupAction::WayOut(place));
            }
        }
    });
}

/// The legend, with the bytes of the chosen method.
fn breakdown(ui: &mut Ui, report: &MemoryReport, estimate: &MethodEstimate) {
    let colors = palette(ui);
    let title = format!(
        "{} · {}",
        estimate.method.title(),
        words::BREAKDOWN.to_lowercase()
    );
    ui.horizontal(|ui| {
        ui.label(styled(title, Type::Strong));
        let peak = excerpt(&estimate.peak_moment, 100);
        one_line(ui, styled(peak, Type::Caption).color(colors.muted));
    });
    let parts: &MemoryParts = &estimate.parts;
    let mut entries: Vec<(String, u64, egui::Color32)> = { parts.named().into_iter() }
        .zip(colors.parts)
        .map(|((name, bytes), color)| (words::part(name).to_owned(), bytes, color))
        .collect();
    if report.other_programs_bytes > 0 {
        let others = report.other_programs_bytes;
        entries.push((words::OTHER_PROGRAMS.to_owned(), others, colors.others));
    }
    let count = columns::that_fit(ui, 120.0, 4);
    columns::grid(ui, count, &entries, |ui, (name, amount, color)| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS + 2.0;
            swatch(ui, *color);
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                one_line(ui, styled(name, Type::Caption).color(colors.muted));
                one_line(ui, styled(bytes(*amount), Type::Body));
            });
        });
    });
    let reach = words::reach(estimate.longest_context, estimate.largest_batch);
    if !reach.is_empty() {
        caption(ui, reach);
    }
}
