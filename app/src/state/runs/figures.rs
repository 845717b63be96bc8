//! The figures of one run, ready to be drawn: columns, the smoothed loss, thinned curves, and a summary
//! of each in words' place. A step that comes in costs the same however long the run is.

use stepladder_protocol::{EvaluationRow, StepRow};

use super::columns::{Columns, Figure, Row, XAxis};
use super::curve::Curve;

/// How much of the noise is taken out of the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Smoothing {
    /// Nothing.
    Off,
    /// What helps to see a trend.
    #[default]
    Some,
    /// What helps in long runs.
    Much,
}

impl Smoothing {
    /// The weight of what was before.
    fn weight(self) -> f64 {
        match self {
            Self::Off => 0.0,
            Self::Some => 0.9,
            Self::Much => 0.98,
        }
    }
}

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    /// What lies under the curves.
    pub axis: XAxis,
    /// The smoothing of the loss.
    pub smoothing: Smoothing,
    /// The visible range; none: all of it.
    pub range: Option<[f64; 2]>,
}

/// A figure's last and extreme values, with their steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The latest.
    pub last: (u32, f32),
    /// The lowest.
    pub lowest: (u32, f32),
    /// The highest.
    pub highest: (u32, f32),
}

impl Summary {
    fn with(this: Option<Self>, step: u32, value: f32) -> Option<Self> {
        if !value.is_finite() {
            return this;
        }
        let here = (step, value);
        Some(this.map_or(
            Self {
                last: here,
                lowest: here,
                highest: here,
            },
            |known| Self {
                last: here,
                lowest: if value < known.lowest.1 {
                    here
                } else {
                    known.lowest
                },
                highest: if value > known.highest.1 {
                    here
                } else {
                    known.highest
                },
            },
        ))
    }
}

/// An average of what has come, the latest counting most; the beginning is not pulled to zero.
#[derive(Clone, Copy, Debug, Default)]
struct Average {
    sum: f64,
    mass: f64,
}

impl Average {
    /// A figure that is no number leaves a gap and the average as it was.
    fn take(&mut self, figure: f32, weight: f64) -> f32 {
        if !figure.is_finite() {
            return f32::NAN;
        }
        self.sum = self.sum * weight + f64::from(figure) * (1.0 - weight);
        self.mass = self.mass * weight + (1.0 - weight);
        (self.sum / self.mass) as f32
    }
}

/// The figures of one run.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    columns: Columns,
    smoothed: Vec<f32>,
    average: Average,
    window: Window,
    curves: [Curve; 5],
    smooth_curve: Curve,
    evaluation_curve: Curve,
    best: Option<[f64; 2]>,
    summaries: [Option<Summary>; 5],
    evaluation_summary: Option<Summary>,
}

impl Figures {
    /// Columns as they are looked at through `window`.
    pub fn new(columns: Columns, window: Window) -> Self {
        let mut figures = Self {
            columns,
            window,
            ..Self::default()
        };
        figures.recount();
        figures
    }

    /// Everything known.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// A figure's curve.
    pub fn curve(&self, figure: Figure) -> &Curve {
        &self.curves[figure.place()]
    }

    /// The smoothed loss; the loss itself if nothing is smoothed.
    pub fn smooth_curve(&self) -> &Curve {
        match self.window.smoothing {
            Smoothing::Off => self.curve(Figure::Loss),
            _ => &self.smooth_curve,
        }
    }

    /// Losses on the held-out examples.
    pub fn evaluation_curve(&self) -> &Curve {
        &self.evaluation_curve
    }

    /// Where the best evaluation lies.
    pub fn best(&self) -> Option<[f64; 2]> {
        self.best
    }

    /// The last and the extremes of a figure.
    pub fn summary(&self, figure: Figure) -> Option<Summary> {
        self.summaries[figure.place()]
    }

    /// The same for the evaluations.
    pub fn evaluation_summary(&self) -> Option<Summary> {
        self.evaluation_summary
    }

    /// The smoothed loss of a row.
    pub fn smoothed(&self, row: usize) -> Option<f32> {
        match self.window.smoothing {
            Smoothing::Off => None,
            _ => self.smoothed.get(row).copied(),
        }
    }

    /// Looks at another part, or in another way.
    pub fn look(&mut self, window: Window) {
        if window == self.window {
            return;
        }
        let smoothing = window.smoothing != self.window.smoothing;
        self.window = window;
        if smoothing {
            self.smooth();
        }
        self.draw();
    }

    /// Takes a step of a live run.
    pub fn push(&mut self, row: &StepRow) {
        let row = Row::of(row);
        let rows = self.columns.len();
        self.columns.push(row);
        if self.columns.len() != rows + 1 {
            // Steps are made again: what followed the checkpoint is gone.
            return self.recount();
        }
        let x = self.columns.x(rows, self.window.axis);
        let visible = { self.window.range }.is_none_or(|[from, to]| (from..=to).contains(&x));
        for (place, figure) in row.figures.into_iter().enumerate() {
            self.summaries[place] = Summary::with(self.summaries[place], row.step, figure);
            if visible {
                self.curves[place].push([x, f64::from(figure)]);
            }
        }
        let [loss, ..] = row.figures;
        let smooth = self.average.take(loss, self.window.smoothing.weight());
        self.smoothed.push(smooth);
        if visible {
            self.smooth_curve.push([x, f64::from(smooth)]);
        }
    }

    /// Takes an evaluation of a live run.
    pub fn push_evaluation(&mut self, row: &EvaluationRow) {
        self.columns.push_evaluation(row);
        // Evaluations are few.
        self.draw_evaluations();
    }

    /// Adds what was written since.
    pub fn append(&mut self, later: &Columns) {
        if !later.is_empty() || !later.evaluations().is_empty() {
            self.columns.append(later);
            self.recount();
        }
    }

    /// Forgets what comes after a step, since a run goes on from there.
    pub fn cut_back_to(&mut self, step: usize) {
        let rows = self.columns.len();
        self.columns
            .cut_back_to(u32::try_from(step).unwrap_or(u32::MAX));
        if self.columns.len() != rows {
            self.recount();
        }
    }

    fn recount(&mut self) {
        self.summaries = Figure::ALL.map(|figure| {
            let column = self.columns.of(figure).iter().enumerate();
            column.fold(None, |summary, (row, value)| {
                Summary::with(summary, self.columns.step(row), *value)
            })
        });
        self.smooth();
        self.draw();
    }

    fn smooth(&mut self) {
        let weight = self.window.smoothing.weight();
        let mut average = Average::default();
        self.smoothed = { self.columns.of(Figure::Loss).iter() }
            .map(|loss| average.take(*loss, weight))
            .collect();
        self.average = average;
    }

    fn draw(&mut self) {
        let axis = self.window.axis;
        let (first, last) = match self.window.range {
            None => (0, self.columns.len()),
            // A point more on each side, so that lines lead out of the picture.
            Some([from, to]) => (
                self.columns.rows_before(from, axis).saturating_sub(1),
                (self.columns.rows_before(to, axis) + 2).min(self.columns.len()),
            ),
        };
        let last = last.max(first);
        let from = self.columns.x(first, axis);
        let to = self.columns.x(last.saturating_sub(1), axis);
        let curve = |column: &[f32]| {
            let points = { column.iter().enumerate().take(last).skip(first) }
                .map(|(row, value)| [self.columns.x(row, axis), f64::from(*value)]);
            match last - first <= super::curve::MAX_POINTS {
                true => Curve::whole(points.collect()),
                false => Curve::thinned(points, from, to),
            }
        };
        let curves = Figure::ALL.map(|figure| curve(self.columns.of(figure)));
        let smooth_curve = curve(&self.smoothed);
        self.curves = curves;
        self.smooth_curve = smooth_curve;
        self.draw_evaluations();
    }

    fn draw_evaluations(&mut self) {
        let axis = self.window.axis;
        let (mut points, mut summary, mut best) = (Vec::new(), None, None);
        for evaluation in self.columns.evaluations() {
            let point = [
                self.columns.evaluation_x(evaluation, axis),
                f64::from(evaluation.loss),
            ];
            let before = { summary }.map(|known: Summary| known.lowest);
            summary = Summary::with(summary, evaluation.step, evaluation.loss);
            if summary.map(|known| known.lowest) != before {
                best = Some(point);
            }
            points.push(point);
        }
        self.evaluation_curve = Curve::whole(points);
        self.evaluation_summary = summary;
        self.best = best;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: usize, loss: Option<f64>) -> StepRow {
        StepRow {
            step,
            loss,
            learning_rate: Some(1e-3),
            gradient_norm: Some(0.5),
            tokens_per_second: Some(1000.0),
            tokens: 10,
            target_tokens: 5,
            elapsed_secs: Some(step as f64 * 2.0),
            remaining_secs: None,
            peak_bytes: None,
        }
    }

    fn pushed(rows: usize) -> Figures {
        let mut figures = Figures::default();
        for step in 1..=rows {
            figures.push(&row(step, Some(1.0 / step as f64)));
        }
        figures
    }

    #[test]
    fn steps_that_come_one_by_one_look_like_those_read_at_once() {
        let live = pushed(500);
        let read = Figures::new(live.columns().clone(), Window::default());
        for figure in Figure::ALL {
            assert_eq!(live.summary(figure), read.summary(figure));
            let points = |figures: &Figures| figures.curve(figure).points().to_vec();
            assert_eq!(points(&live).len(), points(&read).len(), "{figure:?}");
        }
        assert_eq!(live.smooth_curve(), read.smooth_curve());
        assert_eq!(live.summary(Figure::Loss).unwrap().lowest.0, 500);
        assert_eq!(live.summary(Figure::Memory), None);
    }

    #[test]
    fn a_range_shows_its_steps_and_a_neighbor_on_each_side() {
        let mut figures = pushed(100);
        figures.look(Window {
            range: Some([40.0, 60.0]),
            ..Window::default()
        });
        let points = figures.curve(Figure::Loss).points();
        assert_eq!((points[0][0], points[points.len() - 1][0]), (39.0, 61.0));
        figures.push(&row(101, Some(1.0)));
        assert_eq!(
            figures.curve(Figure::Loss).points().len(),
            23,
            "out of sight"
        );
        figures.look(Window {
            axis: XAxis::Time,
            ..Window::default()
        });
        let points = figures.curve(Figure::Loss).points();
        assert_eq!(points[points.len() - 1][0], 202.0);
    }

    #[test]
    fn a_range_beyond_the_run_is_empty() {
        let mut figures = pushed(10);
        figures.look(Window {
            range: Some([1e9, 2e9]),
            ..Window::default()
        });
        assert!(figures.curve(Figure::Loss).points().len() <= 1);
        figures.look(Window {
            range: Some([5.0, -5.0]),
            ..Window::default()
        });
    }

    #[test]
    fn smoothing_leaves_gaps_and_does_not_start_at_zero() {
        let mut figures = Figures::default();
        figures.push(&row(1, Some(2.0)));
        figures.push(&row(2, None));
        figures.push(&row(3, Some(2.0)));
        let heights: Vec<f64> = { figures.smooth_curve().points().iter() }
            .map(|point| point[1])
            .collect();
        assert!((heights[0] - 2.0).abs() < 1e-6 && (heights[2] - 2.0).abs() < 1e-6);
        assert!(heights[1].is_nan());
    }

    #[test]
    fn the_best_evaluation_is_the_lowest() {
        let mut figures = pushed(30);
        for (step, loss) in [(10, 3.0), (20, 1.0), (30, 2.0)] {
            figures.push_evaluation(&EvaluationRow {
                step,
                loss: Some(loss),
                best: false,
            });
        }
        assert_eq!(figures.best(), Some([20.0, 1.0]));
        figures.cut_back_to(15);
        assert_eq!(figures.best(), Some([10.0, 3.0]));
        assert_eq!(figures.columns().len(), 15);
    }
}
