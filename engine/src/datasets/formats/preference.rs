//! `{"prompt": ..., "chosen": ..., "rejected": ...}`: two answers of which one was preferred. The
//! chosen one is trained on; the rejected one is not read. Sides are texts, lists of turns (with or
//! without the prompt at their beginning), single turns, or dialogues as HH-RLHF writes them, in one
//! text with `Human:` and `Assistant:` before the turns.

use serde_json::Value;
use stepladder_protocol::DataFormat;

use super::assembly::chat;
use super::field::{Field, FieldKind, SYSTEM, Shape};
use super::message_list::messages_or_text;
use super::prompt_completion::{given_turns, untrained};
use super::values::{Cell, RowValues, empty_answer, learned_text};
use super::{RowProblem, Sample};
use crate::datasets::conversation::{Message, Role};

pub(super) static SHAPE: Shape = Shape {
    format: DataFormat::Preference,
    fields: &[
        Field::optional(
            "prompt",
            FieldKind::TextOrTurns,
            &[
                "prompt",
                "question",
                "instruction",
                "input",
                "query",
                "problem",
                "conversations",
            ],
            &["frage", "eingabe", "pregunta", "entrada", "entree"],
        ),
        Field::required(
            "chosen",
            FieldKind::TextOrTurns,
            &["chosen", "chosen_response", "response_chosen", "preferred"],
            &["gewahlt", "bevorzugt", "choisi", "elegido", "preferido"],
        ),
        Field::required(
            "rejected",
            FieldKind::TextOrTurns,
            &[
                "rejected",
                "rejected_response",
                "response_rejected",
                "dispreferred",
            ],
            &["abgelehnt", "verworfen", "rejete", "rechazado"],
        ),
        SYSTEM,
    ],
    signatures: &[
        &["chosen", "rejected"],
        &["chosen_response", "rejected_response"],
        &["response_chosen", "response_rejected"],
        &["preferred", "dispreferred"],
        &["preferred", "rejected"],
    ],
    parse,
};

fn parse(row: &mut RowValues) -> Result<Sample, RowProblem> {
    let place = row.place("chosen");
    let prompt = match row.take("prompt") {
        Some(prompt) => given(prompt)?,
        None => Vec::new(),
    };
    let chosen = preferred(row.require("chosen")?)?;
    let asks = |messages: &[Message]| messages.iter().any(|message| message.role == Role::User);
    if !asks(&prompt) && !asks(&chosen) {
        return Err(RowProblem::new(
            format!("`{place}` answers nothing: the row has no prompt, and no user speaks in it"),
            "add a column `prompt`, or begin the sides with the user's turn",
        ));
    }
    // A side that does not begin with the answer is the whole conversation.
    let continues = chosen
        .first()
        .is_some_and(|first| first.role == Role::Assistant);
    let messages = match continues {
        true => prompt.into_iter().chain(chosen).collect(),
        false => chosen,
    };
    chat(row, messages, &place)
}

fn given(prompt: Cell) -> Result<Vec<Message>, RowProblem> {
    let Some(mut turns) = dialogue(&prompt.value) else {
        return given_turns(prompt);
    };
    // `Assistant:` at the end opens the answer.
    turns.pop_if(|last| last.role == Role::Assistant && last.content.is_empty());
    untrained(&mut turns);
    Ok(turns)
}

fn preferred(side: Cell) -> Result<Vec<Message>, RowProblem> {
    if let Some(turns) = dialogue(&side.value) {
        let is_empty = |turn: &Message| turn.role == Role::Assistant && turn.content.is_empty();
        return match turns.iter().any(is_empty) {
            true => Err(empty_answer(format!(
                "`{}` has an empty answer",
                side.place
            ))),
            false => Ok(turns),
        };
    }
    match side.is_turns() {
        true => messages_or_text(side, Role::Assistant),
        false => Ok(vec![Message::new(Role::Assistant, learned_text(side)?)]),
    }
}

/// The turns of a text as HH-RLHF writes it; `None` if it is not written like that.
fn dialogue(value: &Value) -> Option<Vec<Message>> {
    const SPEAKERS: [(&str, Role); 2] = [
        ("\n\nHuman:", Role::User),
        ("\n\nAssistant:", Role::Assistant),
    ];
    let text = value.as_str()?;
    let opening = |at: usize| {
        let rest = &text[at..];
        let speaker = SPEAKERS
            .iter()
            .find(|(marker, _)| rest.starts_with(marker))?;
        Some((at, at + speaker.0.len(), speaker.1))
    };
    let (_, mut start, mut role) = opening(0).filter(|(.., role)| *role == Role::User)?;
    let mut turns = Vec::new();
    for (end, next_start, next_role) in text.match_indices('\n').filter_map(|(at, _)| opening(at)) {
        if end >= start {
            turns.push(Message::new(role, text[start..end].trim()));
            (start, role) = (next_start, next_role);
        }
    }
    turns.push(Message::new(role, text[start..].trim()));
    let is_answered = turns.iter().any(|turn| turn.role == Role::Assistant);
    is_answered.then_some(turns)
}
