//! What every format of conversations does at its end: the reasoning goes to its answer, the system
//! text above the turns and the tools beside them, and the whole is checked.

use serde_json::Value;

use super::tool_calls::tools;
use super::turn_order::{check_answers, check_tool_results};
use super::values::{Cell, RowValues, learned_text};
use super::{RowProblem, Sample};
use crate::datasets::conversation::{Chat, Message, Role};

/// The answer that a row ends with.
pub(super) fn answered(row: &mut RowValues, answer: Cell) -> Result<Message, RowProblem> {
    let answer = Message::new(Role::Assistant, learned_text(answer)?);
    with_reasoning(row, answer)
}

/// An answer with the row's reasoning, if there is any.
pub(super) fn with_reasoning(
    row: &mut RowValues,
    mut answer: Message,
) -> Result<Message, RowProblem> {
    answer.reasoning = row.text("reasoning")?;
    Ok(answer)
}

/// The tools beside a row's turns.
pub(super) fn take_tools(row: &mut RowValues) -> Result<Option<Value>, RowProblem> {
    row.take("tools").map_or(Ok(None), tools)
}

/// The conversation of a row whose turns stand in the column `place`.
pub(super) fn chat(
    row: &mut RowValues,
    messages: Vec<Message>,
    place: &str,
) -> Result<Sample, RowProblem> {
    let tools = take_tools(row)?;
    chat_with_tools(row, messages, tools, place)
}

/// The same with tools that are taken already.
pub(super) fn chat_with_tools(
    row: &mut RowValues,
    mut messages: Vec<Message>,
    tools: Option<Value>,
    place: &str,
) -> Result<Sample, RowProblem> {
    check_tool_results(&messages, place)?;
    // Turns that begin with a system message bring their own.
    let has_system = messages
        .first()
        .is_some_and(|first| first.role == Role::System);
    if let Some(system) = row.text("system")?.filter(|_| !has_system) {
        messages.insert(0, Message::new(Role::System, system));
    }
    check_answers(&messages)?;
    Ok(Sample::Chat(Chat { messages, tools }))
}
