//! The curves of one run, or of several over each other: the same grid, the same hints.

use egui::{Color32, Id, Margin, Tooltip, Ui};

use super::{Actions, look, name};
use crate::state::State;
use crate::state::runs::columns::{Figure, XAxis};
use crate::state::runs::curve::Curve;
use crate::state::runs::figures::{Figures, Smoothing};
use crate::state::runs::run::{Loaded, Run};
use crate::state::runs::view::{Scale, View, ViewAction};
use crate::text::clock;
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{
    Chart, ChartLine, Choice, Tone, banner, caption, chart, empty, no_chart, quiet_button,
    segmented, sheet, styled,
};
use crate::words::runs as words;

const HEIGHT: f32 = 176.0;
/// Where there is less room than this, how to zoom is told under the pointer alone.
const ZOOM_HELP_WIDTH: f32 = 340.0;
/// Narrower pages have one column of charts.
const TWO_COLUMNS_FROM: f32 = 640.0;

/// Draws the curves of one run.
pub fn show(ui: &mut Ui, state: &State, run: &Run, actions: &mut Actions) {
    match &run.figures {
        Loaded::Failed(problem) => {
            banner(ui, Tone::Warning, words::FIGURES_FAILED, problem, |_| {});
        }
        Loaded::Yes(figures) if !figures.columns().is_empty() => {
            if run.damaged > 0 {
                caption(ui, words::damaged(run.damaged));
            }
            grid(ui, &state.runs.view, &[run], actions);
        }
        Loaded::Reading => empty(ui, icons::RUNS, words::READING_FIGURES, "", |ui| {
            ui.spinner();
        }),
        _ => {
            let text = match run.is_on() {
                true => words::NO_STEPS_TEXT,
                false => words::NO_STEPS_EVER,
            };
            empty(ui, icons::RUNS, words::NO_STEPS_TITLE, text, |_| {});
        }
    }
}

/// What a chart of the grid is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Figure(Figure),
    /// Losses on held-out examples, where they do not lie over the loss.
    HeldOut,
}

impl About {
    fn name(self) -> &'static str {
        match self {
            Self::Figure(figure) => words::figure(figure),
            Self::HeldOut => words::RESULT_LOSS,
        }
    }

    fn figure(self) -> Figure {
        match self {
            Self::Figure(figure) => figure,
            Self::HeldOut => Figure::Loss,
        }
    }

    fn is_a_loss(self) -> bool {
        self.figure() == Figure::Loss
    }
}

/// Draws the charts of these runs, in columns.
pub fn grid(ui: &mut Ui, view: &View, runs: &[&Run], actions: &mut Actions) {
    let one = runs.len() == 1;
    controls(ui, view, actions);
    let mut charts = vec![About::Figure(Figure::Loss)];
    if !one {
        charts.push(About::HeldOut);
    }
    charts.extend({ Figure::ALL.into_iter().skip(1) }.map(About::Figure));
    let columns = if ui.available_width() >= TWO_COLUMNS_FROM {
        2
    } else {
        1
    };
    let gap = space::M;
    let width = (ui.available_width() - gap * (columns - 1) as f32) / columns as f32;
    let mut pointed = None;
    let mut first = true;
    for line in charts.chunks(columns) {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = gap;
            for about in line {
                ui.vertical(|ui| {
                    ui.set_width(width);
                    let shown =
                        sheet(ui)
                            .inner_margin(Margin::same(space::M as i8))
                            .show(ui, |ui| {
                                ui.set_width(width - 2.0 * space::M - 2.0);
                                panel(ui, view, runs, *about)
                            });
                    if let Some(response) = shown.inner {
                        if let Some(x) = response.pointed {
                            pointed = Some((x, *about, response.response.clone()));
                        }
                        // Charts of a group tell the same.
                        let range = response.range.filter(|[from, to]| from < to);
                        if first && range != view.window.range {
                            actions.push(look(ViewAction::Range(range)));
                            ui.ctx().request_repaint();
                        }
                        first = false;
                    }
                });
            }
        });
        ui.add_space(gap - space::S);
    }
    if let Some((x, about, response)) = pointed {
        let hint = |ui: &mut Ui| match runs {
            [run] => hint(ui, view, run, x),
            runs => hint_of_many(ui, view, runs, about, x),
        };
        let tooltip = Tooltip::for_widget(&response).at_pointer().gap(16.0);
        tooltip.show(hint);
    }
}

fn controls(ui: &mut Ui, view: &View, actions: &mut Actions) {
    ui.horizontal_wrapped(|ui| {
        let choices = [Smoothing::Off, Smoothing::Some, Smoothing::Much]
            .map(|choice| Choice::new(choice, words::smoothing(choice)));
        let current = view.window.smoothing;
        if let Some(smoothing) = segmented(ui, words::SMOOTHING, &current, &choices) {
            actions.push(look(ViewAction::Smoothing(smoothing)));
        }
        let choices = [Scale::Linear, Scale::Logarithmic]
            .map(|choice| Choice::new(choice, words::scale(choice)).with_help(words::SCALE));
        if let Some(scale) = segmented(ui, words::SCALE, &view.scale, &choices) {
            actions.push(look(ViewAction::Scale(scale)));
        }
        let choices = [XAxis::Step, XAxis::Time]
            .map(|choice| Choice::new(choice, words::axis(choice)).with_help(words::AXIS));
        if let Some(axis) = segmented(ui, words::AXIS, &view.window.axis, &choices) {
            actions.push(look(ViewAction::Axis(axis)));
        }
        // The button is always there: what comes and goes moves everything else.
        let reset = quiet_button(ui, icons::RESET, words::RESET).on_hover_text(words::ZOOM_KEYS);
        if reset.clicked() {
            actions.push(look(ViewAction::Reset));
        }
        if ui.available_size_before_wrap().x > ZOOM_HELP_WIDTH {
            caption(ui, words::ZOOM_HELP);
        }
    });
    ui.add_space(space::XS);
}

/// The color of a run among others.
pub fn color_of(ui: &Ui, place: usize) -> Color32 {
    let series = &palette(ui).series;
    series[place % series.len()]
}

fn panel(
    ui: &mut Ui,
    view: &View,
    runs: &[&Run],
    about: About,
) -> Option<crate::widgets::ChartResponse> {
    ui.spacing_mut().item_spacing.y = space::XS;
    let figure = about.figure();
    let shown: Vec<(usize, &Run, &Figures)> = { runs.iter().enumerate() }
        .filter_map(|(place, run)| Some((place, *run, run.figures()?)))
        .filter(|(_, _, figures)| match about {
            About::Figure(figure) => figures.summary(figure).is_some(),
            About::HeldOut => figures.evaluation_summary().is_some(),
        })
        .collect();
    let alone = match (runs, about) {
        ([run], About::Figure(figure)) => run.figures().map(|figures| (*run, figures, figure)),
        _ => None,
    };
    ui.horizontal(|ui| {
        ui.label(styled(about.name(), Type::Strong));
        if let Some((run, figures, figure)) = alone {
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                legend(ui, view, run, figures, figure);
            });
        }
    });
    if shown.is_empty() {
        let empty = match runs
            .iter()
            .any(|run| matches!(run.figures, Loaded::Reading))
        {
            true => words::READING_FIGURES,
            false => words::NOT_MEASURED,
        };
        no_chart(ui, HEIGHT, empty);
        return None;
    }
    let colors = palette(ui);
    let (mut lines, mut levels, mut marks) = (Vec::new(), Vec::new(), Vec::new());
    let mut summaries = Vec::new();
    for (place, run, figures) in &shown {
        let summary = match about {
            About::Figure(figure) => figures.summary(figure),
            About::HeldOut => figures.evaluation_summary(),
        };
        let title = match runs.len() {
            1 => about.name().to_owned(),
            _ => format!("{}, {}", about.name(), name(run)),
        };
        summaries.push(words::summary(&title, figure, summary, run.steps().1));
        let line = |curve, color, width| line(name(run), curve, color, width);
        let color = match alone {
            Some(_) => colors.accent,
            None => color_of(ui, *place),
        };
        match about {
            About::Figure(Figure::Loss) => {
                if alone.is_some() && view.window.smoothing != Smoothing::Off {
                    let faint = color.gamma_multiply(0.32);
                    lines.push(line(figures.curve(Figure::Loss), faint, 1.0));
                }
                lines.push(line(figures.smooth_curve(), color, 1.75));
                if alone.is_some() {
                    lines.push(dotted(line(
                        figures.evaluation_curve(),
                        colors.series[1],
                        1.5,
                    )));
                }
            }
            About::HeldOut => lines.push(dotted(line(figures.evaluation_curve(), color, 1.5))),
            About::Figure(figure) => lines.push(line(figures.curve(figure), color, 1.5)),
        }
        if about == About::HeldOut || (alone.is_some() && figure == Figure::Loss) {
            let color = if alone.is_some() {
                colors.series[1]
            } else {
                color
            };
            marks.extend(figures.best().map(|best| (best, color)));
        }
        if let (About::Figure(Figure::Memory), Some(memory)) = (about, run.memory()) {
            let color = if alone.is_some() {
                colors.warning
            } else {
                color
            };
            levels.push((memory.estimated_peak_bytes as f64, color));
        }
    }
    if let (Some((run, figures, Figure::Loss)), false) = (alone, shown.is_empty()) {
        let held_out = figures.evaluation_summary();
        if held_out.is_some() {
            let total = run.steps().1;
            summaries.push(words::summary(
                words::RESULT_LOSS,
                Figure::Loss,
                held_out,
                total,
            ));
        }
    }
    let axis = view.window.axis;
    let key = runs.first().map(|run| run.key);
    let group = Id::unique(("runs", key, runs.len(), view.resets));
    let extents = { shown.iter() }.filter_map(|(_, _, run)| run.columns().extent(axis));
    Some(chart(
        ui,
        Chart {
            whole: extents.reduce(|[from, to], [first, last]| [from.min(first), to.max(last)]),
            id: group.with(about.name()),
            group,
            summary: &summaries.join(". "),
            height: HEIGHT,
            lines,
            levels,
            marks,
            logarithmic: about.is_a_loss() && view.scale == Scale::Logarithmic,
            x_text: &|x| x_text(x, axis),
            y_text: &|y| words::tick_value(figure, y),
        },
    ))
}

fn line<'a>(name: &'a str, curve: &'a Curve, color: Color32, width: f32) -> ChartLine<'a> {
    ChartLine {
        name,
        parts: curve.parts().collect(),
        color,
        width,
        dots: false,
    }
}

fn dotted(line: ChartLine<'_>) -> ChartLine<'_> {
    ChartLine { dots: true, ..line }
}

fn x_text(x: f64, axis: XAxis) -> String {
    match axis {
        XAxis::Step if x.fract() == 0.0 => crate::text::thousands(x as u64),
        // Between two steps is nothing.
        XAxis::Step => String::new(),
        XAxis::Time => clock(x),
    }
}

/// What the lines of a run's chart are, from the right.
fn legend(ui: &mut Ui, view: &View, run: &Run, figures: &Figures, figure: Figure) {
    let colors = palette(ui);
    let mut entries = Vec::new();
    match figure {
        Figure::Loss => {
            if figures.evaluation_summary().is_some() {
                entries.push((words::EVALUATED, colors.series[1]));
            }
            if view.window.smoothing != Smoothing::Off {
                entries.push((words::SMOOTHED, colors.accent));
                entries.push((words::RAW, colors.accent.gamma_multiply(0.4)));
            }
        }
        Figure::Memory if run.memory().is_some() && figures.summary(figure).is_some() => {
            entries.push((words::PLAN, colors.warning));
        }
        _ => {}
    }
    for (text, color) in entries {
        caption(ui, text);
        dot(ui, color);
    }
}

/// A point in a legend.
pub fn dot(ui: &mut Ui, color: Color32) {
    let (rect, _) = ui.allocate_exact_size(egui::vec2(8.0, 12.0), egui::Sense::hover());
    ui.painter().circle_filled(rect.center(), 4.0, color);
}

/// The figures of a run where the pointer is.
fn hint(ui: &mut Ui, view: &View, run: &Run, x: f64) {
    let Some(figures) = run.figures() else {
        return;
    };
    let Some(at) = figures.columns().nearest(x, view.window.axis) else {
        return;
    };
    let row = figures.columns().row(at);
    let title = words::hint_title(row.step, row.elapsed.into());
    ui.label(styled(title, Type::Strong));
    hint_grid(ui, |ui| {
        for figure in Figure::ALL {
            let value = row.figures[figure.place()];
            if value.is_finite() {
                hint_line(ui, words::figure(figure), words::value(figure, value));
            }
        }
        if let Some(smoothed) = figures.smoothed(at) {
            let value = words::value(Figure::Loss, smoothed);
            hint_line(ui, words::LOSS_SMOOTHED, value);
        }
        if let Some(loss) = held_out_until(figures, row.step) {
            hint_line(ui, words::RESULT_LOSS, words::value(Figure::Loss, loss));
        }
    });
}

/// One figure of several runs where the pointer is.
fn hint_of_many(ui: &mut Ui, view: &View, runs: &[&Run], about: About, x: f64) {
    ui.label(styled(about.name(), Type::Strong));
    hint_grid(ui, |ui| {
        for (place, run) in runs.iter().enumerate() {
            let Some(figures) = run.figures() else {
                continue;
            };
            let Some(at) = figures.columns().nearest(x, view.window.axis) else {
                continue;
            };
            let row = figures.columns().row(at);
            let value = match about {
                About::Figure(figure) => Some(row.figures[figure.place()]),
                About::HeldOut => held_out_until(figures, row.step),
            };
            let value = value.filter(|value| value.is_finite());
            ui.horizontal(|ui| {
                dot(ui, color_of(ui, place));
                ui.label(styled(name(run), Type::Caption));
            });
            let text = value.map_or(words::UNKNOWN.to_owned(), |value| {
                words::value(about.figure(), value)
            });
            ui.label(styled(text, Type::Caption));
            let when = words::hint_title(row.step, row.elapsed.into());
            ui.label(styled(when, Type::Caption).color(palette(ui).muted));
            ui.end_row();
        }
    });
}

fn hint_grid(ui: &mut Ui, lines: impl FnOnce(&mut Ui)) {
    egui::Grid::new("hint").min_row_height(16.0).show(ui, lines);
}

fn hint_line(ui: &mut Ui, name: &str, value: String) {
    ui.label(styled(name, Type::Caption).color(palette(ui).muted));
    ui.label(styled(value, Type::Caption));
    ui.end_row();
}

/// The latest loss on held-out examples at a step.
fn held_out_until(figures: &Figures, step: u32) -> Option<f32> {
    { figures.columns().evaluations().iter() }
        .rev()
        .find(|evaluation| evaluation.step <= step)
        .map(|evaluation| evaluation.loss)
}
