//! The model inside the executable: small, trained by this project's own code (see
//! `engine/examples/pretrain_builtin`), so that everything works before anything is downloaded.

use std::path::Path;

use super::checkpoint::Checkpoint;
use super::model::Documents;
use crate::Result;

macro_rules! asset {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../assets/builtin-model/",
            $name
        ))
    };
}

static WEIGHTS: &[u8] = asset!("model.safetensors");

pub(super) fn documents() -> Documents {
    Documents {
        config: asset!("config.json").to_vec(),
        tokenizer: asset!("tokenizer.json").to_vec(),
        tokenizer_config: Some(asset!("tokenizer_config.json").to_vec()),
        generation_config: Some(asset!("generation_config.json").to_vec()),
        chat_template: None,
    }
}

pub(super) fn checkpoint() -> Result<Checkpoint> {
    Checkpoint::from_static(Path::new("builtin"), WEIGHTS)
}
