//! Gemma 2: soft-caps on scores and logits, norms before and behind each half of a block, every
//! other block with a window, scaled embeddings.

use std::path::Path;

use crate::Result;
use crate::models::config::{DecoderConfig, HuggingFaceConfig};

/// What transformers assumes where config.json is silent.
pub(super) fn defaults() -> serde_json::Value {
    serde_json::json!({
        "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": 256,
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        "sliding_window": 4096,
    })
}

pub(super) fn config(path: &Path, raw: &HuggingFaceConfig) -> Result<DecoderConfig> {
    Ok(DecoderConfig {
        attention_soft_cap: raw.attn_logit_softcapping,
        final_soft_cap: raw.final_logit_softcapping,
        windows: raw.windows(path, |layer| layer.is_multiple_of(2))?,
        ..gemma("gemma2", path, raw)?
    })
}

/// What all Gemmas share. Their configs leave out what is as in the first one.
pub(super) fn gemma(
    family: &'static str,
    path: &Path,
    raw: &HuggingFaceConfig,
) -> Result<DecoderConfig> {
    let attention_bias = raw.attention_bias.unwrap_or(false);
    Ok(DecoderConfig {
        head_dim: raw.head_dim.unwrap_or(256),
        norms_around_one: true,
        sandwich_norms: true,
        tied_head: raw.tie_word_embeddings.unwrap_or(true),
        qkv_bias: attention_bias,
        output_bias: attention_bias,
        attention_scale: raw.query_pre_attn_scalar.unwrap_or(256.0).sqrt().recip(),
        embedding_scale: Some((raw.hidden_size as f64).sqrt()),
        ..DecoderConfig::common(family, path, raw)?
    })
}
