//! Pairs of lengths: one against the other, with the line where both are equal. Groups differ by color
//! and by shape.

use egui::{
    Align2, Color32, Pos2, Rect, Response, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use super::axis::round_marks;
use crate::theme::{Type, palette};

/// The pointer is on a dot that is no farther away.
const REACH: f32 = 12.0;
const RADIUS: f32 = 4.0;
const LEFT: f32 = 62.0;
const BELOW: f32 = 38.0;

/// A shape of dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DotShape {
    /// Filled.
    Circle,
    /// A triangle that points up.
    Up,
    /// One that points down.
    Down,
    /// Two lines.
    Cross,
    /// A circle that is not filled.
    Ring,
}

/// A dot.
#[derive(Clone, Copy, Debug)]
pub struct ScatterDot {
    /// From left to right.
    pub x: f64,
    /// From below.
    pub y: f64,
    /// Its color.
    pub color: Color32,
    /// Its shape.
    pub shape: DotShape,
}

/// What a scatter shows.
pub struct Scatter<'a> {
    /// In words.
    pub label: &'a str,
    /// What is measured from left to right.
    pub x_axis: &'a str,
    /// What is measured from below.
    pub y_axis: &'a str,
    /// What the line says.
    pub line: &'a str,
    /// Its height in points.
    pub height: f32,
    /// The dots.
    pub dots: &'a [ScatterDot],
    /// The dot that is chosen.
    pub chosen: Option<usize>,
}

/// Draws it over the available width; gives the dot under the pointer.
pub fn scatter(ui: &mut Ui, scatter: &Scatter<'_>) -> (Response, Option<usize>) {
    let colors = palette(ui);
    let size = vec2(ui.available_width(), scatter.height);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, scatter.label));
    if !ui.is_rect_visible(rect) {
        return (response, None);
    }
    let painter = ui.painter().with_clip_rect(rect);
    let caption = Type::Caption.style().resolve(ui.style());
    let plot = Rect::from_min_max(
        pos2(rect.left() + LEFT, rect.top() + 22.0),
        pos2(rect.right() - 14.0, rect.bottom() - BELOW),
    );
    let most = { scatter.dots.iter() }
        .map(|dot| dot.x.max(dot.y))
        .fold(0.0, f64::max);
    let marks = round_marks(most, (plot.height() / 48.0) as usize);
    let end = marks.last().copied().unwrap_or(1.0);
    let at = |x: f64, y: f64| {
        pos2(
            plot.left() + plot.width() * (x / end) as f32,
            plot.bottom() - plot.height() * (y / end) as f32,
        )
    };
    for mark in &marks {
        let text = crate::text::thousands(*mark as u64);
        let (right, up) = (at(*mark, 0.0), at(0.0, *mark));
        painter.vline(right.x, plot.y_range(), Stroke::new(1.0, colors.border));
        painter.hline(plot.x_range(), up.y, Stroke::new(1.0, colors.border));
        let put = |at: Pos2, align: Align2, text: &str| {
            painter.text(at, align, text, caption.clone(), colors.muted);
        };
        put(right + vec2(0.0, 4.0), Align2::CENTER_TOP, &text);
        put(up - vec2(6.0, 0.0), Align2::RIGHT_CENTER, &text);
    }
    let axis = |at: Pos2, align: Align2, text: &str, width: f32| {
        let format = egui::TextFormat::simple(caption.clone(), colors.muted);
        let mut job = egui::text::LayoutJob::single_section(text.to_owned(), format);
        job.wrap = egui::text::TextWrapping::truncate_at_width(width);
        let galley = painter.layout_job(job);
        let place = align.anchor_size(at, galley.size());
        painter.galley(place.min, galley, colors.muted);
    };
    axis(
        rect.left_top(),
        Align2::LEFT_TOP,
        scatter.y_axis,
        rect.width(),
    );
    axis(
        pos2(plot.center().x, rect.bottom()),
        Align2::CENTER_BOTTOM,
        scatter.x_axis,
        rect.width(),
    );
    let stroke = Stroke::new(1.5, colors.border_strong);
    painter.extend(Shape::dashed_line(
        &[at(0.0, 0.0), at(end, end)],
        stroke,
        6.0,
        4.0,
    ));
    painter.text(
        at(end * 0.1, end * 0.1) + vec2(6.0, 2.0),
        Align2::LEFT_TOP,
        scatter.line,
        caption.clone(),
        colors.muted,
    );
    for dot in scatter.dots {
        paint_dot(&painter, at(dot.x, dot.y), dot.shape, dot.color);
    }
    let under = response.hover_pos().and_then(|pointer| {
        let away = |dot: &ScatterDot| at(dot.x, dot.y).distance(pointer);
        { scatter.dots.iter().enumerate() }
            .filter(|(_, dot)| away(dot) <= REACH)
            .min_by(|one, other| away(one.1).total_cmp(&away(other.1)))
            .map(|(place, _)| place)
    });
    for place in [scatter.chosen, under].into_iter().flatten() {
        if let Some(dot) = scatter.dots.get(place) {
            let stroke = Stroke::new(2.0, colors.text);
            painter.circle_stroke(at(dot.x, dot.y), RADIUS + 3.0, stroke);
        }
    }
    (response, under)
}

/// Paints a dot of a shape.
pub fn paint_dot(painter: &egui::Painter, at: Pos2, shape: DotShape, color: Color32) {
    let triangle = |way: f32| {
        let points = vec![
            at + vec2(-RADIUS, way * RADIUS * 0.8),
            at + vec2(0.0, -way * RADIUS),
            at + vec2(RADIUS, way * RADIUS * 0.8),
        ];
        Shape::convex_polygon(points, color, Stroke::NONE)
    };
    let line = Stroke::new(1.75, color);
    match shape {
        DotShape::Circle => {
            painter.circle_filled(at, RADIUS - 0.5, color);
        }
        DotShape::Ring => {
            painter.circle_stroke(at, RADIUS - 1.0, line);
        }
        DotShape::Up => {
            painter.add(triangle(1.0));
        }
        DotShape::Down => {
            painter.add(triangle(-1.0));
        }
        DotShape::Cross => {
            let arm = RADIUS - 1.0;
            painter.line_segment([at - vec2(arm, arm), at + vec2(arm, arm)], line);
            painter.line_segment([at + vec2(-arm, arm), at + vec2(arm, -arm)], line);
        }
    }
}
