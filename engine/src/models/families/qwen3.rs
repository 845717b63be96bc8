//! Qwen3 (dense): Llama with norms on every query and key head, and a head width of its own.

use std::path::Path;

use super::qwen2::upper_windows;
use crate::Result;
use crate::models::config::{DecoderConfig, HuggingFaceConfig};

pub(super) fn config(path: &Path, raw: &HuggingFaceConfig) -> Result<DecoderConfig> {
    DecoderConfig::require_kv_heads(path, raw)?;
    // Qwen3 widens its heads beyond d_model / heads; transformers' default is 128.
    let head_dim = raw.head_dim.unwrap_or(128);
    let attention_bias = raw.attention_bias.unwrap_or(false);
    Ok(DecoderConfig {
        qk_norm: true,
        qkv_bias: attention_bias,
        output_bias: attention_bias,
        windows: upper_windows(path, raw)?,
        head_dim,
        attention_scale: (head_dim as f64).sqrt().recip(),
        ..DecoderConfig::common("qwen3", path, raw)?
    })
}
