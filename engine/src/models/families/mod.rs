//! One file per architecture family: how its config.json becomes a [`DecoderConfig`]. Adding a
//! family is one file and one line here.

use std::path::Path;

use super::config::{DecoderConfig, HuggingFaceConfig};
use crate::Result;

mod llama;
mod qwen2;
mod qwen3;

type Parse = fn(&Path, &HuggingFaceConfig) -> Result<DecoderConfig>;

/// The `model_type`s that are understood.
pub const NAMES: [&str; 3] = ["llama", "qwen2", "qwen3"];

/// The family that reads configs of this `model_type`.
pub(super) fn by_model_type(model_type: &str) -> Option<Parse> {
    match model_type {
        "llama" => Some(llama::config),
        "qwen2" => Some(qwen2::config),
        "qwen3" => Some(qwen3::config),
        _ => None,
    }
}
