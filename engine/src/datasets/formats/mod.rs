//! Formats of rows. Each is a file with two functions, entered in [`FORMATS`]: does a row look like
//! it, and what does the row say. The first row of a source decides for all of them, so that a row
//! that lacks a field is an error in that row and not a change of format.

mod messages;
mod prompt_completion;

use serde_json::Value;

use super::conversation::{Message, Role};
pub use super::row::{Fields, RowProblem};
use crate::foreign_text::visible_excerpt;

/// A way to write conversations as rows.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// What the format is called in reports.
    pub name: &'static str,
    recognizes: fn(&Fields) -> bool,
    parse: fn(Fields) -> Result<Vec<Message>, RowProblem>,
}

/// Every format, the more specific first.
pub const FORMATS: [Format; 2] = [messages::FORMAT, prompt_completion::FORMAT];

impl Format {
    /// The format of a row, by its fields.
    pub fn detect(fields: &Fields) -> Result<Self, RowProblem> {
        FORMATS.into_iter().find(|format| (format.recognizes)(fields)).ok_or_else(|| {
            let found = match fields.len() {
                0 => "it has no fields".to_owned(),
                _ => format!("its fields are {}", field_names(fields)),
            };
            RowProblem::new(
                format!("the row has neither `messages` nor `prompt` and `completion`; {found}"),
                "write each row as {\"messages\": [{\"role\": \"user\", \"content\": ...}, \
                 {\"role\": \"assistant\", \"content\": ...}]} or {\"prompt\": ..., \"completion\": ...}",
            )
        })
    }

    /// The messages of a row, of which at least one is an assistant's that says something.
    pub fn parse(&self, fields: Fields) -> Result<Vec<Message>, RowProblem> {
        let messages = (self.parse)(fields)?;
        if !messages
            .iter()
            .any(|message| message.role == Role::Assistant)
        {
            return Err(RowProblem::new(
                "the row has no assistant turn, so there is nothing to learn from it",
                "add the answer as a message with \"role\": \"assistant\", or remove the row",
            ));
        }
        Ok(messages)
    }
}

/// Reads a row's JSON.
pub fn parse_fields(text: &str) -> Result<Fields, RowProblem> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Err(RowProblem::new(
            format!("the row is {}, not an object", kind(&other)),
            "each line must be one JSON object",
        )),
        Err(error) => {
            let message = error.to_string();
            let what = message.split(" at line ").next().unwrap_or_default();
            let hint = if text.trim() == "[" {
                "this looks like a JSON array over several lines; JSONL has one object per line"
            } else {
                "each line must be one complete JSON object; repair or remove this line"
            };
            Err(RowProblem::new(
                format!("not valid JSON: {what} at column {}", error.column()),
                hint,
            ))
        }
    }
}

/// A text of a row.
fn text_field(value: Option<&Value>, name: &str) -> Result<String, RowProblem> {
    match value {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(RowProblem::new(
            format!("`{name}` is {}, not a text", kind(other)),
            "write it as a text in quotation marks",
        )),
        None => Err(RowProblem::new(
            format!("`{name}` is missing"),
            "every row of a file needs the fields that its first row has",
        )),
    }
}

/// A value's kind, for messages.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn field_names(fields: &Fields) -> String {
    let shown: Vec<String> = fields
        .keys()
        .take(8)
        .map(|name| format!("`{}`", visible_excerpt(name, 40)))
        .collect();
    let more = if fields.len() > shown.len() {
        ", ..."
    } else {
        ""
    };
    shown.join(", ") + more
}

/// Runs a row through detection and parsing, as the tests of each format do.
#[cfg(test)]
fn parse_row(text: &str) -> Result<Vec<Message>, String> {
    let parse = || {
        let fields = parse_fields(text)?;
        Format::detect(&fields)?.parse(fields)
    };
    parse().map_err(|problem| problem.problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_no_objects() {
        let problem = |text| parse_row(text).unwrap_err();
        assert_eq!(
            problem(r#"{"messages": [}"#),
            "not valid JSON: expected value at column 15"
        );
        assert_eq!(
            problem(r#"{"a": 1"#),
            "not valid JSON: EOF while parsing an object at column 7"
        );
        assert_eq!(
            problem(r#"{"a": 1} {"b": 2}"#),
            "not valid JSON: trailing characters at column 10"
        );
        assert_eq!(problem("[1]"), "the row is a list, not an object");
        assert_eq!(problem("\"x\""), "the row is a text, not an object");
        assert!(parse_fields("[").unwrap_err().hint.contains("JSON array"));
        assert!(
            parse_fields(&"[".repeat(100_000))
                .unwrap_err()
                .problem
                .contains("recursion limit")
        );
    }

    #[test]
    fn rows_of_no_known_format() {
        let problem = |text| parse_row(text).unwrap_err();
        assert_eq!(
            problem(r#"{"text": "x", "id\u001b": 4}"#),
            "the row has neither `messages` nor `prompt` and `completion`; its fields are `text`, `id\\u{1b}`"
        );
        assert_eq!(
            problem("{}"),
            "the row has neither `messages` nor `prompt` and `completion`; it has no fields"
        );
        assert!(problem(r#"{"prompt": "only"}"#).ends_with("its fields are `prompt`"));
    }
}
