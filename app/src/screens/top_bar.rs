//! The bar above every page: its name, and the device chip with its free memory.

use egui::{Align, CornerRadius, Frame, Layout, Margin, Role, Stroke, Ui, WidgetInfo, vec2};

use super::Actions;
use crate::state::State;
use crate::state::device::{card_shown, shown};
use crate::text::visible;
use crate::theme::{Type, icons, palette};
use crate::widgets::{share_bar, styled};
use crate::words::{self, shell};

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, _actions: &mut Actions) {
    ui.horizontal_centered(|ui| {
        ui.label(styled(words::page(state.page), Type::Title));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| device(ui, state));
    });
}

fn device(ui: &mut Ui, state: &State) {
    let colors = palette(ui);
    let report = state.device.report.as_ref();
    let device = state.device.named(&state.settings.device);
    let chip = Frame::NONE
        .fill(colors.surface)
        .stroke(Stroke::new(1.0, colors.border))
        .corner_radius(CornerRadius::same(crate::theme::size::CHIP_RADIUS))
        .inner_margin(Margin::symmetric(12, 4));
    let response = chip.show(ui, |ui| {
        // As tall as its text, not as what is pressed: it fits between the edges of the bar.
        ui.spacing_mut().interact_size.y = 22.0;
        ui.set_height(22.0);
        // It stands at the right edge and grows to the left, so its parts come last first.
        ui.horizontal(|ui| {
            let Some(device) = device else {
                let text = match (report, &state.device.problem) {
                    (Some(report), _) if !report.devices.is_empty() => {
                        shell::device_gone(&visible(&state.settings.device))
                    }
                    (Some(_), _) | (None, Some(_)) => shell::NO_DEVICE.to_owned(),
                    (None, None) => shell::LOOKING_FOR_DEVICE.to_owned(),
                };
                ui.label(styled(&text, Type::Strong).color(colors.muted));
                ui.label(styled(icons::DEVICE, Type::Body).color(colors.muted));
                return text;
            };
            let name = visible(&device.name);
            let memory = shell::memory(
                &shown(device.memory_free_bytes),
                &shown(device.memory_total_bytes),
            );
            let total = device.memory_total_bytes.max(1) as f32;
            let used = 1.0 - device.memory_free_bytes as f32 / total;
            ui.label(styled(&memory, Type::Caption).color(colors.muted));
            let bar = vec2(64.0, ui.available_height());
            ui.allocate_ui_with_layout(bar, Layout::left_to_right(Align::Center), |ui| {
                share_bar(ui, &memory, 6.0, &[(used, colors.accent)]);
            });
            ui.add(egui::Label::new(styled(&name, Type::Strong)).truncate());
            ui.label(styled(icons::DEVICE, Type::Body).color(colors.accent));
            format!("{name}, {memory}")
        })
        .inner
    });
    let text = response.inner;
    let response = response.response.interact(egui::Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Status, true, &text));
    if let Some(problem) = &state.device.problem {
        response.on_hover_text(visible(&problem.message));
    } else if let Some(card) = device.and_then(card_shown) {
        response.on_hover_text(visible(&card));
    } else if let Some(report) = report
        && !report.notices.is_empty()
    {
        response.on_hover_text(visible(&report.notices.join(" ")));
    }
}
