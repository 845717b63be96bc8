//! What lies over the window while files are held above it.

use egui::{Align2, Area, CornerRadius, Id, Order, Role, Sense, Stroke, Ui, WidgetInfo};

use crate::state::{Page, State};
use crate::theme::size::{OVERLAY_ICON, OVERLAY_LINE, OVERLAY_RADIUS};
use crate::theme::{Type, icons, palette, space};
use crate::words::{compare, shell};

/// Draws it, if files are held there.
pub fn show(ui: &mut Ui, state: &State) {
    if ui.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let is_compared = state.page == Page::Compare && state.compare.takes_files();
    let help = match is_compared {
        true => compare::DROP_HELP,
        false => shell::DROP_HELP,
    };
    let palette = palette(ui);
    let screen = ui.ctx().content_rect();
    Area::new(Id::unique("drop overlay"))
        .order(Order::Foreground)
        .fixed_pos(screen.min)
        .show(ui.ctx(), |ui| {
            let (_, response) = ui.allocate_exact_size(screen.size(), Sense::hover());
            response.widget_info(|| {
                let label = format!("{}. {}", shell::DROP_HERE, help);
                WidgetInfo::labeled(Role::Status, true, label)
            });
            let painter = ui.painter();
            painter.rect_filled(
                screen,
                CornerRadius::ZERO,
                palette.background.gamma_multiply(0.86),
            );
            let zone = screen.shrink(space::XL);
            painter.rect_stroke(
                zone,
                CornerRadius::same(OVERLAY_RADIUS),
                Stroke::new(OVERLAY_LINE, palette.accent),
                egui::StrokeKind::Inside,
            );
            let style = ui.style();
            let mut below = zone.center().y - OVERLAY_ICON;
            let mut line = |text: &str, font: egui::FontId, color| {
                let at = egui::pos2(zone.center().x, below);
                let drawn = painter.text(at, Align2::CENTER_TOP, text, font, color);
                below = drawn.bottom() + space::S;
            };
            let font = |kind: Type| kind.style().resolve(style);
            let icon = egui::FontId::new(OVERLAY_ICON, font(Type::Body).family);
            line(icons::DROP, icon, palette.accent);
            line(shell::DROP_HERE, font(Type::Title), palette.text);
            line(help, font(Type::Body), palette.muted);
        });
}
