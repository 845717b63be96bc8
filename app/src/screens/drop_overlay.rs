//! What lies over the window while files are held above it.

use egui::{Align2, Area, CornerRadius, Id, Order, Sense, Stroke, Ui};

use crate::theme::{Type, icons, palette, space};
use crate::words::shell;

/// Draws it, if files are held there.
pub fn show(ui: &mut Ui) {
    if ui.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let palette = palette(ui);
    let screen = ui.ctx().content_rect();
    Area::new(Id::unique("drop overlay"))
        .order(Order::Foreground)
        .fixed_pos(screen.min)
        .show(ui.ctx(), |ui| {
            ui.allocate_exact_size(screen.size(), Sense::hover());
            let painter = ui.painter();
            painter.rect_filled(
                screen,
                CornerRadius::ZERO,
                palette.background.gamma_multiply(0.86),
            );
            let zone = screen.shrink(space::XL);
            painter.rect_stroke(
                zone,
                CornerRadius::same(16),
                Stroke::new(2.0, palette.accent),
                egui::StrokeKind::Inside,
            );
            let style = ui.style();
            let line = |offset: f32, text: &str, kind: Type, size: f32, color| {
                let mut font = kind.style().resolve(style);
                font.size = size;
                let at = zone.center() + egui::vec2(0.0, offset);
                painter.text(at, Align2::CENTER_CENTER, text, font, color);
            };
            line(-44.0, icons::DROP, Type::Body, 40.0, palette.accent);
            line(6.0, shell::DROP_HERE, Type::Title, 22.0, palette.text);
            line(36.0, shell::DROP_HELP, Type::Body, 14.0, palette.muted);
        });
}
