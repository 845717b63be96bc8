//! One frozen block: attention, then the MLP, each with a norm before it, in some families another
//! behind it, and a residual around both. Forward replaces the hidden states where they lie; beside
//! them it takes queries, keys and values, and one tile of tokens of everything else.

use candle_core::Tensor;

use super::attention::{AttentionActivations, Projected, SelfAttention};
use super::mlp::{Mlp, MlpActivations};
use super::{Pass, Weights};
use crate::Result;
use crate::models::config::DecoderConfig;
use crate::models::kv_cache::{Cached, LayerCache};
use crate::ops::elementwise;
use crate::ops::rms_norm::{rms_norm, rms_norm_backward};
use crate::ops::token_tiles::TokenTile;

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
    /// The rest; if absent, the backward makes it again, tile by tile.
    kept: Option<KeptMlp>,
}

/// Activations behind attention.
struct KeptMlp {
    /// Between the halves, `[tokens, d_model]`.
    middle: Tensor,
    /// What attention made, before the norm behind it, if there is one.
    attended: Option<Tensor>,
    mlp: MlpActivations,
    /// What the MLP made, before the norm behind it, if there is one.
    made: Option<Tensor>,
}

/// Whether a forward pass keeps what its backward needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
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

    /// Output of the block for its input `x` `[batch * seq, d_model]`, which it replaces: `x` must
    /// be nobody else's. With a cache, the tokens continue what it holds.
    pub(in crate::models) fn forward(
        &self,
        x: &Tensor,
        pass: &Pass<'_>,
        cache: Option<&mut LayerCache>,
    ) -> Result<()> {
        let eps = pass.config.norm_eps;
        let before = |x: &Tensor| self.attention_norms.before(x, eps);
        let Projected { q, k, v, .. } = self.attention.project(x, before, pass, Keep::Nothing)?;
        let keys = Cached::of(cache, pass.input.batch, k, v)?;
        for tile in pass.tiles() {
            // Keys and values are made, so this tile's rows of `x` are no longer needed by others.
            let x = tile.of(x)?;
            let made = self.attention.attend_tile(&q, &keys, pass, &tile)?;
            elementwise::add(&x, &self.attention_norms.behind(&made, eps)?)?;
            drop(made);
            let normed = self.mlp_norms.before(&x, eps)?;
            let activations = self.mlp.empty(tile.tokens(), &x)?;
            self.mlp.activate(&normed, pass, &tile, &activations)?;
            drop(normed);
            let made = self.mlp.output(&activations, pass, &tile)?;
            drop(activations);
            elementwise::add(&x, &self.mlp_norms.behind(&made, eps)?)?;
        }
        Ok(())
    }

    /// The same for an `x` that is kept, with all activations.
    pub(in crate::models) fn forward_keeping(
        &self,
        x: &Tensor,
        pass: &Pass<'_>,
    ) -> Result<(Tensor, BlockActivations)> {
        let eps = pass.config.norm_eps;
        let attention = self.recompute(x, pass)?.attention;
        let kept = KeptMlp {
            middle: elementwise::zeros_like(x)?,
            attended: self.attention_norms.room(x)?,
            mlp: self.mlp.empty(x.dim(0)?, x)?,
            made: self.mlp_norms.room(x)?,
        };
        let output = elementwise::zeros_like(x)?;
        for tile in pass.tiles() {
            let attended = tile.of(&attention.attended.output)?;
            let made = self.attention.output(&attended, pass, &tile)?;
            let middle = tile.of(&kept.middle)?;
            elementwise::add(&middle, &self.attention_norms.behind(&made, eps)?)?;
            elementwise::add(&middle, &tile.of(x)?)?;
            if let Some(attended) = &kept.attended {
                elementwise::add(&tile.of(attended)?, &made)?;
            }
            drop(made);
            let normed = self.mlp_norms.before(&middle, eps)?;
            let activations = kept.mlp.of_tile(&tile)?;
            self.mlp.activate(&normed, pass, &tile, &activations)?;
            drop(normed);
            let made = self.mlp.output(&activations, pass, &tile)?;
            let output = tile.of(&output)?;
            elementwise::add(&output, &self.mlp_norms.behind(&made, eps)?)?;
            elementwise::add(&output, &middle)?;
            if let Some(behind) = &kept.made {
                elementwise::add(&tile.of(behind)?, &made)?;
            }
        }
        let activations = BlockActivations {
            attention,
            kept: Some(kept),
        };
        Ok((output, activations))
    }

    /// What the backward cannot make tile by tile: attention's activations.
    pub(in crate::models) fn recompute(
        &self,
        x: &Tensor,
        pass: &Pass<'_>,
    ) -> Result<BlockActivations> {
        let eps = pass.config.norm_eps;
        let before = |x: &Tensor| self.attention_norms.before(x, eps);
        let projected = self.attention.project(x, before, pass, Keep::Activations)?;
        Ok(BlockActivations {
            attention: self.attention.attend(projected, pass)?,
            kept: None,
        })
    }

    /// Turns `grad`, the gradient of the output, into the one of the input `x`, both
    /// `[batch * seq, d_model]`.
    pub(in crate::models) fn backward(
        &self,
        x: &Tensor,
        activations: BlockActivations,
        pass: &Pass<'_>,
        grad: &Tensor,
    ) -> Result<()> {
        let eps = pass.config.norm_eps;
        let BlockActivations { attention, kept } = activations;
        let d_attended = elementwise::zeros_like(&attention.attended.output)?;
        for tile in pass.tiles() {
            let attended = tile.of(&attention.attended.output)?;
            let half = match &kept {
                Some(kept) => kept.of_tile(&tile)?,
                None => self.recompute_half(&tile.of(x)?, &attended, pass, &tile)?,
            };
            let grad = tile.of(grad)?;
            self.mlp_backward(&half, pass, &tile, &grad)?;
            let KeptMlp { attended: made, .. } = half;
            let d_made = self.attention_norms.behind_backward(made, eps, &grad)?;
            let d_attended = tile.of(&d_attended)?;
            self.attention
                .output_backward(&attended, pass, &tile, &d_made, &d_attended)?;
        }
        drop(kept);
        let gradients = self
            .attention
            .attend_backward(attention, pass, d_attended)?;
        for tile in pass.tiles() {
            let x = tile.of(x)?;
            let normed = self.attention_norms.before(&x, eps)?;
            let d_normed = self
                .attention
                .project_backward(&normed, &gradients, pass, &tile)?;
            drop(normed);
            let through = self.attention_norms.before_backward(&x, eps, &d_normed)?;
            elementwise::add(&tile.of(grad)?, &through)?;
        }
        Ok(())
    }

    /// What [`Self::forward_keeping`] keeps, for one tile.
    fn recompute_half(
        &self,
        x: &Tensor,
        attended: &Tensor,
        pass: &Pass<'_>,
        tile: &TokenTile,
    ) -> Result<KeptMlp> {
        let eps = pass.config.norm_eps;
        let made = self.attention.output(attended, pass, tile)?;
        let middle = self.attention_norms.behind(&made, eps)?;
        let attended = self.attention_norms.behind.is_some().then_some(made);
        elementwise::add(&middle, x)?;
        let normed = self.mlp_norms.before(&middle, eps)?;
        let mlp = self.mlp.empty(tile.tokens(), x)?;
        self.mlp.activate(&normed, pass, tile, &mlp)?;
        drop(normed);
        let made = match self.mlp_norms.behind {
            Some(_) => Some(self.mlp.output(&mlp, pass, tile)?),
            None => None,
        };
        Ok(KeptMlp {
            middle,
            attended,
            mlp,
            made,
        })
    }

    /// Turns one tile's gradient of the output into the one of what lies between the halves.
    fn mlp_backward(
        &self,
        half: &KeptMlp,
        pass: &Pass<'_>,
        tile: &TokenTile,
        grad: &Tensor,
    ) -> Result<()> {
        let eps = pass.config.norm_eps;
        let norms = &self.mlp_norms;
        let d_made = norms.behind_backward(half.made.clone(), eps, grad)?;
        let normed = norms.before(&half.middle, eps)?;
        let d_normed = self.mlp.backward(&normed, &half.mlp, pass, tile, &d_made)?;
        drop((normed, d_made));
        let through = norms.before_backward(&half.middle, eps, &d_normed)?;
        Ok(elementwise::add(grad, &through)?)
    }
}

impl KeptMlp {
    fn of_tile(&self, tile: &TokenTile) -> Result<Self> {
        let of = |x: &Option<Tensor>| x.as_ref().map(|x| tile.of(x)).transpose();
        Ok(Self {
            middle: tile.of(&self.middle)?,
            attended: of(&self.attended)?,
            mlp: self.mlp.of_tile(tile)?,
            made: of(&self.made)?,
        })
    }
}

impl Keep {
    pub(super) fn these<T>(self, activations: T) -> Option<T> {
        match self {
            Self::Nothing => None,
            Self::Activations => Some(activations),
        }
    }
}

impl Norms {
    fn before(&self, x: &Tensor, eps: f64) -> Result<Tensor> {
        Ok(rms_norm(x, Some(&self.before), eps)?)
    }

    fn before_backward(&self, x: &Tensor, eps: f64, grad: &Tensor) -> Result<Tensor> {
        Ok(rms_norm_backward(x, Some(&self.before), eps, grad)?)
    }

    /// What was made, through the norm behind it, if there is one.
    fn behind(&self, made: &Tensor, eps: f64) -> Result<Tensor> {
        match &self.behind {
            Some(weight) => Ok(rms_norm(made, Some(weight), eps)?),
            None => Ok(made.clone()),
        }
    }

    /// Room for what was made, if the norm behind it needs it in the backward.
    fn room(&self, like: &Tensor) -> Result<Option<Tensor>> {
        match self.behind {
            Some(_) => Ok(Some(elementwise::zeros_like(like)?)),
            None => Ok(None),
        }
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
