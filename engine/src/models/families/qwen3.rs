//! Qwen3 (dense): Llama with norms on every query and key head, and a head width of its own.

use std::path::Path;

use super::qwen2::refuse_sliding_window;
use crate::Result;
use crate::models::config::{DecoderConfig, HuggingFaceConfig};

pub(super) fn config(path: &Path, raw: &HuggingFaceConfig) -> Result<DecoderConfig> {
    refuse_sliding_window(path, raw)?;
    DecoderConfig::require_kv_heads(path, raw)?;
    let attention_bias = raw.attention_bias.unwrap_or(false);
    Ok(DecoderConfig {
        qk_norm: true,
        qkv_bias: attention_bias,
        output_bias: attention_bias,
        // Qwen3 widens its heads beyond d_model / heads; transformers' default is 128.
        head_dim: raw.head_dim.unwrap_or(128),
        ..DecoderConfig::common("qwen3", path, raw)?
    })
}
