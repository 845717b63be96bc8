//! Self-attention of a frozen block: grouped heads, norms on q and k and a window where the family
//! has them.

use candle_core::Tensor;

use super::{Pass, Weights, per_head};
use crate::Result;
use crate::models::config::DecoderConfig;
use crate::models::kv_cache::LayerCache;
use crate::ops::attention::Attention;
use crate::ops::frozen_linear::FrozenLinear;
use crate::ops::rope::{Rotation, rotate};

pub(super) struct SelfAttention {
    q: FrozenLinear,
    k: FrozenLinear,
    v: FrozenLinear,
    o: FrozenLinear,
    /// Weights of the per-head norms of queries and keys, `[head_dim]` each.
    qk_norm: Option<(Tensor, Tensor)>,
    /// Keys a query sees, its own included.
    window: Option<usize>,
}

impl SelfAttention {
    pub(super) fn load(
        config: &DecoderConfig,
        weights: &Weights<'_>,
        prefix: &str,
        window: Option<usize>,
    ) -> Result<Self> {
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
            q,
            k,
            v,
            o,
            qk_norm,
            window,
        })
    }

    /// `x` `[batch * seq, d_model]`, already normalized.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        pass: &Pass<'_>,
        cache: Option<&mut LayerCache>,
    ) -> Result<Tensor> {
        let (config, input) = (pass.config, pass.input);
        let mut q = self.q.forward(x)?; // [tokens, heads * head_dim]
        let mut k = self.k.forward(x)?; // [tokens, kv_heads * head_dim]
        let v = self.v.forward(x)?;
        if let Some((q_norm, k_norm)) = &self.qk_norm {
            q = per_head(&q, config.head_dim, q_norm, config.norm_eps)?;
            k = per_head(&k, config.head_dim, k_norm, config.norm_eps)?;
        }
        let angles = pass.angles(self.window);
        rotate(&q, config.head_dim, angles, Rotation::Forward)?;
        rotate(&k, config.head_dim, angles, Rotation::Forward)?;
        let (keys, values, tokens, capacity) = match cache {
            None => (k, v, input.seq, input.seq),
            Some(cache) => {
                let all = cache.append(input.batch, &k, &v)?;
                (all.keys, all.values, all.tokens, all.capacity)
            }
        };
        let attention = Attention {
            batch: input.batch,
            queries: input.seq,
            keys: tokens,
            key_capacity: capacity,
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            scale: config.attention_scale,
            soft_cap: config.attention_soft_cap,
            window: self.window,
            first_visible: input.first_visible,
        };
        let attended = attention.forward(&q, &keys, &values)?;
        Ok(self.o.forward(&attended.output)?)
    }
}
