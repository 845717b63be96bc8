//! The model inside the program.

use stepladder_protocol::{FoundModel, ModelSource};

use crate::Result;
use crate::models::model::ModelFiles;

const NAME: &str = "builtin";

/// It is always there.
pub(super) fn model() -> Result<FoundModel> {
    let files = ModelFiles::open(NAME)?;
    Ok(FoundModel {
        name: NAME.to_owned(),
        target: NAME.to_owned(),
        source: ModelSource::Builtin,
        file_format: "safetensors".to_owned(),
        bytes: files.checkpoint.total_bytes(),
        architecture: Some(files.config.family.to_owned()),
        problem: None,
    })
}
