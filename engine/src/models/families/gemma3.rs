//! Gemma 3 (the language model of it): Gemma 2 with q and k norms in place of the soft-caps, five
//! blocks with a window to one without, and a rotary base of its own for each kind.

use std::path::Path;

use super::gemma2::gemma;
use crate::Result;
use crate::models::config::{DecoderConfig, HuggingFaceConfig};
use crate::models::rope_scaling::{RopeConfig, RopeScaling};

const FULL_THETA: f64 = 1_000_000.0;
const WINDOW_THETA: f64 = 10_000.0;
/// One block in this many sees everything.
const PATTERN: usize = 6;

/// Published configs of the larger sizes name only what differs from these.
pub(super) fn defaults() -> serde_json::Value {
    serde_json::json!({
        "vocab_size": 262_208,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh",
        "max_position_embeddings": 131_072,
        "rms_norm_eps": 1e-6,
        "sliding_window": 4096,
        "query_pre_attn_scalar": 256,
        "eos_token_id": 1,
    })
}

pub(super) fn config(path: &Path, raw: &HuggingFaceConfig) -> Result<DecoderConfig> {
    let pattern = raw.sliding_window_pattern.unwrap_or(PATTERN).max(1);
    let theta = raw.rope_theta.unwrap_or(FULL_THETA);
    let window_theta = raw.rope_local_base_freq.unwrap_or(WINDOW_THETA);
    let nested = |value: &Option<serde_json::Value>| {
        value
            .as_ref()
            .is_some_and(|value| value.get("sliding_attention").is_some())
    };
    let window_rope = if nested(&raw.rope_parameters) || nested(&raw.rope_scaling) {
        RopeConfig::of_layers(path, raw, Some("sliding_attention"), Some(window_theta))?
    } else {
        // A scaling that names no layers is the full ones'.
        RopeConfig {
            theta: window_theta,
            rotated_fraction: 1.0,
            scaling: RopeScaling::None,
        }
    };
    Ok(DecoderConfig {
        qk_norm: true,
        attention_soft_cap: raw.attn_logit_softcapping,
        final_soft_cap: raw.final_logit_softcapping,
        windows: raw.windows(path, |layer| !(layer + 1).is_multiple_of(pattern))?,
        rope: RopeConfig::of_layers(path, raw, Some("full_attention"), Some(theta))?,
        window_rope: Some(window_rope),
        ..gemma("gemma3", path, raw)?
    })
}
