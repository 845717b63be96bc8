//! The values of a row under the names of a format's fields, and the problems when one of them is
//! not what the field holds. Problems name the column as the file does.

use serde_json::{Map, Value};

use super::columns::Columns;
use super::{Fields, RowProblem};
use crate::foreign_text::visible_excerpt;

const EMPTY_ANSWER: &str =
    "an empty answer teaches the model to say nothing; fill it in or remove the row";
const EMPTY_QUESTION: &str =
    "an answer to nothing teaches the model to guess; fill it in or remove the row";

/// A row whose columns are known by the names of fields.
pub(super) struct RowValues<'a> {
    columns: &'a Columns,
    fields: Fields,
}

/// A value and what to call it in messages.
pub(super) struct Cell {
    pub(super) place: String,
    pub(super) value: Value,
}

impl Cell {
    /// Whether turns stand in it, and not a text.
    pub(super) fn is_turns(&self) -> bool {
        matches!(self.value, Value::Array(_) | Value::Object(_))
    }
}

impl<'a> RowValues<'a> {
    pub(super) fn new(columns: &'a Columns, fields: Fields) -> Self {
        Self { columns, fields }
    }

    /// Takes a field's value; null is no value. An optional field that the first rows lack is still
    /// found by its usual names.
    pub(super) fn take(&mut self, field: &str) -> Option<Cell> {
        let column = match self.columns.column(field) {
            Some(column) => column,
            None => self
                .columns
                .late_names(field)
                .find(|name| self.fields.get(*name).is_some_and(|value| !value.is_null()))?,
        };
        let value = self.fields.get_mut(column).map(Value::take)?;
        let place = visible_excerpt(column, 40);
        (!value.is_null()).then_some(Cell { place, value })
    }

    /// What to call a field in messages: its column.
    pub(super) fn place(&self, field: &str) -> String {
        visible_excerpt(self.columns.column(field).unwrap_or(field), 40)
    }

    /// Takes a field that every row needs.
    pub(super) fn require(&mut self, field: &str) -> Result<Cell, RowProblem> {
        let place = self.place(field);
        let column = self.columns.column(field).unwrap_or(field);
        let is_there = self.fields.contains_key(column);
        self.take(field).ok_or_else(|| match is_there {
            true => RowProblem::new(format!("`{place}` is null"), "fill it in or remove the row"),
            false => missing(&place),
        })
    }

    /// A text that every row needs and that says something, to be answered.
    pub(super) fn asked(&mut self, field: &str) -> Result<String, RowProblem> {
        asked_text(self.require(field)?)
    }

    /// A text that every row needs and that says something, to be learned.
    pub(super) fn learned(&mut self, field: &str) -> Result<String, RowProblem> {
        learned_text(self.require(field)?)
    }

    /// A text that says something, if there is one.
    pub(super) fn text(&mut self, field: &str) -> Result<Option<String>, RowProblem> {
        let text = self.take(field).map(plain_text).transpose()?;
        Ok(text.filter(|text| !text.trim().is_empty()))
    }

    /// A value beside the format's own fields.
    pub(super) fn beside(&self, column: &str) -> Option<&Value> {
        self.fields.get(column)
    }
}

/// A text to be learned, which must say something.
pub(super) fn learned_text(cell: Cell) -> Result<String, RowProblem> {
    words(cell, EMPTY_ANSWER)
}

/// A text to be answered, which must say something.
pub(super) fn asked_text(cell: Cell) -> Result<String, RowProblem> {
    words(cell, EMPTY_QUESTION)
}

/// The problem of an answer that says nothing.
pub(super) fn empty_answer(problem: String) -> RowProblem {
    RowProblem::new(problem, EMPTY_ANSWER)
}

fn words(cell: Cell, hint: &'static str) -> Result<String, RowProblem> {
    let place = cell.place.clone();
    let text = plain_text(cell)?;
    match text.trim().is_empty() {
        true => Err(RowProblem::new(format!("`{place}` is empty"), hint)),
        false => Ok(text),
    }
}

/// A text of a column. Columns of short answers hold numbers and truth values too.
pub(super) fn plain_text(Cell { place, value }: Cell) -> Result<String, RowProblem> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        other => Err(not_text(&other, &place)),
    }
}

/// A text inside a list or an object, where a number would be a mistake.
pub(super) fn strict_text(value: Option<Value>, place: &str) -> Result<String, RowProblem> {
    match value {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(not_text(&other, place)),
        None => Err(missing(place)),
    }
}

/// An object, or the problem that it is none.
pub(super) fn object(
    value: Value,
    place: &str,
    hint: &'static str,
) -> Result<Map<String, Value>, RowProblem> {
    match value {
        Value::Object(fields) => Ok(fields),
        other => Err(RowProblem::new(
            format!("`{place}` is {}, not an object", kind(&other)),
            hint,
        )),
    }
}

/// A list, or the JSON text of one, as files without lists hold it.
pub(super) fn list(
    value: Value,
    place: &str,
    hint: &'static str,
) -> Result<Vec<Value>, RowProblem> {
    let problem = |what: &str| RowProblem::new(format!("`{place}` is {what}, not a list"), hint);
    match value {
        Value::Array(items) => Ok(items),
        Value::String(text) if text.trim_start().starts_with('[') => {
            match from_json(&text, place)? {
                Value::Array(items) => Ok(items),
                other => Err(problem(kind(&other))),
            }
        }
        other => Err(problem(kind(&other))),
    }
}

/// The value that a text is the JSON of.
pub(super) fn from_json(text: &str, place: &str) -> Result<Value, RowProblem> {
    serde_json::from_str(text).map_err(|error| {
        // What Python prints for a list is no JSON, and spreadsheets are full of it.
        let hint = if text.contains("{'") || text.contains("['") {
            "this looks like Python's way to print; write it with json.dumps"
        } else {
            "a list inside a text must be complete JSON"
        };
        RowProblem::new(
            format!("`{place}` is a text that is not valid JSON: {error}"),
            hint,
        )
    })
}

pub(super) fn missing(place: &str) -> RowProblem {
    RowProblem::new(
        format!("`{place}` is missing"),
        "every row of a file needs what most of its rows have",
    )
}

fn not_text(value: &Value, place: &str) -> RowProblem {
    RowProblem::new(
        format!("`{place}` is {}, not a text", kind(value)),
        "write it as a text in quotation marks",
    )
}

/// A value's kind, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
