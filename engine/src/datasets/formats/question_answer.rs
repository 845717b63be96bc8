//! `{"question": ..., "answer": ...}`, perhaps with the reasoning in a column of its own, a context
//! that the question is about (it stands above the question), or tools, where the answer may be the
//! calls themselves, as xLAM writes them.

use stepladder_protocol::DataFormat;

use super::assembly::{chat_with_tools, take_tools, with_reasoning};
use super::field::{Field, FieldKind, REASONING, SYSTEM, Shape, TOOLS};
use super::tool_calls::{calls, calls_of_answer};
use super::values::{RowValues, learned_text};
use super::{RowProblem, Sample};
use crate::datasets::conversation::{Message, Role};

pub(super) static SHAPE: Shape = Shape {
    format: DataFormat::QuestionAnswer,
    fields: &[
        Field::required(
            "question",
            FieldKind::Text,
            &["question", "problem", "query", "questions"],
            &[
                "frage",
                "fragen",
                "aufgabe",
                "requete",
                "probleme",
                "pregunta",
                "preguntas",
                "problema",
                "consulta",
                "q",
            ],
        ),
        Field::required(
            "answer",
            FieldKind::Text,
            &[
                "answer",
                "solution",
                "response",
                "answers",
                "output",
                "final_answer",
            ],
            &[
                "antwort",
                "antworten",
                "losung",
                "loesung",
                "reponse",
                "reponses",
                "respuesta",
                "respuestas",
                "solucion",
                "reply",
                "a",
            ],
        ),
        REASONING,
        SYSTEM,
        Field::optional(
            "context",
            FieldKind::Text,
            &["context", "passage"],
            &["kontext", "contexte", "contexto"],
        ),
        TOOLS,
    ],
    signatures: &[
        &["question", "answer"],
        // MATH and its kin have the bare result in `answer` and the way to it in `solution`.
        &["problem", "solution"],
        &["question", "response"],
        &["query", "response"],
        &["query", "answer"],
        &["query", "answers"],
        &["question", "answers"],
        &["question", "solution"],
        &["problem", "answer"],
        &["problem", "response"],
        &["question", "output"],
        &["query", "output"],
        &["problem", "output"],
        &["question", "final_answer"],
        &["questions", "answers"],
    ],
    parse,
};

fn parse(row: &mut RowValues) -> Result<Sample, RowProblem> {
    let place = row.place("question");
    let question = row.asked("question")?;
    let question = match row.text("context")? {
        Some(context) => format!("{context}\n\n{question}"),
        None => question,
    };
    let tools = take_tools(row)?;
    let answer = row.require("answer")?;
    let calls_tools = tools
        .is_some()
        .then(|| calls_of_answer(&answer.value))
        .flatten();
    let answer = match calls_tools {
        Some(list) => {
            let mut message = Message::new(Role::Assistant, "");
            let list = calls(list, &answer.place)?;
            message.extra.insert("tool_calls".to_owned(), list.into());
            message
        }
        None => Message::new(Role::Assistant, learned_text(answer)?),
    };
    let answer = with_reasoning(row, answer)?;
    let messages = vec![Message::new(Role::User, question), answer];
    chat_with_tools(row, messages, tools, &place)
}
