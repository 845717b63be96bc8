//! Counts by size, as bars, with a line at a limit.

use egui::{CornerRadius, Rect, Response, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use crate::theme::palette;

/// A bar: from and to which size, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The least size.
    pub from: usize,
    /// The greatest.
    pub to: usize,
    /// How many.
    pub count: usize,
}

/// Draws bars over the whole width; those behind the limit in another color. `hint` is what stands
/// under the pointer.
pub fn histogram(
    ui: &mut Ui,
    label: &str,
    height: f32,
    bars: &[Bar],
    limit: usize,
    hint: impl Fn(&Bar) -> String,
) -> Response {
    let palette = palette(ui);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, label));
    if !ui.is_rect_visible(rect) || bars.is_empty() {
        return response;
    }
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(0).max(1) as f32;
    let (first, last) = (bars[0].from, bars[bars.len() - 1].to);
    let span = last.saturating_sub(first).saturating_add(1).max(1) as f32;
    let x = |size: usize| rect.left() + rect.width() * (size.saturating_sub(first) as f32 / span);
    let painter = ui.painter().with_clip_rect(rect);
    let base = [rect.left_bottom(), rect.right_bottom()];
    painter.line_segment(base, Stroke::new(1.0, palette.border_strong));
    let pointer = response.hover_pos();
    let mut under = None;
    for bar in bars {
        let (left, right) = (x(bar.from), x(bar.to.saturating_add(1)));
        let column = Rect::from_min_max(pos2(left, rect.top()), pos2(right, rect.bottom()));
        if pointer.is_some_and(|pointer| column.contains(pointer)) {
            painter.rect_filled(column, CornerRadius::ZERO, palette.hover);
            under = Some(bar);
        }
        if bar.count == 0 {
            continue;
        }
        // One among thousands is still seen.
        let tall = (rect.height() * bar.count as f32 / most).max(2.0);
        let gap = if right - left > 3.0 { 1.0 } else { 0.0 };
        let top = pos2(left, rect.bottom() - tall);
        let filled = Rect::from_min_max(top, pos2(right - gap, rect.bottom()));
        let color = match bar.from > limit {
            true => palette.danger,
            false => palette.accent,
        };
        painter.rect_filled(filled, CornerRadius::ZERO, color);
    }
    if (first..=last).contains(&limit) {
        let line = [pos2(x(limit), rect.top()), pos2(x(limit), rect.bottom())];
        painter.line_segment(line, Stroke::new(1.5, palette.text));
    }
    match under {
        Some(bar) => response.on_hover_text(hint(bar)),
        None => response,
    }
}
