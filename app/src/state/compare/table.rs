//! The questions as a table: what each variant did with them, in an order that the user chooses.

use std::cmp::Ordering;

use stepladder_protocol::ComparedAnswer;

use super::figures::difference_at;
use super::found::{Comparison, Row};
use crate::text::excerpt;

/// Characters of a question in the table.
const CHARACTERS: usize = 160;

/// A column that can be sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Column {
    /// The number of the question.
    Number,
    /// Reasoning tokens of the baseline.
    Baseline,
    /// Reasoning tokens of the variant.
    This,
    /// The one minus the other.
    #[default]
    Difference,
}

impl Column {
    /// Every one, from left to right.
    pub const ALL: [Self; 4] = [Self::Number, Self::Baseline, Self::This, Self::Difference];
}

/// An order of questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub column: Column,
    /// Whether the largest comes first.
    pub falling: bool,
}

impl Order {
    /// By this column; the other way round, if it was that already.
    pub fn by(&mut self, column: Column) {
        self.falling = self.column == column && !self.falling;
        self.column = column;
    }
}

/// What a variant did with a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Reasoning tokens; a lower bound where it came to no answer.
    pub tokens: usize,
    /// Whether it came to an answer.
    pub answered: bool,
    /// Whether that is right; none: not judged.
    pub right: Option<bool>,
}

impl Cell {
    fn of(answer: &ComparedAnswer) -> Self {
        use stepladder_protocol::AnswerVerdict;
        Self {
            tokens: answer.reasoning_tokens,
            answered: answer.is_answered(),
            right: match answer.verdict {
                AnswerVerdict::Right => Some(true),
                AnswerVerdict::Wrong => Some(false),
                AnswerVerdict::NotJudged => None,
            },
        }
    }
}

/// A question in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// Its number.
    pub number: usize,
    /// Its words on one line.
    pub question: String,
    /// What the baseline did.
    pub baseline: Option<Cell>,
    /// What the variant did.
    pub this: Option<Cell>,
    /// Reasoning tokens of the variant minus the baseline's, where both answered.
    pub difference: Option<i64>,
}

/// The questions in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// A row for each.
    pub rows: Vec<TableRow>,
}

impl Table {
    /// Of a comparison, a variant held against its baseline.
    pub fn of(found: &Comparison, this: usize, order: Order) -> Self {
        let cell = |row: &Row, place: usize| row.answers.get(place)?.as_ref().map(Cell::of);
        let mut rows: Vec<TableRow> = { found.rows.iter() }
            .map(|row| TableRow {
                number: row.question.number,
                question: excerpt(&row.question.question, CHARACTERS),
                baseline: cell(row, found.baseline),
                this: cell(row, this),
                difference: difference_at(row, this, found.baseline),
            })
            .collect();
        rows.sort_by(|one, other| compare(one, other, order));
        Self { rows }
    }
}

/// What has no figure comes last, whichever way round.
fn compare(one: &TableRow, other: &TableRow, order: Order) -> Ordering {
    let figure = |row: &TableRow| match order.column {
        Column::Number => Some(row.number as i64),
        Column::Baseline => row.baseline.map(|cell| cell.tokens as i64),
        Column::This => row.this.map(|cell| cell.tokens as i64),
        Column::Difference => row.difference,
    };
    let by_figure = match (figure(one), figure(other)) {
        (Some(one), Some(other)) if order.falling => other.cmp(&one),
        (Some(one), Some(other)) => one.cmp(&other),
        (one, other) => other.is_some().cmp(&one.is_some()),
    };
    by_figure.then(one.number.cmp(&other.number))
}
