//! Cards: what belongs together, under a name.

use egui::{Align, CornerRadius, Frame, Layout, Margin, Stroke, Ui};

use super::styled;
use crate::theme::{CARD_RADIUS, Type, palette, space};

/// A card with an icon and a name.
pub fn card<R>(ui: &mut Ui, icon: &str, title: &str, content: impl FnOnce(&mut Ui) -> R) -> R {
    card_with(ui, icon, title, |_| {}, content)
}

/// The same with something at the right of its name.
pub fn card_with<R>(
    ui: &mut Ui,
    icon: &str,
    title: &str,
    right: impl FnOnce(&mut Ui),
    content: impl FnOnce(&mut Ui) -> R,
) -> R {
    let palette = palette(ui);
    Frame::NONE
        .fill(palette.surface)
        .stroke(Stroke::new(1.0, palette.border))
        .corner_radius(CornerRadius::same(CARD_RADIUS))
        .inner_margin(Margin::same(space::L as i8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = space::M;
            ui.horizontal(|ui| {
                ui.label(styled(icon, Type::Heading).color(palette.accent));
                ui.heading(styled(title, Type::Heading));
                ui.with_layout(Layout::right_to_left(Align::Center), right);
            });
            content(ui)
        })
        .inner
}

/// A card that fills its place.
pub fn sheet(ui: &Ui) -> Frame {
    let colors = palette(ui);
    Frame::NONE
        .fill(colors.surface)
        .stroke(Stroke::new(1.0, colors.border))
        .corner_radius(CornerRadius::same(CARD_RADIUS))
        .inner_margin(Margin::same(space::S as i8))
}
