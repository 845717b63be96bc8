//! What the tensors of a GGUF file are called in a checkpoint, and the order of their rows.
//!
//! Two conventions pair the features of a head for the rotary embedding. Hugging Face's checkpoints
//! turn feature `i` with feature `i + d/2`; llama.cpp turns, for the architecture `llama` only,
//! feature `2i` with `2i + 1`, and its converter reorders the rows of q and k so that the same
//! numbers meet (`LlamaModel.permute` in conversion/llama.py). Within a head of width `d`:
//!
//! ```text
//! stored row      r = 2 i + half        i in 0..d/2, half in 0..2
//! checkpoint row  c = half d/2 + i
//! ```
//!
//! A row is a whole row of the matrix (its blocks of quantized numbers lie along it), so putting rows
//! back in order never takes a block apart. Biases are reordered likewise, number by number.

use super::architecture::Architecture;

/// What a tensor of a GGUF file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TensorRole {
    /// A weight of the checkpoint.
    Weight {
        /// Its name there.
        name: String,
        /// How its rows lie.
        rows: RowOrder,
    },
    /// Divisors of the rotary frequencies: part of the configuration, see `config`.
    RotaryDivisors,
}

/// The order of a tensor's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOrder {
    /// That of the checkpoint.
    AsInCheckpoint,
    /// The two halves of every head alternate.
    Interleaved {
        /// Rows of one head.
        head_dim: usize,
    },
}

impl RowOrder {
    /// Where the checkpoint has the row that the file has at `stored`.
    pub fn checkpoint_row(self, stored: usize) -> usize {
        match self {
            Self::AsInCheckpoint => stored,
            Self::Interleaved { head_dim } => {
                let (head, row) = (stored / head_dim, stored % head_dim);
                head * head_dim + row % 2 * (head_dim / 2) + row / 2
            }
        }
    }

    /// Whether a tensor of this many rows can be in this order.
    pub fn fits(self, rows: usize) -> bool {
        match self {
            Self::AsInCheckpoint => true,
            Self::Interleaved { head_dim } => head_dim > 0 && rows.is_multiple_of(head_dim),
        }
    }

    /// Where the file has the row that the checkpoint has at `row`: what a reader needs that goes
    /// through the checkpoint's rows.
    pub fn stored_row(self, row: usize) -> usize {
        match self {
            Self::AsInCheckpoint => row,
            Self::Interleaved { head_dim } => {
                let (head, row) = (row / head_dim, row % head_dim);
                head * head_dim + row % (head_dim / 2) * 2 + row / (head_dim / 2)
            }
        }
    }
}

/// What the tensor `name` is in a file of this architecture, whose heads are `head_dim` wide (an
/// even number).
///
/// # Errors
/// When the architecture has no such tensor.
pub fn role(architecture: Architecture, head_dim: usize, name: &str) -> Result<TensorRole, String> {
    let unknown = || {
        format!(
            "tensor {name:?} is not one of the architecture {:?}",
            architecture.name()
        )
    };
    let as_stored = |name: &str| {
        Ok(TensorRole::Weight {
            name: name.to_owned(),
            rows: RowOrder::AsInCheckpoint,
        })
    };
    match name {
        "token_embd.weight" => return as_stored("model.embed_tokens.weight"),
        "output_norm.weight" => return as_stored("model.norm.weight"),
        "output.weight" => return as_stored("lm_head.weight"),
        "rope_freqs.weight" | "rope_factors_long.weight" | "rope_factors_short.weight" => {
            return Ok(TensorRole::RotaryDivisors);
        }
        _ => {}
    }
    let in_block = name.strip_prefix("blk.").and_then(|rest| {
        let (block, rest) = rest.split_once('.')?;
        let (part, suffix) = rest.split_once('.')?;
        // `blk.07` would be another name for `blk.7`.
        let number: usize = block.parse().ok()?;
        (number.to_string() == block).then_some((number, part, suffix))
    });
    let (block, part, suffix) = in_block.ok_or_else(unknown)?;
    let (module, kind) = module(architecture, part).ok_or_else(unknown)?;
    if !matches!((kind, suffix), (_, "weight") | (Kind::Linear, "bias")) {
        return Err(unknown());
    }
    let is_turned = matches!(part, "attn_q" | "attn_k");
    Ok(TensorRole::Weight {
        name: format!("model.layers.{block}.{module}.{suffix}"),
        rows: match architecture {
            Architecture::Llama if is_turned => RowOrder::Interleaved { head_dim },
            _ => RowOrder::AsInCheckpoint,
        },
    })
}

#[derive(Clone, Copy)]
enum Kind {
    /// May have a bias.
    Linear,
    Norm,
}

/// The module of a decoder layer that `blk.N.part` is.
fn module(architecture: Architecture, part: &str) -> Option<(&'static str, Kind)> {
    use Architecture::{Gemma3, Phi3, Qwen3};
    let is_gemma = architecture.is_gemma();
    let is_fused = architecture == Phi3;
    let has_head_norms = matches!(architecture, Qwen3 | Gemma3);
    Some(match part {
        "attn_q" if !is_fused => ("self_attn.q_proj", Kind::Linear),
        "attn_k" if !is_fused => ("self_attn.k_proj", Kind::Linear),
        "attn_v" if !is_fused => ("self_attn.v_proj", Kind::Linear),
        "attn_qkv" if is_fused => ("self_attn.qkv_proj", Kind::Linear),
        "attn_output" => ("self_attn.o_proj", Kind::Linear),
        "attn_q_norm" if has_head_norms => ("self_attn.q_norm", Kind::Norm),
        "attn_k_norm" if has_head_norms => ("self_attn.k_norm", Kind::Norm),
        "ffn_gate" if !is_fused => ("mlp.gate_proj", Kind::Linear),
        "ffn_up" if is_fused => ("mlp.gate_up_proj", Kind::Linear),
        "ffn_up" => ("mlp.up_proj", Kind::Linear),
        "ffn_down" => ("mlp.down_proj", Kind::Linear),
        "attn_norm" => ("input_layernorm", Kind::Norm),
        // The norm before the MLP; Gemma's checkpoints give its usual name to the one behind
        // attention.
        "ffn_norm" if is_gemma => ("pre_feedforward_layernorm", Kind::Norm),
        "ffn_norm" => ("post_attention_layernorm", Kind::Norm),
        "post_attention_norm" if is_gemma => ("post_attention_layernorm", Kind::Norm),
        "post_ffw_norm" if is_gemma => ("post_feedforward_layernorm", Kind::Norm),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(architecture: Architecture, name: &str) -> (String, RowOrder) {
        match role(architecture, 16, name).unwrap() {
            TensorRole::Weight { name, rows } => (name, rows),
            TensorRole::RotaryDivisors => panic!("{name} is a weight"),
        }
    }

    #[test]
    fn rows_go_back_where_the_converter_took_them_from() {
        // llama.cpp: reshape to [heads, 2, d/2], swap the last two axes, flatten.
        let (heads, head_dim) = (3, 8);
        let mut stored = Vec::new();
        for head in 0..heads {
            for pair in 0..head_dim / 2 {
                for half in 0..2 {
                    stored.push(head * head_dim + half * (head_dim / 2) + pair);
                }
            }
        }
        assert_eq!(stored[..8], [0, 4, 1, 5, 2, 6, 3, 7]);
        let order = RowOrder::Interleaved { head_dim };
        for (position, &row) in stored.iter().enumerate() {
            assert_eq!(order.checkpoint_row(position), row);
            assert_eq!(order.stored_row(row), position);
            assert_eq!(RowOrder::AsInCheckpoint.checkpoint_row(row), row);
        }
    }

    #[test]
    fn only_q_and_k_of_llama_are_interleaved() {
        let turned = RowOrder::Interleaved { head_dim: 16 };
        for (part, module) in [("attn_q", "q_proj"), ("attn_k", "k_proj")] {
            for suffix in ["weight", "bias"] {
                let name = format!("blk.11.{part}.{suffix}");
                let expected = format!("model.layers.11.self_attn.{module}.{suffix}");
                assert_eq!(
                    weight(Architecture::Llama, &name),
                    (expected.clone(), turned)
                );
                assert_eq!(
                    weight(Architecture::Qwen2, &name),
                    (expected, RowOrder::AsInCheckpoint)
                );
            }
        }
        let (name, rows) = weight(Architecture::Llama, "blk.0.attn_v.weight");
        assert_eq!(name, "model.layers.0.self_attn.v_proj.weight");
        assert_eq!(rows, RowOrder::AsInCheckpoint);
    }

    #[test]
    fn the_same_part_is_another_module_in_another_architecture() {
        let cases = [
            (Architecture::Llama, "ffn_norm", "post_attention_layernorm"),
            (
                Architecture::Gemma2,
                "ffn_norm",
                "pre_feedforward_layernorm",
            ),
            (
                Architecture::Gemma3,
                "post_attention_norm",
                "post_attention_layernorm",
            ),
            (
                Architecture::Gemma2,
                "post_ffw_norm",
                "post_feedforward_layernorm",
            ),
            (Architecture::Gemma3, "attn_q_norm", "self_attn.q_norm"),
            (Architecture::Phi3, "ffn_up", "mlp.gate_up_proj"),
            (Architecture::Phi3, "attn_qkv", "self_attn.qkv_proj"),
            (Architecture::Qwen3, "ffn_up", "mlp.up_proj"),
        ];
        for (architecture, part, module) in cases {
            let (name, _) = weight(architecture, &format!("blk.3.{part}.weight"));
            assert_eq!(name, format!("model.layers.3.{module}.weight"));
        }
    }

    #[test]
    fn a_tensor_that_does_not_belong_is_named() {
        for (architecture, name) in [
            (Architecture::Llama, "blk.0.ffn_gate_exps.weight"),
            (Architecture::Llama, "blk.0.attn_q_norm.weight"),
            (Architecture::Llama, "blk.0.attn_norm.bias"),
            (Architecture::Llama, "blk.00.attn_norm.weight"),
            (Architecture::Llama, "blk.0.attn_q.scale"),
            (Architecture::Phi3, "blk.0.attn_q.weight"),
            (Architecture::Qwen2, "output.bias"),
            (Architecture::Gemma2, "blk.0.attn_k_norm.weight"),
        ] {
            let problem = role(architecture, 16, name).unwrap_err();
            assert!(problem.contains(name), "{problem}");
        }
        for name in ["rope_freqs.weight", "rope_factors_long.weight"] {
            let role = role(Architecture::Llama, 16, name);
            assert_eq!(role, Ok(TensorRole::RotaryDivisors));
        }
    }
}
