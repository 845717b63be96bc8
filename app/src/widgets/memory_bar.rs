//! A bar of memory: what other programs take, hatched, then the parts of a run, and a line where the
//! device ends.

use egui::{
    Color32, CornerRadius, Rect, Response, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use crate::theme::palette;

/// What a bar shows, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct MemoryBar<'a> {
    /// What a screen reader says.
    pub label: &'a str,
    /// The length of the whole bar.
    pub scale: u64,
    /// What other programs take.
    pub others: u64,
    /// The parts, with their colors.
    pub parts: &'a [(u64, Color32)],
    /// Where the device ends, if that is known.
    pub end: Option<u64>,
}

const HEIGHT: f32 = 18.0;
const HATCH: f32 = 5.0;

/// Draws it over the whole width.
pub fn memory_bar(ui: &mut Ui, bar: &MemoryBar<'_>) -> Response {
    let palette = palette(ui);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, bar.label));
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let scale = bar.scale.max(1) as f64;
    let width = |bytes: u64| (f64::from(rect.width()) * (bytes as f64 / scale).min(1.0)) as f32;
    let painter = ui.painter().with_clip_rect(rect);
    painter.rect_filled(rect, CornerRadius::same(4), palette.hover);
    let mut left = rect.left();
    let part = |left: f32, bytes: u64| {
        Rect::from_min_max(
            pos2(left, rect.top()),
            pos2(left + width(bytes), rect.bottom()),
        )
    };
    if bar.others > 0 {
        let others = part(left, bar.others);
        painter.rect_filled(others, CornerRadius::ZERO, palette.others);
        let hatched = painter.with_clip_rect(others);
        let lines = ((others.width() + HEIGHT) / HATCH) as usize;
        for line in 0..=lines {
            let x = others.left() - HEIGHT + HATCH * line as f32;
            let ends = [pos2(x, others.bottom()), pos2(x + HEIGHT, others.top())];
            hatched.add(Shape::line_segment(ends, Stroke::new(1.0, palette.faint)));
        }
        left = others.right();
    }
    for (bytes, color) in bar.parts {
        let part = part(left, *bytes);
        painter.rect_filled(part, CornerRadius::ZERO, *color);
        left = part.right();
    }
    if let Some(end) = bar.end {
        let x = (rect.left() + width(end)).min(rect.right() - 1.0);
        let line = [pos2(x, rect.top()), pos2(x, rect.bottom())];
        painter.line_segment(line, Stroke::new(2.0, palette.text));
    }
    response
}

/// A small square of a color, for a legend.
pub fn swatch(ui: &mut Ui, color: Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
    ui.painter().rect_filled(rect, CornerRadius::same(2), color);
}
