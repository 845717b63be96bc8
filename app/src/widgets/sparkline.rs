//! The course of a figure in the size of a word.

use egui::{Color32, Pos2, Rect, Stroke, Ui, pos2};

/// Draws it into `rect`; fewer than two points are no course.
pub fn paint_sparkline(ui: &Ui, rect: Rect, values: &[f32], color: Color32) {
    if values.len() < 2 || !ui.is_rect_visible(rect) {
        return;
    }
    let lowest = values.iter().copied().fold(f32::INFINITY, f32::min);
    let highest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let span = highest - lowest;
    let points: Vec<Pos2> = { values.iter().enumerate() }
        .map(|(place, value)| {
            let x = place as f32 / (values.len() - 1) as f32;
            let y = if span > 0.0 {
                (value - lowest) / span
            } else {
                0.5
            };
            pos2(
                egui::lerp(rect.left()..=rect.right(), x),
                egui::lerp(rect.bottom()..=rect.top(), y),
            )
        })
        .collect();
    let end = points[points.len() - 1];
    ui.painter().line(points, Stroke::new(1.25, color));
    ui.painter().circle_filled(end, 2.0, color);
}
