//! Lists of turns, as every format that has them writes them: OpenAI's `role` and `content`,
//! ShareGPT's `from` and `value`, and the names for roles that are in use. What else stands in a
//! turn (`name`, `tool_call_id`, `weight`, ...) goes along to the chat template; nulls do not,
//! because Parquet has a value for every field of every turn.

use serde_json::{Map, Value};

use super::RowProblem;
use super::tool_calls;
use super::values::{Cell, empty_answer, kind, list, missing, object, plain_text, strict_text};
use crate::datasets::conversation::{Message, Role};
use crate::foreign_text::visible_excerpt;
use crate::models::chat_template::REASONING_FIELDS;

const LIST_HINT: &str = "write the turns as a list of objects with `role` and `content`";
const TURN_HINT: &str = "write each turn as an object with `role` and `content`";

/// What a role's name says.
enum Speaker {
    Role(Role),
    /// The assistant, calling tools: the content is the calls.
    Call,
}

fn speaker(name: &str) -> Option<Speaker> {
    Some(match name.trim().to_lowercase().as_str() {
        "system" | "developer" => Speaker::Role(Role::System),
        "user" | "human" => Speaker::Role(Role::User),
        "assistant" | "gpt" | "chatgpt" | "bing" | "bard" | "model" | "bot" => {
            Speaker::Role(Role::Assistant)
        }
        "tool" | "function" | "observation" | "tool_response" | "function_response" => {
            Speaker::Role(Role::Tool)
        }
        "function_call" | "tool_call" => Speaker::Call,
        _ => return None,
    })
}

/// The messages of a list of turns.
pub(super) fn messages(Cell { place, value }: Cell) -> Result<Vec<Message>, RowProblem> {
    list(value, &place, LIST_HINT)?
        .into_iter()
        .enumerate()
        .map(|(index, turn)| message(turn, &format!("{place}[{index}]")))
        .collect()
}

/// The messages of a list of turns, of a single turn, or of a text that `role` says.
pub(super) fn messages_or_text(cell: Cell, role: Role) -> Result<Vec<Message>, RowProblem> {
    match cell.value {
        Value::Array(_) => messages(cell),
        turn @ Value::Object(_) => Ok(vec![message(turn, &cell.place)?]),
        _ => Ok(vec![Message::new(role, plain_text(cell)?)]),
    }
}

fn message(turn: Value, place: &str) -> Result<Message, RowProblem> {
    let mut fields = object(turn, place, TURN_HINT)?;
    let at = |field: &str| format!("{place}.{field}");
    let (key, name) = take_first(&mut fields, ["role", "from"]);
    let name = strict_text(name, &at(key))?;
    let speaker = speaker(&name).ok_or_else(|| {
        RowProblem::new(
            format!("`{}` is \"{}\"", at(key), visible_excerpt(&name, 40)),
            "the roles are system, user, assistant and tool",
        )
    })?;
    let (key, content) = take_first(&mut fields, ["content", "value"]);
    let content_at = at(key);
    fields.retain(|_, value| !value.is_null());
    check_weight(&fields, &at("weight"))?;
    let reasoning = take_reasoning(&mut fields, place)?;
    let mut calls = take_calls(&mut fields, place)?;
    let (role, content) = match speaker {
        Speaker::Call => {
            let value = content.ok_or_else(|| missing(&content_at))?;
            calls.extend(tool_calls::calls(value, &content_at)?);
            (Role::Assistant, String::new())
        }
        // An assistant that calls a tool need not say anything.
        Speaker::Role(role) if !calls.is_empty() && content.as_ref().is_none_or(Value::is_null) => {
            (role, String::new())
        }
        Speaker::Role(role) => (role, content_text(content, &content_at)?),
    };
    let says_nothing = content.trim().is_empty() && reasoning.is_none() && calls.is_empty();
    if role == Role::Assistant && says_nothing {
        return Err(empty_answer(format!(
            "`{content_at}` is an empty assistant turn"
        )));
    }
    if !calls.is_empty() {
        fields.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    Ok(Message {
        role,
        content,
        reasoning,
        extra: fields,
    })
}

/// Takes the first of two fields that says something, or the one that says null.
fn take_first(
    fields: &mut Map<String, Value>,
    names: [&'static str; 2],
) -> (&'static str, Option<Value>) {
    let filled = |name: &&str| fields.get(*name).is_some_and(|value| !value.is_null());
    let found = names.into_iter().find(|name| filled(name));
    let there = names.into_iter().find(|name| fields.contains_key(*name));
    let name = found.or(there).unwrap_or(names[0]);
    // `shift_remove` keeps the order of the fields that stay.
    (name, fields.shift_remove(name))
}

fn take_reasoning(
    fields: &mut Map<String, Value>,
    place: &str,
) -> Result<Option<String>, RowProblem> {
    let mut reasoning = None;
    for field in REASONING_FIELDS {
        if let Some(value) = fields.shift_remove(field) {
            let text = strict_text(Some(value), &format!("{place}.{field}"))?;
            reasoning = reasoning.or(Some(text).filter(|text| !text.trim().is_empty()));
        }
    }
    Ok(reasoning)
}

/// Takes `tool_calls`, and the single `function_call` of OpenAI's older files.
fn take_calls(fields: &mut Map<String, Value>, place: &str) -> Result<Vec<Value>, RowProblem> {
    let mut calls = Vec::new();
    for field in ["tool_calls", "function_call"] {
        match fields.shift_remove(field) {
            None => {}
            Some(Value::String(text)) if text.trim().is_empty() => {}
            Some(value) => calls.extend(tool_calls::calls(value, &format!("{place}.{field}"))?),
        }
    }
    Ok(calls)
}

/// OpenAI's files say with a weight of 0 that a turn is not trained.
fn check_weight(fields: &Map<String, Value>, place: &str) -> Result<(), RowProblem> {
    match fields.get("weight") {
        Some(weight) if !matches!(weight.as_f64(), Some(w) if w == 0.0 || w == 1.0) => {
            Err(RowProblem::new(
                format!("`{place}` is {}", visible_excerpt(&weight.to_string(), 20)),
                "a turn's weight is 1, or 0 if it is not to be trained",
            ))
        }
        _ => Ok(()),
    }
}

/// What a turn says: a text, or a list of parts, whose texts follow each other as templates print
/// them.
fn content_text(content: Option<Value>, place: &str) -> Result<String, RowProblem> {
    match content {
        Some(Value::Array(parts)) => parts
            .into_iter()
            .enumerate()
            .map(|(index, part)| part_text(part, &format!("{place}[{index}]")))
            .collect(),
        content => strict_text(content, place),
    }
}

fn part_text(part: Value, place: &str) -> Result<String, RowProblem> {
    let mut part = match part {
        Value::String(text) => return Ok(text),
        part => object(
            part,
            place,
            "write each part as {\"type\": \"text\", \"text\": ...}",
        )?,
    };
    part.retain(|_, value| !value.is_null());
    let kind_of_part = match part.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(other) => {
            return Err(RowProblem::new(
                format!("`{place}.type` is {}, not a text", kind(other)),
                "write each part as {\"type\": \"text\", \"text\": ...}",
            ));
        }
        None if part.contains_key("text") => "text",
        None => part.keys().next().map_or("", String::as_str),
    };
    for (medium, plural) in [("image", "images"), ("audio", "sound"), ("video", "videos")] {
        if kind_of_part.contains(medium) {
            return Err(media(&format!("`{place}` is of type {medium}"), plural));
        }
    }
    match kind_of_part {
        "text" | "input_text" | "output_text" => {
            strict_text(part.shift_remove("text"), &format!("{place}.text"))
        }
        other => Err(RowProblem::new(
            format!(
                "`{place}` is of the unknown type \"{}\"",
                visible_excerpt(other, 40)
            ),
            "only parts of the type text can be trained on; take the others out or remove the row",
        )),
    }
}

/// The problem that something other than text would have to be seen or heard.
pub(super) fn media(found: &str, plural: &str) -> RowProblem {
    RowProblem::new(
        format!("{found}, and {plural} cannot be trained on"),
        "Stepladder trains on text alone; remove the row",
    )
}
