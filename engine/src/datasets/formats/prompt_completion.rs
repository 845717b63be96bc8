//! `{"prompt": ..., "completion": ...}`: what is given, and what is learned. Both are texts or, as
//! TRL writes conversations, lists of turns; an assistant's turn within the prompt is given and
//! therefore not trained.

use stepladder_protocol::DataFormat;

use super::assembly::{answered, chat};
use super::field::{Field, FieldKind, REASONING, SYSTEM, Shape, TOOLS};
use super::message_list::messages_or_text;
use super::values::{Cell, RowValues, asked_text};
use super::{RowProblem, Sample};
use crate::datasets::conversation::{Message, Role};

pub(super) static SHAPE: Shape = Shape {
    format: DataFormat::PromptCompletion,
    fields: &[
        Field::required(
            "prompt",
            FieldKind::TextOrTurns,
            &["prompt", "input", "inputs", "source"],
            &[
                "eingabe",
                "aufforderung",
                "invite",
                "entree",
                "entrada",
                "quelle",
            ],
        ),
        Field::required(
            "completion",
            FieldKind::TextOrTurns,
            &[
                "completion",
                "response",
                "output",
                "outputs",
                "target",
                "targets",
                "answer",
                "solution",
            ],
            &[
                "ausgabe",
                "fortsetzung",
                "ziel",
                "sortie",
                "cible",
                "salida",
                "finalizacion",
            ],
        ),
        SYSTEM,
        REASONING,
        TOOLS,
    ],
    signatures: &[
        &["prompt", "completion"],
        &["prompt", "response"],
        &["input", "output"],
        &["source", "target"],
        &["inputs", "targets"],
        &["prompt", "output"],
        &["prompt", "answer"],
        &["prompt", "solution"],
        &["input", "completion"],
        &["input", "response"],
        &["input", "target"],
        &["input", "answer"],
        &["inputs", "outputs"],
    ],
    parse,
};

fn parse(row: &mut RowValues) -> Result<Sample, RowProblem> {
    let place = row.place("prompt");
    let mut messages = given_turns(row.require("prompt")?)?;
    match row.require("completion")? {
        turns if turns.is_turns() => messages.extend(answered_turns(row, turns)?),
        text => messages.push(answered(row, text)?),
    }
    chat(row, messages, &place)
}

/// The turns of a completion. The row's reasoning is the last answer's, if that brings none.
fn answered_turns(row: &mut RowValues, turns: Cell) -> Result<Vec<Message>, RowProblem> {
    let mut messages = messages_or_text(turns, Role::Assistant)?;
    let reasoning = row.text("reasoning")?;
    let is_answer = |message: &&mut Message| message.role == Role::Assistant;
    if let Some(last) = messages.iter_mut().rev().find(is_answer)
        && last.reasoning.is_none()
    {
        last.reasoning = reasoning;
    }
    Ok(messages)
}

/// The turns of a prompt, none of which is trained.
pub(super) fn given_turns(prompt: Cell) -> Result<Vec<Message>, RowProblem> {
    let mut messages = if prompt.is_turns() {
        messages_or_text(prompt, Role::User)?
    } else {
        vec![Message::new(Role::User, asked_text(prompt)?)]
    };
    untrained(&mut messages);
    Ok(messages)
}

/// Takes the weight of what an assistant says in a prompt.
pub(super) fn untrained(messages: &mut [Message]) {
    for message in messages.iter_mut().filter(|m| m.role == Role::Assistant) {
        message.extra.insert("weight".to_owned(), 0.into());
    }
}
