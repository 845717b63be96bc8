//! How far something has come, and what a whole is made of.

use egui::{Color32, CornerRadius, Rect, Response, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use crate::theme::palette;

/// A bar; none for how far, while nobody knows. `label` is what a screen reader says.
pub fn progress(ui: &mut Ui, label: &str, share: Option<f32>) -> Response {
    let palette = palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 6.0), Sense::hover());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, label);
        info.value = share.map(f64::from);
        info
    });
    if ui.is_rect_visible(rect) {
        let radius = CornerRadius::same(3);
        ui.painter().rect_filled(rect, radius, palette.hover);
        let (from, to) = match share {
            Some(share) => (0.0, share.clamp(0.0, 1.0)),
            None => {
                ui.ctx().request_repaint_after_secs(0.05);
                let at = (ui.input(|input| input.time) * 0.6).fract() as f32;
                (at * 1.3 - 0.3, at * 1.3)
            }
        };
        let x = |share: f32| rect.left() + rect.width() * share.clamp(0.0, 1.0);
        let filled = Rect::from_min_max(pos2(x(from), rect.top()), pos2(x(to), rect.bottom()));
        ui.painter().rect_filled(filled, radius, palette.accent);
    }
    response
}

/// Parts of a whole beside each other, each a share of the width.
pub fn share_bar(ui: &mut Ui, label: &str, height: f32, parts: &[(f32, Color32)]) -> Response {
    let palette = palette(ui);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, label));
    if ui.is_rect_visible(rect) {
        let painter = ui.painter().with_clip_rect(rect);
        painter.rect_filled(rect, CornerRadius::same(4), palette.hover);
        let mut left = rect.left();
        for (share, color) in parts {
            let right = left + rect.width() * share.max(0.0);
            let part = Rect::from_min_max(pos2(left, rect.top()), pos2(right, rect.bottom()));
            painter.rect_filled(part, CornerRadius::ZERO, *color);
            left = right;
        }
    }
    response
}
