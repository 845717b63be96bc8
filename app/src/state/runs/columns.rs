//! A run's figures as columns: what `metrics.jsonl` holds and what step events bring, four bytes a
//! figure, so that a million steps are 28 MB.

use stepladder_protocol::{EvaluationRow, StepRow};

/// More steps than this are not kept; no run comes near it.
const MAX_ROWS: usize = 5_000_000;
/// The same for evaluations.
const MAX_EVALUATIONS: usize = 200_000;

/// A figure that each step has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Figure {
    /// Mean loss of the step's targets.
    Loss,
    /// Learning rate.
    LearningRate,
    /// Norm of the gradients before clipping.
    GradientNorm,
    /// Tokens per second.
    Speed,
    /// Most bytes in use at once.
    Memory,
}

impl Figure {
    /// Every figure, in the order they are shown.
    pub const ALL: [Self; 5] = [
        Self::Loss,
        Self::LearningRate,
        Self::GradientNorm,
        Self::Speed,
        Self::Memory,
    ];

    /// Its place in [`Self::ALL`].
    pub fn place(self) -> usize {
        self as usize
    }
}

/// What lies under the curves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum XAxis {
    /// The number of the step.
    #[default]
    Step,
    /// Seconds since the run started.
    Time,
}

/// One step: NaN where there is no figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// 1-based number of the update.
    pub step: u32,
    /// Seconds since the run started.
    pub elapsed: f32,
    /// In the order of [`Figure::ALL`].
    pub figures: [f32; 5],
}

impl Row {
    /// What an event says.
    pub fn of(row: &StepRow) -> Self {
        Self {
            step: narrow(row.step),
            elapsed: float(row.elapsed_secs),
            figures: [
                float(row.loss),
                float(row.learning_rate),
                float(row.gradient_norm),
                float(row.tokens_per_second),
                row.peak_bytes.map_or(f32::NAN, |bytes| bytes as f32),
            ],
        }
    }
}

/// One evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Updates made before it.
    pub step: u32,
    /// Seconds since the run started.
    pub elapsed: f32,
    /// Loss on the held-out examples; NaN if it was no number.
    pub loss: f32,
    /// Whether it was the lowest so far.
    pub best: bool,
}

/// The figures of a run, ascending in step and time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    steps: Vec<u32>,
    elapsed: Vec<f32>,
    figures: [Vec<f32>; 5],
    evaluations: Vec<Evaluation>,
}

impl Columns {
    /// Steps that are known; a live run's events may leave some out.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// A figure of every known step.
    pub fn of(&self, figure: Figure) -> &[f32] {
        &self.figures[figure.place()]
    }

    /// The evaluations.
    pub fn evaluations(&self) -> &[Evaluation] {
        &self.evaluations
    }

    /// A row's number of the step.
    pub fn step(&self, row: usize) -> u32 {
        self.steps.get(row).copied().unwrap_or(0)
    }

    /// A row's place under the curves.
    pub fn x(&self, row: usize, axis: XAxis) -> f64 {
        match axis {
            XAxis::Step => f64::from(self.step(row)),
            XAxis::Time => f64::from(self.elapsed.get(row).copied().unwrap_or(0.0)),
        }
    }

    /// Where curves begin and end.
    pub fn extent(&self, axis: XAxis) -> Option<[f64; 2]> {
        let last = self.len().checked_sub(1)?;
        Some([self.x(0, axis), self.x(last, axis)])
    }

    /// The place of an evaluation under the curves.
    pub fn evaluation_x(&self, evaluation: &Evaluation, axis: XAxis) -> f64 {
        match axis {
            XAxis::Step => f64::from(evaluation.step),
            XAxis::Time => f64::from(evaluation.elapsed),
        }
    }

    /// Adds a step. One that is not behind the last was made again after a pause, and takes the place
    /// of what followed the checkpoint.
    pub fn push(&mut self, row: Row) {
        if self.steps.last().is_some_and(|last| row.step <= *last) {
            self.cut_back_to(row.step.saturating_sub(1));
        }
        if self.steps.len() == MAX_ROWS {
            return;
        }
        let before = self.elapsed.last().copied().unwrap_or(0.0);
        self.steps.push(row.step);
        // Ascending whatever a file says; `max` takes the number where one is NaN.
        self.elapsed.push(row.elapsed.max(before));
        for (column, figure) in self.figures.iter_mut().zip(row.figures) {
            column.push(figure);
        }
    }

    /// Adds an evaluation, in place of an earlier one of the same step.
    pub fn push_evaluation(&mut self, row: &EvaluationRow) {
        let step = narrow(row.step);
        let kept = self.evaluations.partition_point(|known| known.step < step);
        self.evaluations.truncate(kept);
        if self.evaluations.len() == MAX_EVALUATIONS {
            return;
        }
        self.evaluations.push(Evaluation {
            step,
            elapsed: self.elapsed.last().copied().unwrap_or(0.0),
            loss: float(row.loss),
            best: row.best,
        });
    }

    /// Forgets what comes after a step.
    pub fn cut_back_to(&mut self, step: u32) {
        let rows = self.steps.partition_point(|known| *known <= step);
        self.steps.truncate(rows);
        self.elapsed.truncate(rows);
        for column in &mut self.figures {
            column.truncate(rows);
        }
        let kept = self.evaluations.partition_point(|known| known.step <= step);
        self.evaluations.truncate(kept);
    }

    /// Adds what another part of the same run holds.
    pub fn append(&mut self, later: &Self) {
        let mut evaluations = later.evaluations.iter().peekable();
        for row in 0..later.len() {
            self.push(later.row(row));
            while let Some(evaluation) = evaluations.next_if(|next| next.step <= later.step(row)) {
                self.evaluations.push(*evaluation);
            }
        }
        self.evaluations.extend(evaluations);
    }

    /// Forgets a step and what comes before it.
    pub fn drop_until(&mut self, step: u32) {
        let rows = self.steps.partition_point(|known| *known <= step);
        self.steps.drain(..rows);
        self.elapsed.drain(..rows);
        for column in &mut self.figures {
            column.drain(..rows);
        }
        let evaluations = self.evaluations.partition_point(|known| known.step <= step);
        self.evaluations.drain(..evaluations);
    }

    /// Everything of one row.
    pub fn row(&self, row: usize) -> Row {
        let at = |column: &[f32]| column.get(row).copied().unwrap_or(f32::NAN);
        Row {
            step: self.step(row),
            elapsed: at(&self.elapsed),
            figures: std::array::from_fn(|place| at(&self.figures[place])),
        }
    }

    /// The row that is nearest to a place under the curves.
    pub fn nearest(&self, x: f64, axis: XAxis) -> Option<usize> {
        let last = self.len().checked_sub(1)?;
        let after = self.rows_before(x, axis).min(last);
        let before = after.saturating_sub(1);
        let far = |row| (self.x(row, axis) - x).abs();
        Some(if far(before) <= far(after) {
            before
        } else {
            after
        })
    }

    /// Rows that lie to the left of a place.
    pub fn rows_before(&self, x: f64, axis: XAxis) -> usize {
        match axis {
            XAxis::Step => self.steps.partition_point(|step| f64::from(*step) < x),
            XAxis::Time => self.elapsed.partition_point(|at| f64::from(*at) < x),
        }
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn float(figure: Option<f64>) -> f32 {
    figure.map_or(f32::NAN, |figure| figure as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: u32, elapsed: f32, loss: f32) -> Row {
        Row {
            step,
            elapsed,
            figures: [loss, f32::NAN, f32::NAN, f32::NAN, f32::NAN],
        }
    }

    fn evaluation(step: usize) -> EvaluationRow {
        EvaluationRow {
            step,
            loss: Some(1.0),
            best: false,
        }
    }

    #[test]
    fn a_resumed_run_overwrites_what_it_makes_again() {
        let mut columns = Columns::default();
        for step in 1..=10 {
            columns.push(row(step, step as f32, 1.0));
        }
        columns.push_evaluation(&evaluation(10));
        columns.push(row(6, 20.0, 2.0));
        assert_eq!(columns.len(), 6);
        assert_eq!(columns.of(Figure::Loss), [1.0, 1.0, 1.0, 1.0, 1.0, 2.0]);
        assert!(columns.evaluations().is_empty());
    }

    #[test]
    fn time_never_runs_backwards() {
        let mut columns = Columns::default();
        for (step, elapsed) in [(1, 5.0), (2, f32::NAN), (3, 2.0), (4, 9.0)] {
            columns.push(row(step, elapsed, 1.0));
        }
        let times: Vec<f64> = (0..4).map(|at| columns.x(at, XAxis::Time)).collect();
        assert_eq!(times, [5.0, 5.0, 5.0, 9.0]);
    }

    #[test]
    fn the_nearest_row_is_found() {
        let mut columns = Columns::default();
        assert_eq!(columns.nearest(3.0, XAxis::Step), None);
        for step in [10, 20, 30] {
            columns.push(row(step, step as f32, 1.0));
        }
        for (x, nearest) in [(-5.0, 0), (14.0, 0), (16.0, 1), (26.0, 2), (99.0, 2)] {
            assert_eq!(columns.nearest(x, XAxis::Step), Some(nearest), "{x}");
        }
    }

    #[test]
    fn parts_of_a_run_are_joined() {
        let (mut first, mut second) = (Columns::default(), Columns::default());
        for step in 1..=4 {
            first.push(row(step, step as f32, 1.0));
        }
        for step in 4..=6 {
            second.push(row(step, step as f32, 2.0));
        }
        second.push_evaluation(&evaluation(6));
        first.append(&second);
        assert_eq!(first.of(Figure::Loss), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
        assert_eq!(first.evaluations().len(), 1);
    }
}
