//! Models whose weights are random numbers, of any family and size. Those that are computed with on
//! two devices have numbers as in a trained model; those that are timed share a few numbers between
//! all their tensors, so that 8 billion parameters take little RAM.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Result;
use crate::models::checkpoint::{BufferPart, Checkpoint};
use crate::models::config::DecoderConfig;
use crate::models::stored_type::StoredType;

/// Bytes of a number: weights are stored in bf16.
const WIDTH: usize = 2;

/// A tensor of a model.
struct Stored {
    name: String,
    shape: Vec<usize>,
    /// Numbers lie within this around `center`.
    size: f32,
    center: f32,
}

impl Stored {
    fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The configuration of this config.json.
pub(super) fn config(json: &serde_json::Value) -> Result<DecoderConfig> {
    DecoderConfig::from_json(Path::new("random"), json.to_string().as_bytes())
}

fn tensors(config: &DecoderConfig) -> Vec<Stored> {
    let mut tensors = Vec::new();
    let mut matrix = |name: String, rows: usize, columns: usize| {
        tensors.push(Stored {
            name: format!("{name}.weight"),
            shape: vec![rows, columns],
            size: (3.0 / columns as f32).sqrt(),
            center: 0.0,
        });
    };
    let (d, f, head_dim) = (config.d_model, config.d_ff, config.head_dim);
    let (q, kv) = (config.heads * head_dim, config.kv_heads * head_dim);
    matrix("model.embed_tokens".to_owned(), config.vocabulary, d);
    if !config.tied_head {
        matrix("lm_head".to_owned(), config.vocabulary, d);
    }
    let in_block = |layer: usize, name: &str| format!("model.layers.{layer}.{name}");
    for layer in 0..config.layers {
        let mut matrix = |name: &str, rows, columns| matrix(in_block(layer, name), rows, columns);
        matrix("self_attn.o_proj", d, q);
        matrix("mlp.down_proj", d, f);
        if config.fused_projections {
            matrix("self_attn.qkv_proj", q + 2 * kv, d);
            matrix("mlp.gate_up_proj", 2 * f, d);
        } else {
            matrix("self_attn.q_proj", q, d);
            matrix("self_attn.k_proj", kv, d);
            matrix("self_attn.v_proj", kv, d);
            matrix("mlp.gate_proj", f, d);
            matrix("mlp.up_proj", f, d);
        }
    }
    let one = if config.norms_around_one { 0.0 } else { 1.0 };
    let mut vector = |name: String, width: usize, center: f32| {
        tensors.push(Stored {
            name,
            shape: vec![width],
            size: 0.1,
            center,
        });
    };
    vector("model.norm.weight".to_owned(), d, one);
    let mut norms = vec![("input_layernorm", d), ("post_attention_layernorm", d)];
    if config.sandwich_norms {
        norms.push(("pre_feedforward_layernorm", d));
        norms.push(("post_feedforward_layernorm", d));
    }
    if config.qk_norm {
        norms.push(("self_attn.q_norm", head_dim));
        norms.push(("self_attn.k_norm", head_dim));
    }
    let mut biases = Vec::new();
    if config.qkv_bias {
        biases.extend([("q_proj", q), ("k_proj", kv), ("v_proj", kv)]);
    }
    if config.output_bias {
        biases.push(("o_proj", d));
    }
    for layer in 0..config.layers {
        for &(name, width) in &norms {
            vector(in_block(layer, &format!("{name}.weight")), width, one);
        }
        for &(name, width) in &biases {
            vector(
                in_block(layer, &format!("self_attn.{name}.bias")),
                width,
                0.0,
            );
        }
    }
    tensors
}

/// Weights that are all their own.
pub(super) fn checkpoint(config: &DecoderConfig, seed: u64) -> Result<Checkpoint> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut bytes, mut parts) = (Vec::new(), Vec::new());
    for tensor in tensors(config) {
        let first = bytes.len();
        for _ in 0..tensor.count() {
            let number = tensor.center + random.random_range(-tensor.size..=tensor.size);
            bytes.extend_from_slice(&half::bf16::from_f32(number).to_le_bytes());
        }
        parts.push(part(tensor, first));
    }
    Checkpoint::of_parts(Path::new("random"), bytes, parts)
}

/// Weights that share their bytes: of the largest tensor there are as many as it has, and every other
/// begins where it does.
pub(super) fn shared_checkpoint(config: &DecoderConfig) -> Result<Checkpoint> {
    let tensors = tensors(config);
    let largest = tensors.iter().map(Stored::count).max().unwrap_or(0);
    let bytes = small_numbers(largest);
    let parts = tensors.into_iter().map(|tensor| part(tensor, 0)).collect();
    Checkpoint::of_parts(Path::new("random"), bytes, parts)
}

fn part(tensor: Stored, first: usize) -> BufferPart {
    BufferPart {
        bytes: first..first + WIDTH * tensor.count(),
        name: tensor.name,
        stored: StoredType::BF16,
        shape: tensor.shape,
    }
}

/// From 2^-6 to 2^-5 with either sign, in bf16; which ones does not matter.
fn small_numbers(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut bytes = Vec::with_capacity(WIDTH * count);
    for _ in 0..count {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let number = 0x3c80 | (state >> 48) as u16 & 0x807f;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::catalogue;

    #[test]
    fn the_tensors_are_those_of_the_published_models() {
        for name in ["qwen2.5-7b", "llama-3.1-8b"] {
            let entry = catalogue::find(name).unwrap();
            let found: usize = tensors(&entry.config).iter().map(Stored::count).sum();
            assert_eq!(found, entry.parameters, "{name}");
        }
    }
}
