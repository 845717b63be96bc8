//! Formats of rows. Each is a file with its fields and one function, what a row says, entered in
//! `SHAPES`. [`detect`] finds the format of a file by its first rows; a row of another format is
//! then a problem of that row.

mod alpaca;
mod assembly;
mod columns;
mod detection;
mod field;
mod hand_map;
mod message_list;
mod messages;
mod preference;
mod prompt_completion;
mod question_answer;
mod sharegpt;
mod suggestions;
#[cfg(test)]
mod tests;
mod text;
mod tool_calls;
mod turn_order;
mod values;
mod votes;

use serde_json::Value;
use stepladder_protocol::DataFormat;

use super::conversation::Sample;
pub use super::row::{Fields, RowProblem};
pub use columns::Columns;
pub use detection::{DETECTION_ROWS, Detection, detect};
pub use field::{Field, FieldKind, Need};

use field::Shape;

/// Every format, the more specific first.
static SHAPES: [&Shape; 7] = [
    &preference::SHAPE,
    &messages::SHAPE,
    &sharegpt::SHAPE,
    &alpaca::SHAPE,
    &prompt_completion::SHAPE,
    &question_answer::SHAPE,
    &text::SHAPE,
];

/// The fields of a format; none for `Auto`.
pub fn fields(format: DataFormat) -> &'static [Field] {
    let shape = SHAPES.into_iter().find(|shape| shape.format == format);
    shape.map_or(&[], |shape| shape.fields)
}

/// The columns of some rows in their order, `most` of them at most.
pub fn column_names(rows: &[Fields], most: usize) -> Vec<String> {
    let names = columns::ColumnNames::of(rows);
    { names.all().iter().take(most) }
        .map(|name| (*name).to_owned())
        .collect()
}

/// Reads a row's JSON.
pub fn parse_fields(text: &str) -> Result<Fields, RowProblem> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Err(RowProblem::new(
            format!("the row is {}, not an object", values::kind(&other)),
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
