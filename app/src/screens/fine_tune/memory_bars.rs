//! A bar for each method against the device; pressing one chooses its method.

use egui::{Align, CornerRadius, Frame, Layout, Margin, Role, Sense, Ui, WidgetInfo, vec2};
use stepladder_protocol::{MemoryReport, Method, MethodEstimate, Verdict};

use super::super::Actions;
use super::act;
use crate::state::setup::SetupAction;
use crate::state::setup::choice::Choice as Chosen;
use crate::state::setup::memory::METHODS;
use crate::text::bytes;
use crate::theme::{CONTROL_RADIUS, Type, palette, space};
use crate::widgets::{MemoryBar, Tone, badge, memory_bar, styled};
use crate::words::fine_tune as words;

/// Room for names, bytes and badges.
const NAME: f32 = 60.0;
const BYTES: f32 = 74.0;
const BADGE: f32 = 92.0;

/// Draws them.
pub fn show(ui: &mut Ui, report: &MemoryReport, chosen: Method, actions: &mut Actions) {
    let needs = report.methods.iter().map(|method| {
        let others = report.other_programs_bytes;
        method.total_bytes.saturating_add(others)
    });
    // A device that is far larger than any run would leave nothing to see.
    let largest = needs.max().unwrap_or(1).max(1);
    let memory = report.memory_bytes.unwrap_or(largest);
    let scale = largest.max(memory.min(largest.saturating_mul(4)));
    let end = report.memory_bytes.filter(|memory| *memory <= scale);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for method in METHODS {
            let Some(estimate) = { report.methods.iter() }.find(|one| one.method == method) else {
                continue;
            };
            let shown = Shown {
                estimate,
                scale,
                end,
                others: report.other_programs_bytes,
            };
            if row(ui, &shown, method == chosen) && method != chosen {
                act(actions, SetupAction::Choose(Chosen::Method(method)));
            }
        }
    });
}

struct Shown<'a> {
    estimate: &'a MethodEstimate,
    scale: u64,
    end: Option<u64>,
    others: u64,
}

/// Whether the row was pressed.
fn row(ui: &mut Ui, shown: &Shown<'_>, is_chosen: bool) -> bool {
    let colors = palette(ui);
    let Shown { estimate, .. } = shown;
    let fill = match is_chosen {
        true => colors.accent_soft,
        false => egui::Color32::TRANSPARENT,
    };
    let frame = Frame::NONE
        .fill(fill)
        .corner_radius(CornerRadius::same(CONTROL_RADIUS))
        .inner_margin(Margin::symmetric(8, 5));
    let drawn = frame.show(ui, |ui| {
        ui.style_mut().interaction.selectable_labels = false;
        ui.spacing_mut().item_spacing.x = space::S;
        ui.horizontal(|ui| {
            ui.set_height(22.0);
            cell(ui, NAME, |ui| {
                ui.label(styled(estimate.method.title(), Type::Strong));
            });
            let rest = BYTES + BADGE + 2.0 * space::S;
            let width = (ui.available_width() - rest).max(40.0);
            ui.allocate_ui_with_layout(
                vec2(width, 22.0),
                Layout::left_to_right(Align::Center),
                |ui| bar(ui, shown),
            );
            cell(ui, BYTES, |ui| {
                ui.label(styled(bytes(estimate.total_bytes), Type::Body));
            });
            cell(ui, BADGE, |ui| verdict(ui, estimate.verdict));
        });
    });
    let id = ui.scope_id().with(("memory", estimate.method.name()));
    let response = ui.interact(drawn.response.rect, id, Sense::click());
    response.widget_info(|| {
        let word = estimate.verdict.map_or("", words::verdict);
        let label = words::bar_choice(estimate.method, estimate.total_bytes, word);
        WidgetInfo::selected(Role::RadioButton, true, is_chosen, label)
    });
    response.clicked()
}

fn cell(ui: &mut Ui, width: f32, content: impl FnOnce(&mut Ui)) {
    ui.allocate_ui_with_layout(
        vec2(width, 22.0),
        Layout::left_to_right(Align::Center),
        |ui| {
            ui.set_min_width(width);
            content(ui);
        },
    );
}

fn bar(ui: &mut Ui, shown: &Shown<'_>) {
    let colors = palette(ui);
    let estimate = shown.estimate;
    let named = estimate.parts.named();
    let mut parts = [(0, colors.others); 7];
    for (part, ((_, bytes), color)) in parts.iter_mut().zip(named.into_iter().zip(colors.parts)) {
        *part = (bytes, color);
    }
    let word = estimate.verdict.map_or("", words::verdict);
    memory_bar(
        ui,
        &MemoryBar {
            label: &words::bar(estimate.method, estimate.total_bytes, word),
            scale: shown.scale,
            others: shown.others,
            parts: &parts,
            end: shown.end,
        },
    );
}

fn verdict(ui: &mut Ui, verdict: Option<Verdict>) {
    let Some(verdict) = verdict else {
        return;
    };
    let tone = match verdict {
        Verdict::Fits => Tone::Success,
        Verdict::Tight => Tone::Warning,
        Verdict::DoesNotFit => Tone::Danger,
    };
    badge(ui, words::verdict(verdict), tone);
}
