//! Models of any size whose weights are random numbers.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;

use crate::models::checkpoint::Checkpoint;
use crate::models::config::DecoderConfig;
use crate::{Error, Result};

/// Sizes of a random model, shaped like Llama.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomModel {
    /// Blocks.
    pub layers: usize,
    /// Width of the hidden states.
    pub d_model: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of the MLP.
    pub d_ff: usize,
    /// Tokens.
    pub vocabulary: usize,
    /// Whether the head is the embedding.
    pub tied_head: bool,
}

impl RandomModel {
    /// The model's configuration.
    ///
    /// # Errors
    /// When sizes contradict each other.
    pub fn config(&self) -> Result<DecoderConfig> {
        let config = json!({
            "model_type": "llama", "vocab_size": self.vocabulary, "hidden_size": self.d_model,
            "num_hidden_layers": self.layers, "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads, "intermediate_size": self.d_ff,
            "rms_norm_eps": 1e-5, "max_position_embeddings": 1 << 20,
            "tie_word_embeddings": self.tied_head,
        });
        DecoderConfig::from_json(Path::new("random"), config.to_string().as_bytes())
    }

    /// Its tensors.
    fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let (d, f) = (self.d_model, self.d_ff);
        let kv = d / self.heads * self.kv_heads;
        let mut shapes = BTreeMap::new();
        let mut add =
            |name: String, shape: Vec<usize>| shapes.insert(format!("{name}.weight"), shape);
        add("model.embed_tokens".to_owned(), vec![self.vocabulary, d]);
        add("model.norm".to_owned(), vec![d]);
        if !self.tied_head {
            add("lm_head".to_owned(), vec![self.vocabulary, d]);
        }
        for layer in 0..self.layers {
            let name = |module: &str| format!("model.layers.{layer}.{module}");
            for (module, rows, columns) in [
                ("self_attn.q_proj", d, d),
                ("self_attn.k_proj", kv, d),
                ("self_attn.v_proj", kv, d),
                ("self_attn.o_proj", d, d),
                ("mlp.gate_proj", f, d),
                ("mlp.up_proj", f, d),
                ("mlp.down_proj", d, f),
            ] {
                add(name(module), vec![rows, columns]);
            }
            for norm in ["input_layernorm", "post_attention_layernorm"] {
                add(name(norm), vec![d]);
            }
        }
        shapes
    }

    /// Numbers in it.
    pub fn parameters(&self) -> usize {
        self.shapes().values().map(|shape| count(shape)).sum()
    }

    /// Random weights in bfloat16.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let shapes = self.shapes();
        let largest = shapes.values().map(|shape| count(shape)).max();
        let numbers = random_bf16(largest.unwrap_or(0));
        let views = shapes.iter().map(|(name, shape)| {
            let bytes = 2 * count(shape);
            let view = TensorView::new(Dtype::BF16, shape.clone(), &numbers[..bytes]);
            view.map(|view| (name.as_str(), view))
        });
        let file = views
            .collect::<Result<Vec<_>, _>>()
            .and_then(|views| safetensors::serialize(views, None))
            .map_err(|error| Error::Tensor(candle_core::Error::wrap(error)))?;
        Checkpoint::from_bytes(Path::new("random"), file)
    }
}

fn count(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Small numbers around zero; which ones does not matter.
fn random_bf16(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut bytes = Vec::with_capacity(2 * count);
    for _ in 0..count {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // 2^-6 to 2^-5, with either sign
        let number = 0x3c80 | (state >> 48) as u16 & 0x807f;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}
