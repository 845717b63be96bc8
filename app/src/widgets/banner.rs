//! A sentence that must not be overlooked, with what can be done about it.

use egui::{Align, CornerRadius, Frame, Layout, Margin, Ui, vec2};

use super::badge::Tone;
use super::{caption, styled};
use crate::theme::{CONTROL_RADIUS, Type, icons, palette, space};

/// Shows what happened, what to do, and buttons.
pub fn banner<R>(
    ui: &mut Ui,
    tone: Tone,
    message: &str,
    hint: &str,
    actions: impl FnOnce(&mut Ui) -> R,
) -> R {
    let palette = palette(ui);
    let icon = match tone {
        Tone::Neutral | Tone::Accent => icons::INFO,
        Tone::Success => icons::DONE,
        Tone::Warning => icons::WARNING,
        Tone::Danger => icons::ALERT,
    };
    Frame::NONE
        .fill(tone.soft(palette))
        .corner_radius(CornerRadius::same(CONTROL_RADIUS))
        .inner_margin(Margin::symmetric(12, 10))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal_top(|ui| {
                ui.label(styled(icon, Type::Body).color(tone.color(palette)));
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = space::XS;
                    ui.label(styled(message, Type::Body).color(palette.text));
                    if !hint.is_empty() {
                        caption(ui, hint);
                    }
                    // No taller than what is in it: there may be nothing to do.
                    let line = vec2(ui.available_width(), 0.0);
                    let wrapped = Layout::left_to_right(Align::Center).with_main_wrap(true);
                    ui.allocate_ui_with_layout(line, wrapped, actions).inner
                })
                .inner
            })
            .inner
        })
        .inner
}
