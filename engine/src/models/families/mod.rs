//! One file per architecture family: how its config.json becomes a [`DecoderConfig`]. Adding a
//! family is one file and one line here.

use std::path::Path;

use super::config::{DecoderConfig, HuggingFaceConfig};
use crate::Result;

mod gemma2;
mod gemma3;
mod llama;
mod mistral;
mod phi3;
mod qwen2;
mod qwen3;

/// What transformers assumes of a family where config.json is silent, for families whose published
/// configs are.
pub(super) fn defaults(model_type: &str) -> serde_json::Value {
    match model_type {
        "gemma2" => gemma2::defaults(),
        "gemma3" | "gemma3_text" => gemma3::defaults(),
        "mistral" => serde_json::json!({"sliding_window": 4096}),
        "phi3" => serde_json::json!({"original_max_position_embeddings": 4096}),
        "qwen2" | "qwen3" => serde_json::json!({"max_window_layers": 28, "sliding_window": 4096}),
        _ => serde_json::Value::Null,
    }
}

type Parse = fn(&Path, &HuggingFaceConfig) -> Result<DecoderConfig>;

/// The `model_type`s that are understood.
pub const NAMES: [&str; 8] = [
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "phi3",
];

/// The family that reads configs of this `model_type`.
pub(super) fn by_model_type(model_type: &str) -> Option<Parse> {
    match model_type {
        "llama" => Some(llama::config),
        "mistral" => Some(mistral::config),
        "qwen2" => Some(qwen2::config),
        "qwen3" => Some(qwen3::config),
        "gemma2" => Some(gemma2::config),
        "gemma3" | "gemma3_text" => Some(gemma3::config),
        "phi3" => Some(phi3::config),
        _ => None,
    }
}
