//! Owns the Qwen3 network that is pretrained: every parameter trainable, f32, on the CPU.
//!
//! Tensor names and arithmetic are transformers' `Qwen3ForCausalLM` with tied embeddings.

use crate::Outcome;
use crate::fused::{Visibility, causal_softmax, cross_entropy, rms_norm, rotary, swiglu};
use crate::vocabulary::VOCABULARY_SIZE;
use candle_core::{Device, Result, Tensor, Var};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

pub const HIDDEN: usize = 192;
pub const LAYERS: usize = 8;
pub const HEADS: usize = 6;
pub const KEY_VALUE_HEADS: usize = 2;
pub const HEAD_DIM: usize = 32;
pub const INTERMEDIATE: usize = 384;
pub const EPSILON: f64 = 1e-6;
pub const THETA: f64 = 10_000.0;
pub const INITIAL_DEVIATION: f64 = 0.02;

/// A trainable tensor under its name in the checkpoint.
pub struct Parameter {
    pub name: String,
    pub var: Var,
}

struct Layer {
    input_norm: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    query_norm: Tensor,
    key_norm: Tensor,
    mlp_norm: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

/// The network and the list of its parameters.
pub struct Model {
    pub parameters: Vec<Parameter>,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
}

/// Keys and values of the tokens seen so far, per layer. `[batch, kv_heads, seq, head_dim]`
#[derive(Default)]
pub struct Cache {
    layers: Vec<(Tensor, Tensor)>,
}

impl Cache {
    fn length(&self) -> Result<usize> {
        self.layers.first().map_or(Ok(0), |(keys, _)| keys.dim(2))
    }
}

impl Model {
    /// Random weights: normal with the usual deviation of 0.02, norms at one.
    pub fn new(rng: &mut ChaCha8Rng) -> Outcome<Self> {
        let mut parameters = Vec::new();
        let mut matrix = |name: String, rows: usize, columns: usize| -> Outcome<Tensor> {
            let numbers = (0..rows * columns)
                .map(|_| (normal(rng) * INITIAL_DEVIATION) as f32)
                .collect();
            let var = Var::from_tensor(&Tensor::from_vec::<_, f32>(
                numbers,
                (rows, columns),
                &Device::Cpu,
            )?)?;
            let tensor = var.as_tensor().clone();
            parameters.push(Parameter { name, var });
            Ok(tensor)
        };
        let embedding = matrix(
            "model.embed_tokens.weight".to_owned(),
            VOCABULARY_SIZE,
            HIDDEN,
        )?;
        let mut matrices = Vec::new();
        let (wide, narrow) = (HEADS * HEAD_DIM, KEY_VALUE_HEADS * HEAD_DIM);
        for layer in 0..LAYERS {
            let mut part = |name: &str, rows, columns| {
                matrix(format!("model.layers.{layer}.{name}.weight"), rows, columns)
            };
            matrices.push([
                part("self_attn.q_proj", wide, HIDDEN)?,
                part("self_attn.k_proj", narrow, HIDDEN)?,
                part("self_attn.v_proj", narrow, HIDDEN)?,
                part("self_attn.o_proj", HIDDEN, wide)?,
                part("mlp.gate_proj", INTERMEDIATE, HIDDEN)?,
                part("mlp.up_proj", INTERMEDIATE, HIDDEN)?,
                part("mlp.down_proj", HIDDEN, INTERMEDIATE)?,
            ]);
        }
        let mut ones = |name: String, size: usize| -> Outcome<Tensor> {
            let var = Var::ones(size, candle_core::DType::F32, &Device::Cpu)?;
            let tensor = var.as_tensor().clone();
            parameters.push(Parameter { name, var });
            Ok(tensor)
        };
        let mut layers = Vec::new();
        for (index, matrices) in matrices.into_iter().enumerate() {
            let [query, key, value, output, gate, up, down] = matrices;
            let mut part =
                |name: &str, size| ones(format!("model.layers.{index}.{name}.weight"), size);
            layers.push(Layer {
                input_norm: part("input_layernorm", HIDDEN)?,
                query_norm: part("self_attn.q_norm", HEAD_DIM)?,
                key_norm: part("self_attn.k_norm", HEAD_DIM)?,
                mlp_norm: part("post_attention_layernorm", HIDDEN)?,
                query,
                key,
                value,
                output,
                gate,
                up,
                down,
            });
        }
        let norm = ones("model.norm.weight".to_owned(), HIDDEN)?;
        Ok(Self {
            parameters,
            embedding,
            layers,
            norm,
        })
    }

    pub fn parameter_count(&self) -> usize {
        self.parameters
            .iter()
            .map(|parameter| parameter.var.elem_count())
            .sum()
    }

    /// Hidden states after the final norm. `tokens [batch, seq] -> [batch, seq, hidden]`
    ///
    /// With a cache the tokens continue what the cache holds. `left_padding` is empty or counts
    /// the padding at the start of each sequence.
    fn hidden(
        &self,
        tokens: &Tensor,
        left_padding: &Arc<Vec<usize>>,
        mut cache: Option<&mut Cache>,
    ) -> Result<Tensor> {
        let (batch, length) = tokens.dims2()?;
        let offset = cache.as_ref().map_or(Ok(0), |cache| cache.length())?;
        let visibility = Visibility {
            rows_per_sequence: HEADS * length,
            queries: length,
            offset,
            left_padding: Arc::clone(left_padding),
        };
        // [batch * seq, hidden] throughout, so that every linear map is one matrix product.
        let mut x = self.embedding.index_select(&tokens.flatten_all()?, 0)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = rms_norm(&x, &layer.input_norm, EPSILON as f32)?;
            let heads = |projection: &Tensor, count: usize| {
                normed
                    .matmul(&projection.t()?)?
                    .reshape((batch, length, count, HEAD_DIM))
            };
            let query = rms_norm(
                &heads(&layer.query, HEADS)?,
                &layer.query_norm,
                EPSILON as f32,
            )?;
            let key = rms_norm(
                &heads(&layer.key, KEY_VALUE_HEADS)?,
                &layer.key_norm,
                EPSILON as f32,
            )?;
            let query = rotary(&query, THETA, offset)?
                .transpose(1, 2)?
                .contiguous()?;
            let mut key = rotary(&key, THETA, offset)?.transpose(1, 2)?.contiguous()?;
            let mut value = heads(&layer.value, KEY_VALUE_HEADS)?
                .transpose(1, 2)?
                .contiguous()?;
            if let Some(cache) = cache.as_deref_mut() {
                if let Some((keys, values)) = cache.layers.get(index) {
                    key = Tensor::cat(&[keys, &key], 2)?;
                    value = Tensor::cat(&[values, &value], 2)?;
                    cache.layers[index] = (key.clone(), value.clone());
                } else {
                    cache.layers.push((key.clone(), value.clone()));
                }
            }
            let attended = attend(&query, &key, &value, &visibility)?;
            x = (x + attended.matmul(&layer.output.t()?)?)?;
            let normed = rms_norm(&x, &layer.mlp_norm, EPSILON as f32)?;
            let gate = normed.matmul(&layer.gate.t()?)?;
            let up = normed.matmul(&layer.up.t()?)?;
            x = (x + swiglu(&gate, &up)?.matmul(&layer.down.t()?)?)?;
        }
        rms_norm(&x, &self.norm, EPSILON as f32)?.reshape((batch, length, HIDDEN))
    }

    /// Mean loss of predicting `targets` at the flat positions `rows` of a right-padded batch.
    pub fn loss(&self, tokens: &Tensor, rows: Vec<u32>, targets: Vec<u32>) -> Result<Tensor> {
        let hidden = self
            .hidden(tokens, &Arc::new(Vec::new()), None)?
            .flatten(0, 1)?;
        let rows = Tensor::new(rows, &Device::Cpu)?;
        let logits = hidden
            .index_select(&rows, 0)?
            .matmul(&self.embedding.t()?)?;
        cross_entropy(&logits, targets)
    }

    /// Logits of the token that follows the last one. `[batch, vocabulary]`
    pub fn next_logits(
        &self,
        tokens: &Tensor,
        left_padding: &Arc<Vec<usize>>,
        cache: &mut Cache,
    ) -> Result<Tensor> {
        let hidden = self.hidden(tokens, left_padding, Some(cache))?;
        let last = hidden
            .narrow(1, hidden.dim(1)? - 1, 1)?
            .squeeze(1)?
            .contiguous()?;
        last.matmul(&self.embedding.t()?)
    }
}

/// Grouped causal attention: the heads that share a key are rows of one matrix product.
fn attend(query: &Tensor, key: &Tensor, value: &Tensor, visibility: &Visibility) -> Result<Tensor> {
    let (batch, _, length, _) = query.dims4()?;
    let seen = key.dim(2)?;
    let groups = batch * KEY_VALUE_HEADS;
    let query = query.reshape((groups, HEADS / KEY_VALUE_HEADS * length, HEAD_DIM))?;
    let key = key.reshape((groups, seen, HEAD_DIM))?;
    let value = value.reshape((groups, seen, HEAD_DIM))?;
    let scores = query.matmul(&key.t()?)?;
    let weights = causal_softmax(&scores, 1.0 / (HEAD_DIM as f32).sqrt(), visibility)?;
    weights
        .matmul(&value)?
        .reshape((batch, HEADS, length, HEAD_DIM))?
        .transpose(1, 2)?
        .reshape((batch * length, HEADS * HEAD_DIM))
}

/// A standard normal number (Box-Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}
