//! Self-attention of a frozen block: grouped heads, norms on q and k and a window where the family
//! has them.

use candle_core::Tensor;

use super::additions::{LinearMap, Siblings};
use super::{Pass, Weights, per_head, per_head_backward};
use crate::Result;
use crate::models::config::DecoderConfig;
use crate::models::kv_cache::LayerCache;
use crate::ops::attention::{Attended, Attention};
use crate::ops::elementwise;
use crate::ops::frozen_linear::FrozenLinear;
use crate::ops::rope::{Rotation, rotate};

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

/// What the backward needs.
pub(super) struct AttentionActivations {
    /// Queries and keys before their norms, where they have some.
    unnormed: Option<(Tensor, Tensor)>,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attended: Attended,
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

    /// `x` `[batch * seq, d_model]`, already normalized. With a cache, the tokens continue what it
    /// holds (and the activations are of no use).
    pub(super) fn forward(
        &self,
        x: &Tensor,
        pass: &Pass<'_>,
        cache: Option<&mut LayerCache>,
    ) -> Result<(Tensor, AttentionActivations)> {
        let (config, input) = (pass.config, pass.input);
        let mut q = self.q.forward(x)?; // [tokens, heads * head_dim]
        let mut k = self.k.forward(x)?; // [tokens, kv_heads * head_dim]
        let v = self.v.forward(x)?;
        self.qkv.add(pass, self.layer, x, [&q, &k, &v])?;
        let unnormed = match &self.qk_norm {
            None => None,
            Some((q_norm, k_norm)) => {
                let normed_q = per_head(&q, config.head_dim, q_norm, config.norm_eps)?;
                let normed_k = per_head(&k, config.head_dim, k_norm, config.norm_eps)?;
                let before = (q, k);
                (q, k) = (normed_q, normed_k);
                Some(before)
            }
        };
        let angles = pass.angles(self.window);
        rotate(&q, config.head_dim, angles, Rotation::Forward)?;
        rotate(&k, config.head_dim, angles, Rotation::Forward)?;
        let (k, v, tokens, capacity) = match cache {
            None => (k, v, input.seq, input.seq),
            Some(cache) => {
                let all = cache.append(input.batch, &k, &v)?;
                (all.keys, all.values, all.tokens, all.capacity)
            }
        };
        let attended = self.attention(pass, tokens, capacity).forward(&q, &k, &v)?;
        let output = self.o.forward(&attended.output)?;
        O.add(pass, self.layer, &attended.output, [&output])?;
        let activations = AttentionActivations {
            unnormed,
            q,
            k,
            v,
            attended,
        };
        Ok((output, activations))
    }

    fn attention<'p>(&self, pass: &'p Pass<'_>, keys: usize, capacity: usize) -> Attention<'p> {
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

    /// The gradient of `x` for the gradient of the output.
    pub(super) fn backward(
        &self,
        x: &Tensor,
        activations: &AttentionActivations,
        pass: &Pass<'_>,
        grad: &Tensor,
    ) -> Result<Tensor> {
        let (config, seq) = (pass.config, pass.input.seq);
        let AttentionActivations {
            unnormed,
            q,
            k,
            v,
            attended,
        } = activations;
        let d_attended = self.o.backward_input(grad)?;
        O.backward(pass, self.layer, &attended.output, [grad], &d_attended)?;
        let attention = self.attention(pass, seq, seq);
        let d = attention.backward((q, k, v), attended, &d_attended)?;
        drop(d_attended);
        let (mut d_q, mut d_k, d_v) = (d.queries, d.keys, d.values);
        let angles = pass.angles(self.window);
        rotate(&d_q, config.head_dim, angles, Rotation::Backward)?;
        rotate(&d_k, config.head_dim, angles, Rotation::Backward)?;
        if let (Some((q_norm, k_norm)), Some((q, k))) = (&self.qk_norm, unnormed) {
            let (width, eps) = (config.head_dim, config.norm_eps);
            d_q = per_head_backward(q, width, q_norm, eps, &d_q)?;
            d_k = per_head_backward(k, width, k_norm, eps, &d_k)?;
        }
        let d_x = self.q.backward_input(&d_q)?;
        elementwise::add(&d_x, &self.k.backward_input(&d_k)?)?;
        elementwise::add(&d_x, &self.v.backward_input(&d_v)?)?;
        self.qkv
            .backward(pass, self.layer, x, [&d_q, &d_k, &d_v], &d_x)?;
        Ok(d_x)
    }
}
