//! Qwen2 and Qwen2.5: Llama with biases on q, k and v, and a window over the upper blocks where it
//! is switched on.

use std::path::Path;

use crate::Result;
use crate::models::config::{DecoderConfig, HuggingFaceConfig};

pub(super) fn config(path: &Path, raw: &HuggingFaceConfig) -> Result<DecoderConfig> {
    DecoderConfig::require_kv_heads(path, raw)?;
    Ok(DecoderConfig {
        qkv_bias: true,
        windows: upper_windows(path, raw)?,
        ..DecoderConfig::common("qwen2", path, raw)?
    })
}

/// Blocks from `max_window_layers` on have the window, if `use_sliding_window` says so.
pub(super) fn upper_windows(path: &Path, raw: &HuggingFaceConfig) -> Result<Vec<Option<usize>>> {
    if raw.use_sliding_window != Some(true) {
        return Ok(vec![None; raw.num_hidden_layers]);
    }
    let full_layers = raw.max_window_layers.unwrap_or(0);
    raw.windows(path, |layer| layer >= full_layers)
}
