//! The frozen decoder every family shares. Its forward pass builds no graph and keeps nothing: each
//! block's output is shown to an observer, who may keep it as a tap, and is then gone. Reads in the
//! order config -> rotary -> attention -> MLP -> block -> decoder, with the checkpoint's names.

use candle_core::{DType, Tensor};

use super::checkpoint::Checkpoint;
use super::config::DecoderConfig;
use super::kv_cache::{KvCache, LayerCache};
use crate::Result;
use crate::ops::attention::Attention;
use crate::ops::elementwise;
use crate::ops::frozen_linear::FrozenLinear;
use crate::ops::rms_norm::rms_norm;
use crate::ops::rope::{Angles, RotaryEmbedding, Rotation, rotate};
use crate::ops::swiglu::swiglu;

/// Tokens going through a decoder: `batch` rows of `seq` tokens, row-major.
#[derive(Clone, Copy, Debug)]
pub struct TokenInput<'a> {
    /// Token ids, `[batch * seq]`.
    pub ids: &'a [u32],
    /// Position of each token inside its own example, `[batch * seq]`.
    pub positions: &'a [u32],
    /// First key each token may see, `[batch * seq]`; empty: all from 0. Marks documents in a row.
    pub first_visible: &'a [u32],
    /// Rows.
    pub batch: usize,
    /// Tokens per row.
    pub seq: usize,
}

/// A frozen backbone.
pub struct Decoder {
    config: DecoderConfig,
    /// `[vocabulary, d_model]` in the stored type
    embedding: Tensor,
    rotary: RotaryEmbedding,
    blocks: Vec<Block>,
    final_norm: Tensor,
    head: FrozenLinear,
}

struct Block {
    input_norm: Tensor,
    attention: SelfAttention,
    post_attention_norm: Tensor,
    mlp: Mlp,
}

struct SelfAttention {
    q: FrozenLinear,
    k: FrozenLinear,
    v: FrozenLinear,
    o: FrozenLinear,
    /// Weights of the per-head norms of queries and keys, `[head_dim]` each.
    qk_norm: Option<(Tensor, Tensor)>,
}

struct Mlp {
    gate: FrozenLinear,
    up: FrozenLinear,
    down: FrozenLinear,
}

struct Pass<'a> {
    config: &'a DecoderConfig,
    input: TokenInput<'a>,
    angles: Angles,
}

impl SelfAttention {
    fn load(config: &DecoderConfig, checkpoint: &Checkpoint, prefix: &str) -> Result<Self> {
        let (d, head_dim) = (config.d_model, config.head_dim);
        let (q, kv) = (config.heads * head_dim, config.kv_heads * head_dim);
        let linear = |name: &str, outputs: usize, inputs: usize, bias: bool| {
            load_linear(
                checkpoint,
                &format!("{prefix}.{name}"),
                [outputs, inputs],
                bias,
            )
        };
        let norm = |name: &str| load_norm(checkpoint, &format!("{prefix}.{name}"), head_dim);
        let qk_norm = match config.qk_norm {
            true => Some((norm("q_norm")?, norm("k_norm")?)),
            false => None,
        };
        Ok(Self {
            q: linear("q_proj", q, d, config.qkv_bias)?,
            k: linear("k_proj", kv, d, config.qkv_bias)?,
            v: linear("v_proj", kv, d, config.qkv_bias)?,
            o: linear("o_proj", d, q, config.output_bias)?,
            qk_norm,
        })
    }

    /// `x` `[batch * seq, d_model]`, already normalized.
    fn forward(
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
        rotate(&q, config.head_dim, &pass.angles, Rotation::Forward)?;
        rotate(&k, config.head_dim, &pass.angles, Rotation::Forward)?;
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
            scale: (config.head_dim as f64).sqrt().recip(),
            soft_cap: None,
            window: None,
            first_visible: input.first_visible,
        };
        let attended = attention.forward(&q, &keys, &values)?;
        Ok(self.o.forward(&attended.output)?)
    }
}

impl Mlp {
    fn load(config: &DecoderConfig, checkpoint: &Checkpoint, prefix: &str) -> Result<Self> {
        let (d, f, bias) = (config.d_model, config.d_ff, config.mlp_bias);
        let linear = |name: &str, shape: [usize; 2]| {
            load_linear(checkpoint, &format!("{prefix}.{name}"), shape, bias)
        };
        Ok(Self {
            gate: linear("gate_proj", [f, d])?,
            up: linear("up_proj", [f, d])?,
            down: linear("down_proj", [d, f])?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let hidden = swiglu(&self.gate.forward(x)?, &self.up.forward(x)?)?;
        Ok(self.down.forward(&hidden)?)
    }
}

impl Block {
    fn load(config: &DecoderConfig, checkpoint: &Checkpoint, layer: usize) -> Result<Self> {
        let prefix = format!("model.layers.{layer}");
        let norm = |name: &str| load_norm(checkpoint, &format!("{prefix}.{name}"), config.d_model);
        Ok(Self {
            input_norm: norm("input_layernorm")?,
            attention: SelfAttention::load(config, checkpoint, &format!("{prefix}.self_attn"))?,
            post_attention_norm: norm("post_attention_layernorm")?,
            mlp: Mlp::load(config, checkpoint, &format!("{prefix}.mlp"))?,
        })
    }

    /// `x` `[batch * seq, d_model]` -> the same shape, in a tensor of its own.
    fn forward(
        &self,
        x: &Tensor,
        pass: &Pass<'_>,
        cache: Option<&mut LayerCache>,
    ) -> Result<Tensor> {
        let eps = pass.config.norm_eps;
        let normed = rms_norm(x, Some(&self.input_norm), eps)?;
        // The projection's output is ours alone, so the residual is added into it in place.
        let middle = self.attention.forward(&normed, pass, cache)?;
        elementwise::add(&middle, x)?;
        let normed = rms_norm(&middle, Some(&self.post_attention_norm), eps)?;
        let out = self.mlp.forward(&normed)?;
        elementwise::add(&out, &middle)?;
        Ok(out)
    }
}

impl Decoder {
    /// Loads the backbone's weights, each in the type it is stored in.
    ///
    /// # Errors
    /// When a tensor is missing or does not fit the configuration.
    pub fn load(config: DecoderConfig, checkpoint: &Checkpoint) -> Result<Self> {
        let embedding = checkpoint.load(
            "model.embed_tokens.weight",
            &[config.vocabulary, config.d_model],
        )?;
        let blocks = (0..config.layers)
            .map(|layer| Block::load(&config, checkpoint, layer))
            .collect::<Result<Vec<_>>>()?;
        let head = head(&config, checkpoint, &embedding)?;
        Ok(Self {
            rotary: config.rope.rotary_embedding(config.head_dim),
            embedding,
            blocks,
            final_norm: load_norm(checkpoint, "model.norm", config.d_model)?,
            head: FrozenLinear::new(head, None)?,
            config,
        })
    }

    /// Sizes and switches.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Runs all blocks and returns the last one's output `[batch * seq, d_model]`, before the final
    /// norm. `observe(i, x_i)` sees the output of block `i` (1..=layers) right after it was made.
    /// With a cache, the tokens continue what it holds.
    ///
    /// # Errors
    /// When an id lies outside the vocabulary, or the observer fails.
    pub fn forward(
        &self,
        input: TokenInput<'_>,
        mut cache: Option<&mut KvCache>,
        mut observe: impl FnMut(usize, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let pass = Pass {
            config: &self.config,
            input,
            angles: self.rotary.angles(input.positions),
        };
        let mut x = self.embed(input.ids)?;
        for (layer, block) in self.blocks.iter().enumerate() {
            let layer_cache = cache.as_deref_mut().and_then(|cache| cache.layer(layer));
            x = block.forward(&x, &pass, layer_cache)?;
            observe(layer + 1, &x)?;
        }
        if let Some(cache) = cache {
            cache.advance(input.seq);
        }
        Ok(x)
    }

    /// The rows of the embedding for these tokens, widened to f32: `[tokens, d_model]`.
    fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        let ids = Tensor::from_slice(ids, ids.len(), self.embedding.device())?;
        Ok(self.embedding.index_select(&ids, 0)?.to_dtype(DType::F32)?)
    }

    /// The final norm's weight, `[d_model]`.
    pub fn final_norm(&self) -> &Tensor {
        &self.final_norm
    }

    /// The language-model head.
    pub fn head(&self) -> &FrozenLinear {
        &self.head
    }

    /// Logits `[tokens, vocabulary]` of hidden states before the final norm. For a few tokens only:
    /// training uses `linear_cross_entropy`.
    ///
    /// # Errors
    /// When the width does not fit.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let normed = rms_norm(hidden, Some(&self.final_norm), self.config.norm_eps)?;
        Ok(self.head.forward(&normed)?)
    }
}

/// The head's weight. A model may claim to tie it and still bring another one (some fine-tunes do);
/// what the file holds is then what was trained, as transformers decides too.
fn head(config: &DecoderConfig, checkpoint: &Checkpoint, embedding: &Tensor) -> Result<Tensor> {
    const NAME: &str = "lm_head.weight";
    let shape = [config.vocabulary, config.d_model];
    if config.tied_head
        && (!checkpoint.contains(NAME) || checkpoint.same_bytes(NAME, "model.embed_tokens.weight"))
    {
        return Ok(embedding.clone());
    }
    checkpoint.load(NAME, &shape)
}

/// Normalizes every head of `x` `[tokens, heads * head_dim]` by itself.
fn per_head(x: &Tensor, head_dim: usize, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let (tokens, width) = x.dims2()?;
    let heads = x.reshape((tokens * width / head_dim, head_dim))?;
    Ok(rms_norm(&heads, Some(weight), eps)?.reshape((tokens, width))?)
}

fn load_norm(checkpoint: &Checkpoint, name: &str, width: usize) -> Result<Tensor> {
    Ok(checkpoint
        .load(&format!("{name}.weight"), &[width])?
        .to_dtype(DType::F32)?)
}

fn load_linear(
    checkpoint: &Checkpoint,
    name: &str,
    [outputs, inputs]: [usize; 2],
    bias: bool,
) -> Result<FrozenLinear> {
    let weight = checkpoint.load(&format!("{name}.weight"), &[outputs, inputs])?;
    let bias = match bias {
        true => Some(checkpoint.load(&format!("{name}.bias"), &[outputs])?),
        false => None,
    };
    Ok(FrozenLinear::new(weight, bias)?)
}
