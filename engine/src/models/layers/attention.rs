//! Self-attention of a frozen block: grouped heads, norms on q and k and a window where the family
//! has them. Keys and values exist for all tokens at once; what is as wide as the model and not kept
//! for a backward exists for a tile of tokens.

use candle_core::Tensor;

use super::additions::{LinearMap, Siblings};
use super::block::Keep;
use super::{Pass, Weights, per_head, per_head_backward};
use crate::Result;
use crate::models::config::DecoderConfig;
use crate::models::kv_cache::Cached;
use crate::ops::attention::{Attended, Attention, AttentionGradients};
use crate::ops::elementwise::zeros;
use crate::ops::frozen_linear::FrozenLinear;
use crate::ops::rope::{Rotation, rotate};
use crate::ops::token_tiles::TokenTile;

pub(super) struct SelfAttention {
    layer: usize,
    q: FrozenLinear,
    k: FrozenLinear,
    v: FrozenLinear,
    o: FrozenLinear,
    qkv: Siblings<3>,
    /// Weights of the per-head norms of queries and keys, `[head_dim]` each.
    qk_norm: Option<(Tensor, Tensor)>,
    /// Keys a query sees, its own included.
    window: Option<usize>,
}

const O: Siblings<1> = Siblings::Apart([LinearMap::O]);

/// Queries, keys and values of all tokens, rotated.
pub(super) struct Projected {
    /// Queries and keys before their norms, where they have some and the backward needs them.
    unnormed: Option<(Tensor, Tensor)>,
    /// `[tokens, heads * head_dim]`
    pub(super) q: Tensor,
    /// `[tokens, kv_heads * head_dim]`
    pub(super) k: Tensor,
    /// `[tokens, kv_heads * head_dim]`
    pub(super) v: Tensor,
}

/// What the backward needs.
pub(super) struct AttentionActivations {
    projected: Projected,
    /// What attention made, `[tokens, heads * head_dim]`.
    pub(super) attended: Attended,
}

impl SelfAttention {
    pub(super) fn load(
        config: &DecoderConfig,
        weights: &Weights<'_>,
        layer: usize,
    ) -> Result<Self> {
        let prefix = format!("layers.{layer}.self_attn");
        let (d, head_dim, bias) = (config.d_model, config.head_dim, config.qkv_bias);
        let (q, kv) = (config.heads * head_dim, config.kv_heads * head_dim);
        let norm = |name: &str| weights.norm(&format!("{prefix}.{name}"), head_dim);
        let linear = |name: &str, outputs: usize| {
            weights.linear(&format!("{prefix}.{name}"), [outputs, d], bias)
        };
        let qk_norm = match config.qk_norm {
            true => Some((norm("q_norm")?, norm("k_norm")?)),
            false => None,
        };
        let o = weights.linear(&format!("{prefix}.o_proj"), [d, q], config.output_bias)?;
        let [q, k, v] = match config.fused_projections {
            true => weights.fused(&format!("{prefix}.qkv_proj"), [q, kv, kv], d)?,
            false => [
                linear("q_proj", q)?,
                linear("k_proj", kv)?,
                linear("v_proj", kv)?,
            ],
        };
        Ok(Self {
            layer,
            q,
            k,
            v,
            o,
            qkv: match config.fused_projections {
                true => Siblings::Fused(LinearMap::Qkv),
                false => Siblings::Apart([LinearMap::Q, LinearMap::K, LinearMap::V]),
            },
            qk_norm,
            window: config.windows.get(layer).copied().flatten(),
        })
    }

    /// Queries, keys and values of the block's input `x` `[batch * seq, d_model]`, ready for attention.
    /// `norm` is the norm before attention; `keep` what the backward needs beside them.
    pub(super) fn project(
        &self,
        x: &Tensor,
        norm: impl Fn(&Tensor) -> Result<Tensor>,
        pass: &Pass<'_>,
        keep: Keep,
    ) -> Result<Projected> {
        let (config, input) = (pass.config, pass.input);
        let tokens = input.batch * input.seq;
        let empty =
            |linear: &FrozenLinear| zeros((tokens, linear.outputs()), x.dtype(), x.device());
        let (mut q, mut k, v) = (empty(&self.q)?, empty(&self.k)?, empty(&self.v)?);
        for tile in pass.tiles() {
            let normed = norm(&tile.of(x)?)?;
            let outputs = [tile.of(&q)?, tile.of(&k)?, tile.of(&v)?];
            for (linear, output) in [&self.q, &self.k, &self.v].into_iter().zip(&outputs) {
                linear.forward_into(&normed, output)?;
            }
            let [q, k, v] = &outputs;
            self.qkv.add(pass, self.layer, &tile, &normed, [q, k, v])?;
        }
        let unnormed = match &self.qk_norm {
            None => None,
            Some((q_norm, k_norm)) => {
                let normed = per_head(&q, config.head_dim, q_norm, config.norm_eps)?;
                let unnormed_q = keep.these(std::mem::replace(&mut q, normed));
                let normed = per_head(&k, config.head_dim, k_norm, config.norm_eps)?;
                unnormed_q.zip(keep.these(std::mem::replace(&mut k, normed)))
            }
        };
        let angles = pass.angles(self.window);
        rotate(&q, config.head_dim, angles, Rotation::Forward)?;
        rotate(&k, config.head_dim, angles, Rotation::Forward)?;
        Ok(Projected { unnormed, q, k, v })
    }

    /// Attention of all tokens, as its backward needs it.
    pub(super) fn attend(
        &self,
        projected: Projected,
        pass: &Pass<'_>,
    ) -> Result<AttentionActivations> {
        let seq = pass.input.seq;
        let attention = self.attention(pass, seq, seq);
        let attended = attention.forward(&projected.q, &projected.k, &projected.v)?;
        Ok(AttentionActivations {
            projected,
            attended,
        })
    }

    /// What attention makes of one tile's queries, `[tile, d_model]`. `q` are the queries of all
    /// tokens, `keys` what they look at.
    pub(super) fn attend_tile(
        &self,
        q: &Tensor,
        keys: &Cached,
        pass: &Pass<'_>,
        tile: &TokenTile,
    ) -> Result<Tensor> {
        let attention = self.attention(pass, keys.tokens, keys.capacity);
        let attended = attention.forward_tile(tile, q, &keys.keys, &keys.values)?;
        self.output(&attended.output, pass, tile)
    }

    /// The output projection of what was attended, `[tile, heads * head_dim]` -> `[tile, d_model]`.
    pub(super) fn output(
        &self,
        attended: &Tensor,
        pass: &Pass<'_>,
        tile: &TokenTile,
    ) -> Result<Tensor> {
        let output = self.o.forward(attended)?;
        O.add(pass, self.layer, tile, attended, [&output])?;
        Ok(output)
    }

    /// The backward of [`Self::output`] for the gradient of its result, `[tile, d_model]`; the
    /// gradient of `attended` is written to `d_attended`, which is zero before.
    pub(super) fn output_backward(
        &self,
        attended: &Tensor,
        pass: &Pass<'_>,
        tile: &TokenTile,
        grad: &Tensor,
        d_attended: &Tensor,
    ) -> Result<()> {
        self.o.accumulate_backward_input(grad, d_attended)?;
        O.backward(pass, self.layer, tile, attended, [grad], d_attended)
    }

    fn attention<'p>(&self, pass: &Pass<'p>, keys: usize, capacity: usize) -> Attention<'p> {
        let (config, input) = (pass.config, pass.input);
        Attention {
            batch: input.batch,
            queries: input.seq,
            keys,
            key_capacity: capacity,
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            scale: config.attention_scale,
            soft_cap: config.attention_soft_cap,
            window: self.window,
            first_visible: input.first_visible,
        }
    }

    /// The backward of attention itself and of the per-head norms: gradients of what the linear maps
    /// made. `d_attended` and the activations are given up.
    pub(super) fn attend_backward(
        &self,
        activations: AttentionActivations,
        pass: &Pass<'_>,
        d_attended: Tensor,
    ) -> Result<AttentionGradients> {
        let (config, seq) = (pass.config, pass.input.seq);
        let AttentionActivations {
            projected: Projected { unnormed, q, k, v },
            attended,
        } = activations;
        let attention = self.attention(pass, seq, seq);
        let mut d = attention.backward((&q, &k, &v), &attended, &d_attended)?;
        drop((q, k, v, attended, d_attended));
        let angles = pass.angles(self.window);
        rotate(&d.queries, config.head_dim, angles, Rotation::Backward)?;
        rotate(&d.keys, config.head_dim, angles, Rotation::Backward)?;
        if let (Some((q_norm, k_norm)), Some((q, k))) = (&self.qk_norm, unnormed) {
            let (width, eps) = (config.head_dim, config.norm_eps);
            d.queries = per_head_backward(&q, width, q_norm, eps, &d.queries)?;
            d.keys = per_head_backward(&k, width, k_norm, eps, &d.keys)?;
        }
        Ok(d)
    }

    /// The gradient of one tile's input `normed` `[tile, d_model]`, after the norm.
    pub(super) fn project_backward(
        &self,
        normed: &Tensor,
        gradients: &AttentionGradients,
        pass: &Pass<'_>,
        tile: &TokenTile,
    ) -> Result<Tensor> {
        let d_q = tile.of(&gradients.queries)?;
        let (d_k, d_v) = (tile.of(&gradients.keys)?, tile.of(&gradients.values)?);
        let d_x = self.q.backward_input(&d_q)?;
        self.k.accumulate_backward_input(&d_k, &d_x)?;
        self.v.accumulate_backward_input(&d_v, &d_x)?;
        self.qkv
            .backward(pass, self.layer, tile, normed, [&d_q, &d_k, &d_v], &d_x)?;
        Ok(d_x)
    }
}
