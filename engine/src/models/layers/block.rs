//! One frozen block: attention, then the MLP, each with a norm before it, in some families another
//! behind it, and a residual around both.

use candle_core::Tensor;

use super::attention::SelfAttention;
use super::mlp::Mlp;
use super::{Pass, Weights};
use crate::Result;
use crate::models::config::DecoderConfig;
use crate::models::kv_cache::LayerCache;
use crate::ops::elementwise;
use crate::ops::rms_norm::rms_norm;

pub(in crate::models) struct Block {
    attention_norms: Norms,
    attention: SelfAttention,
    mlp_norms: Norms,
    mlp: Mlp,
}

/// Weights of the norms around one half of a block, `[d_model]` each.
struct Norms {
    before: Tensor,
    behind: Option<Tensor>,
}

impl Block {
    pub(in crate::models) fn load(
        config: &DecoderConfig,
        weights: &Weights<'_>,
        layer: usize,
    ) -> Result<Self> {
        let prefix = format!("layers.{layer}");
        let norm = |name: &str| weights.norm(&format!("{prefix}.{name}"), config.d_model);
        let window = config.windows.get(layer).copied().flatten();
        let before_attention = norm("input_layernorm")?;
        let (attention_norms, mlp_norms) = match config.sandwich_norms {
            true => (
                Norms {
                    before: before_attention,
                    behind: Some(norm("post_attention_layernorm")?),
                },
                Norms {
                    before: norm("pre_feedforward_layernorm")?,
                    behind: Some(norm("post_feedforward_layernorm")?),
                },
            ),
            false => (
                Norms {
                    before: before_attention,
                    behind: None,
                },
                Norms {
                    before: norm("post_attention_layernorm")?,
                    behind: None,
                },
            ),
        };
        let attention = format!("{prefix}.self_attn");
        Ok(Self {
            attention_norms,
            attention: SelfAttention::load(config, weights, &attention, window)?,
            mlp_norms,
            mlp: Mlp::load(config, weights, &format!("{prefix}.mlp"))?,
        })
    }

    /// `x` `[batch * seq, d_model]` -> the same shape, in a tensor of its own.
    pub(in crate::models) fn forward(
        &self,
        x: &Tensor,
        pass: &Pass<'_>,
        cache: Option<&mut LayerCache>,
    ) -> Result<Tensor> {
        let eps = pass.config.norm_eps;
        let normed = rms_norm(x, Some(&self.attention_norms.before), eps)?;
        let attended = self.attention.forward(&normed, pass, cache)?;
        let middle = self.attention_norms.residual(attended, x, eps)?;
        let normed = rms_norm(&middle, Some(&self.mlp_norms.before), eps)?;
        self.mlp_norms
            .residual(self.mlp.forward(&normed)?, &middle, eps)
    }
}

impl Norms {
    /// `x` plus what was made of it. `made` is ours alone, so the sum is made in place.
    fn residual(&self, made: Tensor, x: &Tensor, eps: f64) -> Result<Tensor> {
        let made = match &self.behind {
            Some(weight) => rms_norm(&made, Some(weight), eps)?,
            None => made,
        };
        elementwise::add(&made, x)?;
        Ok(made)
    }
}
