//! Models that steps are made beside: one of every kind of block, small enough for a card that is played
//! by the CPU, or large enough for several tiles of tokens and of keys.

use serde_json::{Value, json};

use crate::Result;
use crate::card_check::model;
use crate::models::config::DecoderConfig;

/// A kind of model and its size.
#[derive(Clone, Copy)]
pub(super) struct Family {
    own: fn() -> Value,
    large: bool,
}

const fn small(own: fn() -> Value) -> Family {
    Family { own, large: false }
}

/// Shared keys and values, a head of its own.
pub(super) const LLAMA: Family = small(|| json!({"model_type": "llama"}));
/// Biases on q, k and v, a head that is the embedding.
pub(super) const QWEN2: Family =
    small(|| json!({"model_type": "qwen2", "tie_word_embeddings": true}));
/// Norms on q and k, heads wider than the model divided by their number.
pub(super) const QWEN3: Family = small(|| json!({"model_type": "qwen3", "head_dim": 32}));
/// Norms on both sides of each half, soft-caps, a window in every other block, GELU.
pub(super) const GEMMA2: Family = small(|| {
    json!({
        "model_type": "gemma2", "head_dim": 16, "query_pre_attn_scalar": 24, "sliding_window": 5,
        "attn_logit_softcapping": 5.0, "final_logit_softcapping": 8.0, "tie_word_embeddings": true,
    })
});
/// Two rotary bases.
pub(super) const GEMMA3: Family = small(|| {
    json!({
        "model_type": "gemma3_text", "head_dim": 16, "query_pre_attn_scalar": 16,
        "sliding_window": 5, "sliding_window_pattern": 2, "tie_word_embeddings": true,
    })
});
/// q, k and v in one matrix, gate and up in another.
pub(super) const PHI3: Family = small(|| json!({"model_type": "phi3"}));

impl Family {
    /// The same, larger.
    pub(super) const fn enlarged(self) -> Self {
        Self {
            large: true,
            ..self
        }
    }

    pub(super) fn config(self) -> Result<DecoderConfig> {
        let (d_model, heads, d_ff) = match self.large {
            true => (512, 8, 1408),
            false => (64, 4, 96),
        };
        let mut json = json!({
            "vocab_size": self.vocabulary(), "hidden_size": d_model, "num_hidden_layers": 3,
            "num_attention_heads": heads, "num_key_value_heads": heads / 2,
            "intermediate_size": d_ff, "rms_norm_eps": 1e-5, "max_position_embeddings": 4096,
            "tie_word_embeddings": false,
        });
        if let (Value::Object(all), Value::Object(own)) = (&mut json, (self.own)()) {
            all.extend(own);
        }
        if self.large {
            json["sliding_window"] = json!(300);
        }
        model::config(&json)
    }

    pub(super) fn vocabulary(self) -> usize {
        match self.large {
            true => 5000,
            false => 101,
        }
    }

    pub(super) fn d_side(self) -> usize {
        match self.large {
            true => 128,
            false => 32,
        }
    }

    /// Lengths of the examples of each row.
    pub(super) fn rows(self) -> &'static [&'static [usize]] {
        match self.large {
            true => &[&[700, 1, 500], &[900]],
            false => &[&[9, 1, 12], &[18]],
        }
    }

    pub(super) fn longest_row(self) -> usize {
        let rows = self.rows().iter();
        rows.map(|row| row.iter().sum()).max().unwrap_or(0)
    }
}
