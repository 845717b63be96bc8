//! `{"messages": [{"role": ..., "content": ...}, ...]}`, as OpenAI and most tools write it, perhaps
//! with `tools` beside them.

use serde_json::Value;
use stepladder_protocol::DataFormat;

use super::assembly::chat;
use super::field::{Field, FieldKind, SYSTEM, Shape, TOOLS};
use super::message_list;
use super::values::RowValues;
use super::{RowProblem, Sample};

pub(super) static SHAPE: Shape = Shape {
    format: DataFormat::Messages,
    fields: &[
        Field::required(
            "messages",
            FieldKind::Turns,
            &["messages", "chat"],
            &["nachrichten", "mensajes"],
        ),
        SYSTEM,
        TOOLS,
    ],
    signatures: &[&["messages"], &["chat"]],
    parse: |row| parse(row, "messages"),
};

/// Columns of what the turns show, and what to call it.
const MEDIA: [(&str, &str); 6] = [
    ("image", "images"),
    ("images", "images"),
    ("audio", "sound"),
    ("audios", "sound"),
    ("video", "videos"),
    ("videos", "videos"),
];

/// A list of turns in `field`, as ShareGPT's rows have it too.
pub(super) fn parse(row: &mut RowValues, field: &str) -> Result<Sample, RowProblem> {
    for (column, medium) in MEDIA {
        if row.beside(column).is_some_and(says_something) {
            return Err(message_list::media(
                &format!("the row has `{column}`"),
                medium,
            ));
        }
    }
    let turns = row.require(field)?;
    let place = turns.place.clone();
    chat(row, message_list::messages(turns)?, &place)
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}
