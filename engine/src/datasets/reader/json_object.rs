//! A file that is one JSON object: a single row, or columns side by side, as pandas writes them:
//! `{"prompt": ["..", ".."], "completion": [..]}` or `{"prompt": {"0": "..", "1": ".."}, ..}`.
//!
//! Columns cannot be read in pieces, so the file is read whole, up to a limit.

use serde_json::{Map, Value};

use super::json_brackets::{Brackets, Piece};
use super::json_lines::newlines;
use super::json_values::JsonValues;
use super::stop::Stop;
use super::stream::TextStream;
use super::{Cutter, MAX_ROW_BYTES};
use crate::datasets::row::{Fields, Row, RowContent};
use crate::foreign_text::visible_excerpt;

/// Columns are held in memory as a whole.
const MAX_OBJECT_BYTES: usize = 128 << 20;

/// What the object turned out to be.
pub(super) enum JsonObject {
    /// A row, until it is given, and whatever else follows.
    Row(Option<Row>, JsonValues),
    Columns(Columns),
}

impl JsonObject {
    /// Reads the object that the stream begins with.
    pub(super) fn read(stream: &mut TextStream<'_>) -> Result<Self, Stop> {
        let line = stream.line;
        let mut brackets = Brackets::default();
        let mut text = Vec::new();
        while stream.refill()? {
            let window = stream.window();
            let piece = brackets.follow(window);
            let count = match piece {
                Piece::Ends(count) => count,
                Piece::Inside | Piece::Astray(_) => window.len(),
            };
            text.extend_from_slice(&window[..count]);
            let lines = newlines(&window[..count]);
            stream.take(count);
            stream.line += lines;
            if text.len() > MAX_OBJECT_BYTES {
                return Err(Stop::new(
                    "the file is one JSON object of more than 128 MiB",
                    "write it as JSONL, one object per row and line, which is read piece by piece",
                ));
            }
            if matches!(piece, Piece::Ends(_)) {
                break;
            }
        }
        let text = String::from_utf8(text).map_err(|error| {
            let byte = error.utf8_error().valid_up_to() + 1;
            Stop::new(
                format!("not UTF-8 text at byte {byte} of the object"),
                "save the file as UTF-8",
            )
        })?;
        match more_follows(stream)? {
            true => Self::row(text, line),
            false => Self::of_text(text, line),
        }
    }

    fn of_text(text: String, line: usize) -> Result<Self, Stop> {
        if let Ok(Value::Object(fields)) = serde_json::from_str(&text)
            && are_columns(&fields)
        {
            return Columns::new(fields).map(Self::Columns);
        }
        Self::row(text, line)
    }

    fn row(text: String, line: usize) -> Result<Self, Stop> {
        if text.len() > MAX_ROW_BYTES {
            return Err(Stop::new(
                "the file is one JSON object of more than 32 MiB, and not columns side by side",
                "write it as JSONL, one object per row and line",
            ));
        }
        // What is wrong with it, if anything is, its reader says.
        let content = RowContent::Json(text);
        let rest = JsonValues::one_after_the_other();
        Ok(Self::Row(Some(Row { line, content }), rest))
    }

    pub(super) fn is_columns(&self) -> bool {
        matches!(self, Self::Columns(_))
    }
}

/// Whether anything but white space is left.
fn more_follows(stream: &mut TextStream<'_>) -> Result<bool, Stop> {
    while stream.refill()? {
        let window = stream.window();
        let space = window.len() - window.trim_ascii_start().len();
        let more = space < window.len();
        let lines = newlines(&window[..space]);
        stream.take(space);
        stream.line += lines;
        if more {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Cutter for JsonObject {
    fn next_row(&mut self, stream: &mut TextStream<'_>) -> Result<Option<Row>, Stop> {
        match self {
            Self::Row(row, rest) => match row.take() {
                Some(row) => Ok(Some(row)),
                None => rest.next_row(stream),
            },
            Self::Columns(columns) => Ok(columns.next_row()),
        }
    }
}

/// Columns of equal length, walked side by side.
#[derive(Default)]
pub(super) struct Columns {
    columns: Vec<(String, std::vec::IntoIter<Value>)>,
    row: usize,
}

impl Columns {
    fn new(fields: Fields) -> Result<Self, Stop> {
        let shown = |name: &str| visible_excerpt(name, 40);
        let hint = "give every column one value per row";
        let mut fields = fields.into_iter();
        let Some((first, column)) = fields.next() else {
            return Ok(Self::default());
        };
        let (numbers, values) = numbers_and_values(column);
        let mut columns = vec![(first, values.into_iter())];
        for (name, column) in fields {
            let (first, values) = &columns[0];
            if values.len() != value_count(&column) {
                return Err(Stop::new(
                    format!(
                        "column `{}` has {} values, but column `{}` has {}",
                        shown(first),
                        values.len(),
                        shown(&name),
                        value_count(&column)
                    ),
                    hint,
                ));
            }
            let values = values_in_order(column, &numbers).map_err(|number| {
                Stop::new(
                    format!(
                        "column `{}` has a value for the row `{}`, but column `{}` has none",
                        shown(first),
                        shown(number),
                        shown(&name)
                    ),
                    hint,
                )
            })?;
            columns.push((name, values.into_iter()));
        }
        Ok(Self { columns, row: 0 })
    }

    fn next_row(&mut self) -> Option<Row> {
        let fields: Map<String, Value> = self
            .columns
            .iter_mut()
            .map(|(name, values)| Some((name.clone(), values.next()?)))
            .collect::<Option<_>>()?;
        if fields.is_empty() {
            return None;
        }
        self.row += 1;
        Some(Row {
            line: self.row,
            content: RowContent::Fields(fields),
        })
    }
}

/// Whether an object is a table turned on its side. A row may hold lists as well; then one of them
/// is the turns of a conversation, or another value is no list.
fn are_columns(fields: &Fields) -> bool {
    let lists = fields.values().all(Value::is_array) || fields.values().all(is_numbered);
    !fields.is_empty() && lists && !fields.values().any(are_turns)
}

/// `{"0": .., "1": ..}`, with whatever numbers.
fn is_numbered(value: &Value) -> bool {
    let number = |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
    value
        .as_object()
        .is_some_and(|items| !items.is_empty() && items.keys().all(number))
}

fn are_turns(value: &Value) -> bool {
    let turn = |item: &Value| {
        let of = |name| item.get(name).is_some();
        of("role") || of("from")
    };
    value
        .as_array()
        .is_some_and(|items| !items.is_empty() && items.iter().all(turn))
}

fn value_count(column: &Value) -> usize {
    match column {
        Value::Array(values) => values.len(),
        Value::Object(items) => items.len(),
        _ => 1,
    }
}

/// A column's values, and the numbers of their rows if they have them.
fn numbers_and_values(column: Value) -> (Vec<String>, Vec<Value>) {
    match column {
        Value::Array(values) => (Vec::new(), values),
        Value::Object(items) => items.into_iter().unzip(),
        other => (Vec::new(), vec![other]),
    }
}

/// A column's values in the order of the first column's numbers, or the number that it lacks.
fn values_in_order(column: Value, numbers: &[String]) -> Result<Vec<Value>, &str> {
    match column {
        Value::Object(mut items) => numbers
            .iter()
            .map(|number| {
                items
                    .get_mut(number)
                    .map(Value::take)
                    .ok_or(number.as_str())
            })
            .collect(),
        column => Ok(numbers_and_values(column).1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(text: &str) -> bool {
        JsonObject::of_text(text.to_owned(), 1)
            .unwrap()
            .is_columns()
    }

    #[test]
    fn rows_and_columns_are_told_apart() {
        assert!(columns(r#"{"prompt": ["a"], "completion": ["b"]}"#));
        assert!(columns(r#"{"prompt": {"0": "a", "7": "b"}}"#));
        assert!(columns(r#"{"messages": [[{"role": "user"}]], "id": [1]}"#));
        assert!(!columns(r#"{"messages": [{"role": "user"}], "tools": []}"#));
        assert!(!columns(r#"{"conversations": [{"from": "human"}]}"#));
        assert!(!columns(r#"{"prompt": "a", "completion": ["b"]}"#));
        assert!(!columns(r#"{"prompt": {"a": 1}}"#));
        assert!(!columns("{}"));
        assert!(!columns("{oops"));
    }
}
