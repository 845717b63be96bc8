//! Buttons, by weight: one primary on a page, ordinary ones, quiet ones, links, and icons alone.

use egui::{Atom, Button, CornerRadius, Response, Role, Stroke, Ui, Vec2, WidgetInfo, vec2};

use super::focus::ring_radius;
use super::styled;
use crate::theme::size::PRIMARY_HEIGHT;
use crate::theme::{CONTROL_HEIGHT, CONTROL_RADIUS, ROW_RADIUS, Type, palette, space};

/// The one thing to do. `Err` is what is missing: the button says it and does nothing.
pub fn primary_button(ui: &mut Ui, label: Result<&str, &str>, min_width: f32) -> Response {
    let palette = palette(ui);
    let (text, enabled) = match label {
        Ok(text) => (text, true),
        Err(missing) => (missing, false),
    };
    let size = vec2(min_width, PRIMARY_HEIGHT);
    ui.scope(|ui| {
        let widgets = &mut ui.visuals_mut().widgets;
        for (visuals, fill) in [
            (&mut widgets.inactive, palette.accent),
            (&mut widgets.hovered, palette.accent_hover),
            (&mut widgets.active, palette.accent_hover),
            (&mut widgets.noninteractive, palette.hover),
        ] {
            visuals.weak_bg_fill = fill;
            visuals.bg_fill = fill;
            visuals.bg_stroke = Stroke::NONE;
            visuals.fg_stroke.color = palette.on_accent;
        }
        let color = if enabled {
            palette.on_accent
        } else {
            palette.muted
        };
        // The colors say it; egui would fade it beyond reading.
        ui.visuals_mut().disabled_alpha = 1.0;
        let label = styled(text, Type::Heading).color(color);
        let button = Button::new((Atom::grow(), label, Atom::grow()))
            .min_size(size)
            .corner_radius(CornerRadius::same(ROW_RADIUS));
        let button = match enabled {
            true => button,
            false => button
                .fill(palette.hover)
                .stroke(Stroke::new(1.0, palette.border)),
        };
        let response = ui.add_enabled(enabled, button);
        ring_radius(&response, ROW_RADIUS);
        response
    })
    .inner
}

/// An ordinary button, with an icon before its label unless that is empty.
pub fn button(ui: &mut Ui, icon: &str, label: &str) -> Response {
    let text = match icon {
        "" => label.to_owned(),
        icon => format!("{icon}  {label}"),
    };
    let response =
        ui.add(Button::new(styled(text, Type::Strong)).min_size(vec2(0.0, CONTROL_HEIGHT)));
    named(&response, label);
    response
}

/// A button without a frame until the pointer is on it.
pub fn quiet_button(ui: &mut Ui, icon: &str, label: &str) -> Response {
    let color = palette(ui).muted;
    let text = match icon {
        "" => label.to_owned(),
        icon => format!("{icon}  {label}"),
    };
    let response = ui.add(
        Button::new(styled(text, Type::Strong).color(color))
            .frame_when_inactive(false)
            .min_size(vec2(0.0, CONTROL_HEIGHT)),
    );
    named(&response, label);
    response
}

/// A button that reads as part of a sentence.
pub fn link_button(ui: &mut Ui, label: &str) -> Response {
    let color = palette(ui).accent;
    let button = Button::new(styled(label, Type::Strong).color(color))
        .frame(false)
        .min_size(Vec2::ZERO);
    let response = ui
        .add(button)
        .on_hover_cursor(egui::CursorIcon::PointingHand);
    named(&response, label);
    response
}

/// An icon alone; its label is what a screen reader says, and a hint under the pointer.
pub fn icon_button(ui: &mut Ui, icon: &str, label: &str) -> Response {
    let color = palette(ui).muted;
    let button = Button::new(styled(icon, Type::Body).color(color))
        .frame_when_inactive(false)
        .corner_radius(CornerRadius::same(CONTROL_RADIUS))
        .min_size(Vec2::splat(28.0));
    let response = ui
        .scope(|ui| {
            ui.spacing_mut().button_padding = vec2(space::XS, space::XS);
            ui.add(button)
        })
        .inner
        .on_hover_text(label);
    named(&response, label);
    response
}

fn named(response: &Response, label: &str) {
    let enabled = response.enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));
}
