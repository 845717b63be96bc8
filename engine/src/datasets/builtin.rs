//! The dataset inside the executable: what the built-in model is fine-tuned on when nothing else is
//! named. Made by `engine/examples/pretrain_builtin`.

use super::reader::DataSource;

static ROWS: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../assets/builtin-dataset.jsonl"
));

/// The built-in dataset as a source of rows.
pub fn dataset() -> DataSource {
    DataSource::Memory {
        name: "builtin dataset",
        bytes: ROWS.into(),
    }
}
