//! Curves over a common axis, with a summary in words for those who do not see them. Dragging zooms,
//! a double click shows everything again; with the keyboard plus, minus, arrows and zero do the same.
//! Charts of a group move together.

use egui::{
    Color32, EventFilter, Id, Key, Modifiers, Rect, Role, Stroke, Ui, Vec2b, WidgetInfo, vec2,
};
use egui_plot::{
    GridInput, GridMark, HLine, Line, LineStyle, MarkerShape, Plot, PlotMemory, PlotPoints, PlotUi,
    Points,
};

use crate::theme::{Type, palette};

/// Over more powers of ten than this, only those are marked.
const FEW_DECADES: f64 = 3.0;

/// One curve: unbroken parts of points in order.
pub struct ChartLine<'a> {
    /// What a legend calls it.
    pub name: &'a str,
    /// Its parts.
    pub parts: Vec<&'a [[f64; 2]]>,
    /// Its color.
    pub color: Color32,
    /// Its width in points.
    pub width: f32,
    /// Whether each of its points is marked.
    pub dots: bool,
}

/// What a chart shows.
pub struct Chart<'a> {
    /// Its name among the charts of its group.
    pub id: Id,
    /// Charts with the same group show the same range.
    pub group: Id,
    /// What it shows, in words.
    pub summary: &'a str,
    /// Its height in points.
    pub height: f32,
    /// Where the curves begin and end, also those parts of them that are not in sight.
    pub whole: Option<[f64; 2]>,
    /// Curves, the first at the back.
    pub lines: Vec<ChartLine<'a>>,
    /// Heights that are marked by a dashed line.
    pub levels: Vec<(f64, Color32)>,
    /// Points that stand out.
    pub marks: Vec<([f64; 2], Color32)>,
    /// Whether equal distances are equal factors.
    pub logarithmic: bool,
    /// Words for a place on the horizontal axis.
    pub x_text: &'a dyn Fn(f64) -> String,
    /// Words for a height.
    pub y_text: &'a dyn Fn(f64) -> String,
}

/// What the user does with a chart.
pub struct ChartResponse {
    /// The place under the pointer.
    pub pointed: Option<f64>,
    /// The visible range; none: all of it.
    pub range: Option<[f64; 2]>,
    /// The chart itself.
    pub response: egui::Response,
}

/// Draws a chart over the available width.
pub fn chart(ui: &mut Ui, chart: Chart<'_>) -> ChartResponse {
    let colors = palette(ui);
    let logarithmic = chart.logarithmic;
    let (x_text, y_text) = (chart.x_text, chart.y_text);
    let plot = Plot::new(chart.id)
        .id(chart.id)
        .height(chart.height)
        .width(ui.available_width())
        .link_axis(chart.group, Vec2b::new(true, false))
        .link_cursor(chart.group, Vec2b::new(true, false))
        .allow_boxed_zoom(true)
        .boxed_zoom_pointer_button(egui::PointerButton::Primary)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_axis_zoom_drag(false)
        .show_background(false)
        .show_crosshair(true)
        .set_margin_fraction(vec2(0.01, 0.08))
        .cursor_color(colors.border_strong)
        .grid_color(colors.border)
        .grid_spacing(egui::Rangef::new(36.0, 220.0))
        .y_axis_min_width(48.0)
        .label_formatter(|_| None)
        .x_axis_formatter(move |mark: GridMark, _| match mark.value < 0.0 {
            true => String::new(),
            false => x_text(mark.value),
        })
        .y_axis_formatter(move |mark: GridMark, _| match logarithmic {
            true => y_text(10f64.powf(mark.value)),
            false => y_text(mark.value),
        });
    let plot = match logarithmic {
        true => plot.y_grid_spacer(decades),
        false => plot,
    };
    let height = move |y: f64| if logarithmic { y.log10() } else { y };
    let (lines, levels, marks) = (chart.lines, chart.levels, chart.marks);
    let (ground, axis_font) = (colors.surface, Type::Caption.style().resolve(ui.style()));
    let response = ui
        .scope(|ui| {
            // Axes are read at a glance, and take egui's small text.
            ui.style_mut()
                .text_styles
                .insert(egui::TextStyle::Body, axis_font);
            plot.show(ui, |plot| {
                if plot.response().has_focus() {
                    by_keyboard(plot, chart.whole);
                }
                for line in lines {
                    for part in line.parts {
                        // A logarithm of nothing is a gap at the bottom.
                        let points = || -> PlotPoints<'_> {
                            { part.iter() }
                                .map(|[x, y]| [*x, height(*y)])
                                .filter(|[_, y]| y.is_finite())
                                .collect()
                        };
                        let stroke = Stroke::new(line.width, line.color);
                        plot.line(
                            Line::new(line.name, points())
                                .stroke(stroke)
                                .allow_hover(false),
                        );
                        if line.dots || part.len() == 1 {
                            let dots = Points::new(line.name, points()).radius(line.width + 1.0);
                            plot.points(dots.color(line.color).allow_hover(false));
                        }
                    }
                }
                for (level, color) in levels {
                    let line = HLine::new("", height(level)).stroke(Stroke::new(1.0, color));
                    let line = line.style(LineStyle::Dashed { length: 6.0 });
                    plot.hline(line.allow_hover(false));
                }
                for ([x, y], color) in marks {
                    for (radius, color) in [(6.0, ground), (4.5, color)] {
                        let mark = Points::new("", vec![[x, height(y)]]).shape(MarkerShape::Circle);
                        plot.points(mark.radius(radius).color(color).allow_hover(false));
                    }
                }
                plot.response()
                    .hovered()
                    .then(|| plot.pointer_coordinate())
                    .flatten()
            })
        })
        .inner;
    let summary = chart.summary;
    response
        .response
        .widget_info(|| WidgetInfo::labeled(Role::Image, true, summary));
    let auto = PlotMemory::load(ui.ctx(), chart.id).is_none_or(|memory| memory.auto_bounds.x);
    let bounds = response.transform.bounds();
    ChartResponse {
        pointed: response.inner.map(|point| point.x),
        range: (!auto).then_some([bounds.min()[0], bounds.max()[0]]),
        response: response.response,
    }
}

/// A press of a key makes what is seen smaller or larger by this factor.
const ZOOM: f64 = 1.5;
/// And this is its part that comes into sight at the side.
const ASIDE: f64 = 0.2;
/// No smaller part of the whole is seen.
const CLOSEST: f64 = 1e-6;

/// Zooms and moves a chart that has the focus, within where its curves are.
fn by_keyboard(plot: &mut PlotUi<'_>, whole: Option<[f64; 2]>) {
    let (context, id) = (plot.ctx().clone(), plot.response().id);
    let arrows = EventFilter {
        horizontal_arrows: true,
        ..EventFilter::default()
    };
    context.memory_mut(|memory| memory.set_focus_lock_filter(id, arrows));
    let pressed = |key: Key| {
        let presses = context.input_mut(|input| input.count_and_consume_key(Modifiers::NONE, key));
        presses as f64
    };
    let closer = pressed(Key::Plus) + pressed(Key::Equals) - pressed(Key::Minus);
    let aside = pressed(Key::ArrowRight) - pressed(Key::ArrowLeft);
    let everything = pressed(Key::Num0) > 0.0;
    let Some([from, to]) = whole.filter(|_| everything || closer != 0.0 || aside != 0.0) else {
        return;
    };
    let seen = plot.plot_bounds();
    let (left, right) = (seen.min()[0], seen.max()[0]);
    let width = ((right - left) / ZOOM.powf(closer)).max((to - from) * CLOSEST);
    let is_part = width < to - from;
    if everything || !is_part {
        plot.set_auto_bounds(true);
    } else {
        let center = f64::midpoint(left, right) + aside * ASIDE * width;
        let center = center.clamp(from + width / 2.0, to - width / 2.0);
        plot.set_plot_bounds_x(center - width / 2.0..=center + width / 2.0);
    }
    // Charts of the group that are drawn before this one follow in the next frame.
    context.request_repaint();
}

/// Marks of a logarithmic axis: powers of ten, and 2 and 5 times each where there is room for them.
fn decades(input: GridInput) -> Vec<GridMark> {
    let (from, to) = input.bounds;
    let powers = (from.floor() as i32)..=(to.ceil() as i32);
    let many = to - from > FEW_DECADES;
    powers
        .flat_map(|power| [(1.0_f64, 1.0), (2.0, 0.5), (5.0, 0.5)].map(|mark| (power, mark)))
        .filter(|(_, (digit, _))| !many || *digit == 1.0)
        .map(|(power, (digit, step_size))| GridMark {
            value: f64::from(power) + digit.log10(),
            step_size,
        })
        .filter(|mark| (from..=to).contains(&mark.value))
        .collect()
}

/// A place for a chart that has nothing to show.
pub fn no_chart(ui: &mut Ui, height: f32, text: &str) {
    let size = vec2(ui.available_width(), height);
    let (rect, _): (Rect, _) = ui.allocate_exact_size(size, egui::Sense::hover());
    ui.put(
        rect,
        egui::Label::new(super::styled(text, Type::Caption).color(palette(ui).muted)),
    );
}
