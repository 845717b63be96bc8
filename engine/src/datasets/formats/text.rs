//! `{"text": ...}`: a text without turns. No template touches it, and every token is trained on.

use stepladder_protocol::DataFormat;

use super::field::{Field, FieldKind, Shape};
use super::values::RowValues;
use super::{RowProblem, Sample};

pub(super) static SHAPE: Shape = Shape {
    format: DataFormat::Text,
    fields: &[Field::required(
        "text",
        FieldKind::Text,
        &["text", "content", "document", "raw_text", "article", "body"],
        &[
            "inhalt",
            "dokument",
            "texte",
            "contenu",
            "texto",
            "contenido",
            "documento",
        ],
    )],
    signatures: &[
        &["text"],
        &["content"],
        &["document"],
        &["raw_text"],
        &["article"],
        &["body"],
    ],
    parse,
};

fn parse(row: &mut RowValues) -> Result<Sample, RowProblem> {
    Ok(Sample::Text(row.learned("text")?))
}
