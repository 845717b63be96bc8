//! What every conversation must have, whatever format it came in.
//!
//! Which roles may follow which is the chat template's to say: some take a system message anywhere,
//! some want user and assistant to alternate, and a row that the model's template refuses is
//! reported with the template's own words. Here only what no template can make sense of is a
//! problem: nothing to learn, an answer to nothing, the result of a call that nobody made. An
//! assistant may speak first (a greeting) where a system message stands before it or somebody
//! speaks later.

use super::RowProblem;
use crate::datasets::conversation::{Message, Role};

/// Checks that there is something to learn, and something that it answers.
pub(super) fn check_answers(messages: &[Message]) -> Result<(), RowProblem> {
    let mut answers = messages
        .iter()
        .filter(|m| m.role == Role::Assistant)
        .peekable();
    if answers.peek().is_none() {
        return Err(RowProblem::new(
            "the row has no assistant turn, so there is nothing to learn from it",
            "add the answer as a message with \"role\": \"assistant\", or remove the row",
        ));
    }
    if answers.all(Message::has_no_weight) {
        return Err(RowProblem::new(
            "every assistant turn of the row has the weight 0, so there is nothing to learn from it",
            "give one the weight 1, or remove the row",
        ));
    }
    if messages.iter().all(|m| m.role == Role::Assistant) {
        return Err(RowProblem::new(
            "only the assistant speaks in the row, so its words answer nothing",
            "put a user turn or a system message before them; texts without turns have the format text",
        ));
    }
    Ok(())
}

/// Checks that what tools say follows a call, in turns that stand in the column `place`.
pub(super) fn check_tool_results(messages: &[Message], place: &str) -> Result<(), RowProblem> {
    let mut before = None;
    for (index, message) in messages.iter().enumerate() {
        let follows_call = matches!(before, Some(Role::Assistant | Role::Tool));
        if message.role == Role::Tool && !follows_call {
            return Err(RowProblem::new(
                format!("`{place}[{index}]` is a tool's, but no assistant turn stands before it"),
                "a tool's result follows the assistant turn that calls it",
            ));
        }
        before = Some(message.role);
    }
    Ok(())
}
