//! One frozen block: attention, then the MLP, each with a norm before it, in some families another
//! behind it, and a residual around both.

use candle_core::Tensor;

use super::attention::{AttentionActivations, SelfAttention};
use super::mlp::{Mlp, MlpActivations};
use super::{Pass, Weights};
use crate::Result;
use crate::models::config::DecoderConfig;
use crate::models::kv_cache::LayerCache;
use crate::ops::elementwise;
use crate::ops::rms_norm::{rms_norm, rms_norm_backward};

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

/// What a block's backward needs beside its input.
pub struct BlockActivations {
    attention: AttentionActivations,
    /// What attention made, before the norm behind it, if there is one.
    attended: Option<Tensor>,
    /// Between the halves, `[tokens, d_model]`.
    middle: Tensor,
    mlp: MlpActivations,
    /// What the MLP made, before the norm behind it, if there is one.
    made: Option<Tensor>,
}

/// Whether a forward pass keeps what its backward needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything is dropped as soon as it was used.
    Nothing,
    /// Everything that the backward needs.
    Activations,
}

impl Block {
    pub(in crate::models) fn load(
        config: &DecoderConfig,
        weights: &Weights<'_>,
        layer: usize,
    ) -> Result<Self> {
        let norm = |name: &str| weights.norm(&format!("layers.{layer}.{name}"), config.d_model);
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
        Ok(Self {
            attention_norms,
            attention: SelfAttention::load(config, weights, layer)?,
            mlp_norms,
            mlp: Mlp::load(config, weights, layer)?,
        })
    }

    /// `x` `[batch * seq, d_model]` -> the same shape, in a tensor of its own.
    pub(in crate::models) fn forward(
        &self,
        x: &Tensor,
        pass: &Pass<'_>,
        cache: Option<&mut LayerCache>,
        keep: Keep,
    ) -> Result<(Tensor, Option<BlockActivations>)> {
        let eps = pass.config.norm_eps;
        let normed = rms_norm(x, Some(&self.attention_norms.before), eps)?;
        let (made, attention) = self.attention.forward(&normed, pass, cache)?;
        drop(normed);
        let attention = keep.these(attention);
        let (middle, attended) = self.attention_norms.residual(made, x, eps)?;
        let attended = keep.these(attended);
        let normed = rms_norm(&middle, Some(&self.mlp_norms.before), eps)?;
        let (made, mlp) = self.mlp.forward(&normed, pass)?;
        drop(normed);
        let mlp = keep.these(mlp);
        let (output, made) = self.mlp_norms.residual(made, &middle, eps)?;
        let activations = match (attention, attended, mlp) {
            (Some(attention), Some(attended), Some(mlp)) => Some(BlockActivations {
                attention,
                attended,
                middle,
                mlp,
                made,
            }),
            _ => None,
        };
        Ok((output, activations))
    }

    /// The gradient of the input `x` for the gradient of the output, which is given up.
    pub(in crate::models) fn backward(
        &self,
        x: &Tensor,
        activations: BlockActivations,
        pass: &Pass<'_>,
        grad: Tensor,
    ) -> Result<Tensor> {
        let eps = pass.config.norm_eps;
        let BlockActivations {
            attention,
            attended,
            middle,
            mlp,
            made,
        } = activations;
        let norms = &self.mlp_norms;
        let d_made = norms.behind_backward(made, eps, &grad)?;
        let normed = rms_norm(&middle, Some(&norms.before), eps)?;
        let d_normed = self.mlp.backward(&normed, &mlp, pass, &d_made)?;
        drop((normed, mlp, d_made));
        let d_middle = grad;
        let through = rms_norm_backward(&middle, Some(&norms.before), eps, &d_normed)?;
        elementwise::add(&d_middle, &through)?;
        drop((d_normed, through, middle));

        let norms = &self.attention_norms;
        let d_made = norms.behind_backward(attended, eps, &d_middle)?;
        let normed = rms_norm(x, Some(&norms.before), eps)?;
        let d_normed = self
            .attention
            .backward(&normed, &attention, pass, &d_made)?;
        drop((normed, attention, d_made));
        let d_x = d_middle;
        let through = rms_norm_backward(x, Some(&norms.before), eps, &d_normed)?;
        elementwise::add(&d_x, &through)?;
        Ok(d_x)
    }
}

impl Keep {
    fn these<T>(self, activations: T) -> Option<T> {
        match self {
            Self::Nothing => None,
            Self::Activations => Some(activations),
        }
    }
}

impl Norms {
    /// `x` plus what was made of it, and what was made, if a norm stands between. `made` is ours
    /// alone, so the sum is made in place.
    fn residual(&self, made: Tensor, x: &Tensor, eps: f64) -> Result<(Tensor, Option<Tensor>)> {
        let (sum, before_norm) = match &self.behind {
            Some(weight) => (rms_norm(&made, Some(weight), eps)?, Some(made)),
            None => (made, None),
        };
        elementwise::add(&sum, x)?;
        Ok((sum, before_norm))
    }

    /// The gradient of what was made, for the gradient of the sum.
    fn behind_backward(&self, made: Option<Tensor>, eps: f64, grad: &Tensor) -> Result<Tensor> {
        match (&self.behind, made) {
            (Some(weight), Some(made)) => Ok(rms_norm_backward(&made, Some(weight), eps, grad)?),
            // Only read, and dropped before the gradient is changed.
            _ => Ok(grad.clone()),
        }
    }
}
