//! The table of questions, and the answers to one of them.

use stepladder_protocol::{AnswerOutcome, ComparedAnswer, TraceState};

use super::signed_whole;
use crate::state::compare::table::{Cell, Column, TableRow};
use crate::text::{count, thousands};
/// The questions' words are not in the folder yet.
pub const NO_WORDS: &str = "The words of this question are told when the comparison goes on.";
/// The table of questions.
pub const QUESTIONS_CARD: &str = "Questions";
/// The answers.
pub const ANSWERS: &str = "Answers";
/// What it should be.
pub const REFERENCE: &str = "Reference answer";
/// There is none.
pub const NO_REFERENCE: &str = "No reference answer";
/// The answer has not come.
pub const NOT_ANSWERED_YET: &str = "Not asked yet";
/// The reply is empty.
pub const NOTHING_SAID: &str = "It said nothing.";

/// A column of the table of questions.
pub fn column(column: Column, baseline: &str, this: &str) -> String {
    match column {
        Column::Number => "No.".to_owned(),
        Column::Baseline => baseline.to_owned(),
        Column::This => this.to_owned(),
        Column::Difference => "Difference".to_owned(),
    }
}

/// Sorts by it.
pub fn sort_by(name: &str) -> String {
    format!("Sort by {name}")
}

/// Who is held against whom.
pub fn against(this: &str, baseline: &str) -> String {
    format!("{this} against {baseline}")
}

fn cell(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else {
        return NOT_ANSWERED_YET.to_owned();
    };
    let judged = match (cell.answered, cell.right) {
        (_, Some(true)) => "right",
        (false, _) => "came to no answer",
        (_, Some(false)) => "wrong",
        (_, None) => "not judged",
    };
    format!("{} tokens, {judged}", thousands(cell.tokens as u64))
}

/// A question of the table, for a screen reader.
pub fn table_row(row: &TableRow, baseline: &str, this: &str) -> String {
    let difference = row.difference.map_or_else(String::new, |difference| {
        format!("; difference {}", signed_whole(difference))
    });
    format!(
        "Question {}: {} {baseline}: {}; {this}: {}{difference}",
        row.number,
        row.question,
        cell(row.baseline.as_ref()),
        cell(row.this.as_ref())
    )
}

/// A question without its words.
pub fn question(number: usize) -> String {
    format!("Question {number}")
}

/// Whether an answer is right.
pub fn verdict(right: Option<bool>) -> &'static str {
    match right {
        Some(true) => "Right",
        Some(false) => "Wrong",
        None => "Not judged",
    }
}

/// What a reply took, and what became of it.
pub fn figures(answer: &ComparedAnswer) -> String {
    let mut parts = vec![format!(
        "{} of {} reasoning",
        thousands(answer.reasoning_tokens as u64),
        count(answer.total_tokens, "token", "tokens")
    )];
    match answer.outcome {
        AnswerOutcome::Answered => {}
        AnswerOutcome::NoAnswer => parts.push("ended without an answer".to_owned()),
        AnswerOutcome::Truncated => parts.push("cut off at the limit".to_owned()),
    }
    match answer.trace {
        TraceState::Empty => parts.push("empty trace".to_owned()),
        TraceState::Missing => parts.push("no trace".to_owned()),
        TraceState::Unclosed => parts.push("ended within its trace".to_owned()),
        TraceState::Complete | TraceState::Unmarked => {}
    }
    parts.join(" · ")
}

/// Unfolds what a variant thought.
pub fn thought(tokens: usize) -> String {
    format!("Thought for {}", count(tokens, "token", "tokens"))
}

/// The final answer as it was found.
pub fn final_answer(answer: &str) -> String {
    format!("Final answer: {answer}")
}
