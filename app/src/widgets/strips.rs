//! Distributions beside each other: for each a strip of dots, the box of its middle half and a line at
//! its median, over a common axis.

use egui::{
    Align2, Color32, CornerRadius, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo,
    pos2, vec2,
};

use super::axis::round_marks;
use crate::theme::{Type, palette};

/// Height of a strip.
const STRIP: f32 = 46.0;
/// Below them, for the axis.
const BELOW: f32 = 38.0;
/// Names take at most this part of the width.
const NAMES: f32 = 0.26;
/// More dots than this say no more.
const MOST_DOTS: usize = 2000;

/// A distribution.
pub struct Strip<'a> {
    /// Whose it is.
    pub name: &'a str,
    /// Its color.
    pub color: Color32,
    /// Its values, least first.
    pub values: &'a [usize],
    /// Lower quarter, middle, upper quarter; none without values.
    pub quarters: Option<[f64; 3]>,
}

/// The least height of so many of them.
pub fn strips_height(number: usize) -> f32 {
    STRIP * number as f32 + BELOW
}

/// Draws them over the available width; gives the one under the pointer. `label` is what a screen reader
/// says, the axis what is measured.
pub fn strips(
    ui: &mut Ui,
    (label, axis): (&str, &str),
    height: f32,
    strips: &[Strip<'_>],
) -> (Response, Option<usize>) {
    let colors = palette(ui);
    let size = vec2(ui.available_width(), height);
    let strip_height = (height - BELOW) / strips.len().max(1) as f32;
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, label));
    if !ui.is_rect_visible(rect) {
        return (response, None);
    }
    let painter = ui.painter().with_clip_rect(rect);
    let caption = Type::Caption.style().resolve(ui.style());
    let most = { strips.iter() }
        .filter_map(|strip| strip.values.last())
        .max()
        .copied()
        .unwrap_or(0);
    let name = |text: &str, width: f32| {
        let format = egui::TextFormat::simple(caption.clone(), colors.text);
        let mut job = egui::text::LayoutJob::single_section(text.to_owned(), format);
        job.wrap = egui::text::TextWrapping::truncate_at_width(width);
        painter.layout_job(job)
    };
    let names: Vec<_> = { strips.iter() }
        .map(|strip| name(strip.name, rect.width() * NAMES))
        .collect();
    let names_width = names.iter().map(|name| name.size().x).fold(0.0, f32::max);
    let plot = Rect::from_min_max(
        pos2(rect.left() + names_width + 12.0, rect.top()),
        pos2(rect.right() - 14.0, rect.bottom() - BELOW),
    );
    let marks = round_marks(most as f64, (plot.width() / 80.0) as usize);
    let end = marks.last().copied().unwrap_or(1.0);
    let x = |value: f64| plot.left() + plot.width() * (value / end) as f32;
    for mark in &marks {
        let at = x(*mark);
        painter.vline(at, plot.y_range(), Stroke::new(1.0, colors.border));
        painter.text(
            pos2(at, plot.bottom() + 4.0),
            Align2::CENTER_TOP,
            crate::text::thousands(*mark as u64),
            caption.clone(),
            colors.muted,
        );
    }
    painter.text(
        pos2(plot.center().x, rect.bottom()),
        Align2::CENTER_BOTTOM,
        axis,
        caption.clone(),
        colors.muted,
    );
    let spread = (strip_height - 20.0).clamp(20.0, 56.0);
    let box_half = spread * 0.36;
    let pointer = response.hover_pos();
    let mut under = None;
    for (place, (strip, name)) in strips.iter().zip(names).enumerate() {
        let top = plot.top() + strip_height * place as f32;
        let middle = top + strip_height / 2.0;
        let band = Rect::from_min_max(
            pos2(rect.left(), top),
            pos2(rect.right(), top + strip_height),
        );
        if pointer.is_some_and(|pointer| band.contains(pointer)) {
            under = Some(place);
        }
        let at = pos2(
            plot.left() - 10.0 - name.size().x,
            middle - name.size().y / 2.0,
        );
        painter.galley(at, name, colors.text);
        let skip = (strip.values.len() / MOST_DOTS).max(1);
        let dot = strip.color.gamma_multiply(0.35);
        for (number, value) in strip.values.iter().enumerate().step_by(skip) {
            // The same value does not hide its like.
            let aside = ((number * 7919) % 17) as f32 / 16.0 - 0.5;
            painter.circle_filled(pos2(x(*value as f64), middle + aside * spread), 2.0, dot);
        }
        if let Some([low, half, high]) = strip.quarters {
            let area = Rect::from_min_max(
                pos2(x(low), middle - box_half),
                pos2(x(high), middle + box_half),
            );
            let stroke = Stroke::new(1.5, strip.color);
            painter.rect_filled(
                area,
                CornerRadius::same(3),
                strip.color.gamma_multiply(0.16),
            );
            painter.rect_stroke(area, CornerRadius::same(3), stroke, StrokeKind::Middle);
            let line = [
                pos2(x(half), middle - box_half - 4.0),
                pos2(x(half), middle + box_half + 4.0),
            ];
            painter.line_segment(line, Stroke::new(3.0, strip.color));
        }
    }
    (response, under)
}
