//! `{"instruction": ..., "input": ..., "output": ...}`. The input, or Dolly's `context`, stands on
//! the line below the instruction, as LLaMA-Factory puts it; `history` holds earlier questions and
//! answers.

use serde_json::Value;
use stepladder_protocol::DataFormat;

use super::assembly::{answered, chat};
use super::field::{Field, FieldKind, REASONING, SYSTEM, Shape};
use super::values::{Cell, RowValues, kind, learned_text, list, plain_text};
use super::{RowProblem, Sample};
use crate::datasets::conversation::{Message, Role};

const HISTORY_HINT: &str = "write the history as a list of [question, answer]";

pub(super) static SHAPE: Shape = Shape {
    format: DataFormat::Alpaca,
    fields: &[
        Field::required(
            "instruction",
            FieldKind::Text,
            &["instruction", "instructions"],
            &["anweisung", "befehl", "consigne", "instruccion"],
        ),
        Field::optional(
            "input",
            FieldKind::Text,
            &["input", "context"],
            &[
                "eingabe", "kontext", "entree", "contexte", "entrada", "contexto",
            ],
        ),
        Field::required(
            "output",
            FieldKind::Text,
            &["output", "response", "completion", "answer"],
            &[
                "ausgabe",
                "ergebnis",
                "sortie",
                "resultat",
                "salida",
                "resultado",
            ],
        ),
        SYSTEM,
        Field::optional(
            "history",
            FieldKind::Pairs,
            &["history"],
            &["verlauf", "historique", "historial"],
        ),
        REASONING,
    ],
    signatures: &[
        &["instruction", "output"],
        &["instruction", "response"],
        &["instruction", "completion"],
        &["instruction", "answer"],
        &["instructions", "output"],
        &["instructions", "response"],
    ],
    parse,
};

fn parse(row: &mut RowValues) -> Result<Sample, RowProblem> {
    let place = row.place("instruction");
    let mut messages = match row.take("history") {
        Some(history) => earlier_turns(history)?,
        None => Vec::new(),
    };
    // Some rows say everything in the input.
    let instruction = row.text("instruction")?;
    let input = row.text("input")?;
    let question = match (instruction, input) {
        (Some(instruction), Some(input)) => format!("{instruction}\n{input}"),
        (Some(question), None) | (None, Some(question)) => question,
        (None, None) => {
            return Err(RowProblem::new(
                format!("`{place}` is missing or empty"),
                "an answer to nothing teaches the model to guess; fill it in or remove the row",
            ));
        }
    };
    messages.push(Message::new(Role::User, question));
    let output = row.require("output")?;
    messages.push(answered(row, output)?);
    chat(row, messages, &place)
}

fn earlier_turns(history: Cell) -> Result<Vec<Message>, RowProblem> {
    let Cell { place, value } = history;
    if matches!(&value, Value::String(text) if text.trim().is_empty()) {
        return Ok(Vec::new());
    }
    let mut turns = Vec::new();
    for (index, pair) in list(value, &place, HISTORY_HINT)?.into_iter().enumerate() {
        let place = format!("{place}[{index}]");
        let problem = |what: String| RowProblem::new(format!("`{place}` is {what}"), HISTORY_HINT);
        let pair = match pair {
            Value::Array(pair) => pair,
            other => return Err(problem(format!("{}, not a pair", kind(&other)))),
        };
        let [question, answer] = <[Value; 2]>::try_from(pair)
            .map_err(|pair| problem(format!("a list of {}, not a pair", pair.len())))?;
        let at = |side: usize, value| Cell {
            place: format!("{place}[{side}]"),
            value,
        };
        turns.push(Message::new(Role::User, plain_text(at(0, question))?));
        turns.push(Message::new(Role::Assistant, learned_text(at(1, answer))?));
    }
    Ok(turns)
}
