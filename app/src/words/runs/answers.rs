//! The words of a run's answers to held-out prompts.

use stepladder_protocol::FinishReason;

use crate::text::{count, thousands};

/// The card.
pub const ANSWERS: &str = "Answers to held-out prompts";
/// It is being read.
pub const READING_ANSWERS: &str = "Reading answers…";
/// There are none, and there will be.
pub const NO_ANSWERS_YET: &str = "The model answers at each evaluation. The first is yet to come.";
/// There are none.
pub const NO_ANSWERS: &str =
    "This run kept no answers. Answers shown, among the advanced settings, lets a run keep some.";
/// The file cannot be read.
pub const ANSWERS_FAILED: &str = "The answers cannot be read";
/// Leads to the evaluation before.
pub const EARLIER: &str = "Earlier evaluation";
/// Leads to the evaluation after.
pub const LATER: &str = "Later evaluation";
/// Leads to the newest.
pub const NEWEST: &str = "Newest";
/// What the dataset says.
pub const REFERENCE: &str = "Reference answer";
/// The model said nothing.
pub const SAID_NOTHING: &str = "It ended without a word.";
/// All it said was a thought.
pub const ONLY_THOUGHT: &str = "It came to no answer.";
/// What was thought.
pub const REASONING: &str = "Reasoning";
/// All that the model saw.
pub const WHOLE_PROMPT: &str = "Whole prompt";

/// Which evaluation is looked at.
pub fn evaluation_at(step: usize, (place, of): (usize, usize)) -> String {
    format!(
        "Step {} · evaluation {} of {}",
        thousands(step as u64),
        thousands(place as u64),
        thousands(of as u64)
    )
}

/// A prompt's heading.
pub fn prompt(number: usize) -> String {
    format!("Prompt {}", thousands(number as u64 + 1))
}

/// The heading of what the model said.
pub fn answer_at(step: usize) -> String {
    format!("Answer at step {}", thousands(step as u64))
}

/// What can be unfolded, for those who do not see beside what it stands.
pub fn unfold(what: &str, heading: &str, number: usize) -> String {
    format!("{what}, {heading}, {}", prompt(number))
}

/// The same with its length.
pub fn reasoning(tokens: Option<usize>) -> String {
    match tokens.filter(|tokens| *tokens > 0) {
        Some(tokens) => format!("{REASONING} · {}", count(tokens, "token", "tokens")),
        None => REASONING.to_owned(),
    }
}

/// An answer's length, and whether it had an end.
pub fn length(tokens: usize, finish: Option<FinishReason>) -> String {
    let tokens = count(tokens, "token", "tokens");
    match finish {
        Some(FinishReason::Length) => format!("{tokens}, cut off there"),
        Some(FinishReason::Cancelled) => format!("{tokens}, interrupted"),
        Some(FinishReason::Stop) | None => tokens,
    }
}

/// Answers that are not shown.
pub fn answers_left_out(rows: usize) -> String {
    format!(
        "{} not shown",
        count(rows, "more answer is", "more answers are")
    )
}

/// Lines of the file that are none.
pub fn answers_damaged(lines: usize) -> String {
    format!(
        "{} of samples.jsonl cannot be read",
        count(lines, "line", "lines")
    )
}
