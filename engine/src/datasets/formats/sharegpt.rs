//! `{"conversations": [{"from": "human", "value": ...}, {"from": "gpt", "value": ...}, ...]}`,
//! perhaps with `system` and `tools` beside them.

use stepladder_protocol::DataFormat;

use super::field::{Field, FieldKind, SYSTEM, Shape, TOOLS};
use super::messages;

pub(super) static SHAPE: Shape = Shape {
    format: DataFormat::Sharegpt,
    fields: &[
        Field::required(
            "conversations",
            FieldKind::Turns,
            &[
                "conversations",
                "conversation",
                "dialogue",
                "dialog",
                "turns",
            ],
            &[
                "gesprach",
                "gesprache",
                "unterhaltung",
                "conversacion",
                "conversaciones",
                "dialogo",
            ],
        ),
        SYSTEM,
        TOOLS,
    ],
    signatures: &[
        &["conversations"],
        &["conversation"],
        &["dialogue"],
        &["dialog"],
        &["turns"],
    ],
    parse: |row| messages::parse(row, "conversations"),
};
