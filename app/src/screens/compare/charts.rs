//! The two charts: how long each variant reasons, and one variant against the baseline question by
//! question.

use egui::{Role, Sense, Ui, WidgetInfo, vec2};

use super::super::Actions;
use super::{act, who};
use crate::state::State;
use crate::state::compare::CompareAction;
use crate::state::compare::figures::Charts;
use crate::state::compare::found::Comparison;
use crate::state::compare::view::ViewAction;
use crate::text::visible;
use crate::theme::{CONTROL_HEIGHT, Type, icons, palette, space};
use crate::widgets::{
    Choice, Scatter, ScatterDot, Strip, card, dropdown, no_chart, scatter, strips, strips_height,
    styled,
};
use crate::words::compare as words;

/// Narrower pages have one chart above the other.
const BESIDE_FROM: f32 = 700.0;
const HEIGHT: f32 = 320.0;
const AGAINST: f32 = 260.0;
/// What the scatter's card has besides it: the choice above and the legend below.
const LEGEND: f32 = 36.0;

/// Draws them beside each other, where there is room.
pub fn show(ui: &mut Ui, state: &State, found: &Comparison, actions: &mut Actions) {
    let charts = &state.compare.view.charts;
    if ui.available_width() >= BESIDE_FROM {
        ui.columns(2, |columns| {
            let [left, right] = columns else {
                return;
            };
            let above = match found.others().count() {
                0 | 1 => 0.0,
                _ => CONTROL_HEIGHT + space::M,
            };
            lengths_card(left, charts, above + HEIGHT + space::M + LEGEND);
            pairs_card(right, state, found, charts, actions);
        });
    } else {
        lengths_card(ui, charts, 0.0);
        pairs_card(ui, state, found, charts, actions);
    }
}

/// The mark of a variant's color.
pub fn dot(ui: &mut Ui, place: usize) {
    let series = &palette(ui).series;
    let color = series[place % series.len()];
    let (rect, response) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
    response.widget_info(|| WidgetInfo::new(Role::GenericContainer));
    ui.painter().circle_filled(rect.center(), 4.5, color);
}

fn lengths_card(ui: &mut Ui, charts: &Charts, height: f32) {
    card(ui, icons::RUNS, words::LENGTHS, |ui| {
        lengths(ui, charts, height);
    });
}

/// How long each variant reasons; as tall as this, or taller where there are many.
pub fn lengths(ui: &mut Ui, charts: &Charts, height: f32) {
    let height = strips_height(charts.lengths.len()).max(height);
    let series = &palette(ui).series;
    let drawn: Vec<Strip<'_>> = { charts.lengths.iter() }
        .map(|lengths| Strip {
            name: &lengths.name,
            color: series[lengths.place % series.len()],
            values: &lengths.tokens,
            quarters: quarters(lengths),
        })
        .collect();
    if drawn.iter().all(|strip| strip.values.is_empty()) {
        return no_chart(ui, height, words::NOTHING_TO_DRAW);
    }
    let parts: Vec<_> = { charts.lengths.iter() }
        .filter_map(|lengths| {
            let quarters = quarters(lengths)?;
            Some((lengths.name.clone(), lengths.tokens.len(), quarters))
        })
        .collect();
    let summary = words::lengths_summary(&parts);
    let (response, under) = strips(ui, (&summary, words::TOKENS_AXIS), height, &drawn);
    if let Some(lengths) = under.and_then(|place| charts.lengths.get(place))
        && let (Some(quarters), Some(least), Some(most)) = (
            quarters(lengths),
            lengths.tokens.first(),
            lengths.tokens.last(),
        )
    {
        let replies = lengths.tokens.len();
        let hint = words::lengths_hint(&lengths.name, replies, quarters, [*least, *most]);
        response.on_hover_text_at_pointer(hint);
    }
}

fn quarters(lengths: &crate::state::compare::figures::Lengths) -> Option<[f64; 3]> {
    Some([
        lengths.quantile(0.25)?,
        lengths.quantile(0.5)?,
        lengths.quantile(0.75)?,
    ])
}

fn pairs_card(
    ui: &mut Ui,
    state: &State,
    found: &Comparison,
    charts: &Charts,
    actions: &mut Actions,
) {
    card(ui, icons::COMPARE, words::PAIRS, |ui| {
        against(ui, state, found, actions);
        let chosen = state.compare.view.chosen;
        if let Some(question) = pairs(ui, charts, chosen, HEIGHT) {
            let choose = ViewAction::ChooseIn(question);
            act(actions, CompareAction::View(choose));
        }
    });
}

/// Which variant is held against the baseline, where there are several.
pub fn against(ui: &mut Ui, state: &State, found: &Comparison, actions: &mut Actions) {
    let choices: Vec<Choice<usize>> = { found.others() }
        .map(|place| Choice::new(place, visible(&found.variants[place].name)))
        .collect();
    if choices.len() < 2 {
        return;
    }
    ui.horizontal(|ui| {
        ui.label(styled(words::AGAINST, Type::Caption).color(palette(ui).muted));
        let width = AGAINST.min(ui.available_width());
        let current = state.compare.view.against;
        if let Some(place) = dropdown(ui, words::AGAINST, &current, &choices, width) {
            act(actions, CompareAction::View(ViewAction::Against(place)));
        }
    });
}

/// One variant against the baseline; gives the question that was pressed.
pub fn pairs(ui: &mut Ui, charts: &Charts, chosen: Option<usize>, height: f32) -> Option<usize> {
    if charts.dots.is_empty() {
        no_chart(ui, height, words::NOTHING_TO_DRAW);
        return None;
    }
    let colors = palette(ui);
    let dots: Vec<ScatterDot> = { charts.dots.iter() }
        .map(|dot| {
            let (color, shape) = who::look(colors, dot.who);
            ScatterDot {
                x: dot.baseline as f64,
                y: dot.this as f64,
                color,
                shape,
            }
        })
        .collect();
    let shorter = charts
        .dots
        .iter()
        .filter(|dot| dot.this < dot.baseline)
        .count();
    let longer = charts
        .dots
        .iter()
        .filter(|dot| dot.this > dot.baseline)
        .count();
    let summary = words::pairs_summary(
        &charts.against,
        &charts.baseline,
        charts.dots.len(),
        shorter,
        longer,
    );
    let chart = Scatter {
        label: &summary,
        x_axis: &format!("{}, {}", charts.baseline, words::TOKENS_AXIS),
        y_axis: &format!("{}, {}", charts.against, words::TOKENS_AXIS),
        line: words::AS_LONG,
        height,
        dots: &dots,
        chosen: charts
            .dots
            .iter()
            .position(|dot| Some(dot.question) == chosen),
    };
    let (response, under) = scatter(ui, &chart);
    let pointed = under.and_then(|place| charts.dots.get(place));
    let clicked = response.clicked();
    if let Some(dot) = pointed {
        let hint = words::dot_hint(
            dot.question,
            (&charts.against, dot.this),
            (&charts.baseline, dot.baseline),
            dot.who,
        );
        response.on_hover_text_at_pointer(hint);
    }
    ui.scope(|ui| {
        ui.set_min_height(LEGEND);
        who::legend(ui, &charts.dots);
    });
    pointed.filter(|_| clicked).map(|dot| dot.question)
}
