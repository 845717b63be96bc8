//! Tools and calls of tools, however a dataset writes them, in the form of transformers' own
//! examples, which templates are written for: a call is
//! `{"type": "function", "function": {"name": ..., "arguments": {...}}}`.
//!
//! Arguments become an object even where OpenAI's files hold a JSON text of one: most templates
//! print `arguments | tojson` and would quote a text once more.

use serde_json::{Map, Value};

use super::RowProblem;
use super::values::{Cell, from_json, kind, object, strict_text};

const CALL_HINT: &str = "write a call as {\"function\": {\"name\": ..., \"arguments\": {...}}} or {\"name\": ..., \"arguments\": {...}}";
const TOOL_HINT: &str =
    "write the tools as a list of {\"name\": ..., \"description\": ..., \"parameters\": {...}}";

/// The calls of a turn: a list of them, a single one, or the JSON text of either.
pub(super) fn calls(value: Value, place: &str) -> Result<Vec<Value>, RowProblem> {
    match parsed(value, place)? {
        Value::Array(calls) => calls
            .into_iter()
            .enumerate()
            .map(|(index, value)| call(value, &format!("{place}[{index}]")))
            .collect(),
        single => Ok(vec![call(single, place)?]),
    }
}

/// The calls that an answer consists of, if that is what it is: a list of names with arguments.
pub(super) fn calls_of_answer(answer: &Value) -> Option<Value> {
    let is_call = |value: &Value| value.get("name").is_some() && value.get("arguments").is_some();
    let is_calls = |value: &Value| {
        let calls = value.as_array();
        calls.is_some_and(|calls| !calls.is_empty() && calls.iter().all(is_call))
    };
    match answer {
        Value::String(text) if text.trim_start().starts_with('[') => {
            serde_json::from_str(text).ok().filter(is_calls)
        }
        other => is_calls(other).then(|| other.clone()),
    }
}

/// The tools beside a conversation, as a list; `None` if there are none.
pub(super) fn tools(cell: Cell) -> Result<Option<Value>, RowProblem> {
    let Cell { place, value } = cell;
    if matches!(&value, Value::String(text) if text.trim().is_empty()) {
        return Ok(None);
    }
    let entries = match parsed(value, &place)? {
        Value::Array(entries) => entries,
        single @ Value::Object(_) => vec![single],
        Value::Null => Vec::new(),
        other => {
            let problem = format!("`{place}` is {}, not a list of tools", kind(&other));
            return Err(RowProblem::new(problem, TOOL_HINT));
        }
    };
    let tools: Vec<Value> = entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| tool(entry, &format!("{place}[{index}]")))
        .collect::<Result<_, _>>()?;
    Ok((!tools.is_empty()).then_some(Value::Array(tools)))
}

fn tool(entry: Value, place: &str) -> Result<Value, RowProblem> {
    let entry = object(parsed(entry, place)?, place, TOOL_HINT)?;
    if entry.contains_key("function") || entry.contains_key("type") {
        return Ok(Value::Object(entry));
    }
    strict_text(entry.get("name").cloned(), &format!("{place}.name"))?;
    Ok(function(Value::Object(entry)))
}

fn call(value: Value, place: &str) -> Result<Value, RowProblem> {
    let mut call = object(parsed(value, place)?, place, CALL_HINT)?;
    call.retain(|_, value| !value.is_null());
    if let Some(inner) = call.get_mut("function") {
        let place = format!("{place}.function");
        *inner = named_arguments(object(inner.take(), &place, CALL_HINT)?, &place)?;
        return Ok(Value::Object(call));
    }
    let id = call.shift_remove("id");
    let mut wrapped = function(named_arguments(call, place)?);
    if let (Some(id), Some(fields)) = (id, wrapped.as_object_mut()) {
        fields.insert("id".to_owned(), id);
    }
    Ok(wrapped)
}

fn named_arguments(mut call: Map<String, Value>, place: &str) -> Result<Value, RowProblem> {
    strict_text(call.get("name").cloned(), &format!("{place}.name"))?;
    // Llama's own examples say `parameters`.
    let key = match call.contains_key("arguments") {
        false if call.contains_key("parameters") => "parameters",
        _ => "arguments",
    };
    let arguments = match call.shift_remove(key) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::String(text)) if text.trim().is_empty() => Map::new(),
        Some(value) => {
            let place = format!("{place}.{key}");
            object(parsed(value, &place)?, &place, CALL_HINT)?
        }
    };
    call.insert("arguments".to_owned(), Value::Object(arguments));
    Ok(Value::Object(call))
}

fn function(inner: Value) -> Value {
    let mut outer = Map::new();
    outer.insert("type".to_owned(), "function".into());
    outer.insert("function".to_owned(), inner);
    Value::Object(outer)
}

/// A value, read if it is the JSON text of one.
fn parsed(value: Value, place: &str) -> Result<Value, RowProblem> {
    match value {
        Value::String(text) => from_json(&text, place),
        other => Ok(other),
    }
}
