//! What a decoder looks like, whatever file said so: sizes, switches and the rotary embedding. A
//! family (see `families`) turns a config.json into this; the decoder reads nothing else.

use std::path::Path;

use serde::Deserialize;

use super::families;
use super::rope_scaling::RopeConfig;
use crate::{Error, Result};

/// Dimensions and switches of a decoder-only transformer.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderConfig {
    /// The `model_type` this came from.
    pub family: &'static str,
    /// Rows of the embedding and of the head.
    pub vocabulary: usize,
    /// Width of the hidden states.
    pub d_model: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Width of the MLP.
    pub d_ff: usize,
    /// Added to the mean square in every norm.
    pub norm_eps: f64,
    /// Rotary embedding.
    pub rope: RopeConfig,
    /// Longest sequence the model was made for.
    pub max_positions: usize,
    /// The head is the embedding.
    pub tied_head: bool,
    /// Biases on the q, k and v projections.
    pub qkv_bias: bool,
    /// Bias on the output projection of attention.
    pub output_bias: bool,
    /// Biases on the MLP's projections.
    pub mlp_bias: bool,
    /// RMS norms with weight on every query and key head, before the rotary embedding.
    pub qk_norm: bool,
    /// Ids that end a generation, as config.json names them.
    pub eos_tokens: Vec<u32>,
}

/// The fields of a Hugging Face config.json that the families read.
#[derive(Debug, Deserialize)]
pub struct HuggingFaceConfig {
    /// The family.
    pub model_type: Option<String>,
    pub(crate) vocab_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) num_key_value_heads: Option<usize>,
    pub(crate) head_dim: Option<usize>,
    pub(crate) intermediate_size: usize,
    pub(crate) rms_norm_eps: f64,
    pub(crate) max_position_embeddings: usize,
    pub(crate) original_max_position_embeddings: Option<usize>,
    pub(crate) tie_word_embeddings: Option<bool>,
    pub(crate) hidden_act: Option<String>,
    pub(crate) attention_bias: Option<bool>,
    pub(crate) mlp_bias: Option<bool>,
    pub(crate) use_sliding_window: Option<bool>,
    pub(crate) rope_theta: Option<f64>,
    pub(crate) rope_scaling: Option<serde_json::Value>,
    pub(crate) rope_parameters: Option<serde_json::Value>,
    pub(crate) eos_token_id: Option<OneOrMany>,
}

/// A token id, or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One id.
    One(u32),
    /// Several ids.
    Many(Vec<u32>),
}

impl DecoderConfig {
    /// Reads a config.json; `path` is for messages only.
    ///
    /// # Errors
    /// When the JSON is damaged, the family is unknown, or sizes contradict each other.
    pub fn from_json(path: &Path, json: &[u8]) -> Result<Self> {
        let invalid = |problem: String| Error::ModelFileInvalid {
            path: path.to_path_buf(),
            problem,
        };
        let value: serde_json::Value =
            serde_json::from_slice(json).map_err(|error| invalid(error.to_string()))?;
        let family = value
            .get("model_type")
            .and_then(|family| family.as_str())
            .unwrap_or("");
        let parse = families::by_model_type(family).ok_or_else(|| Error::ModelUnsupported {
            path: path.to_path_buf(),
            field: "model_type",
            found: family.to_owned(),
            supported: families::NAMES.to_vec(),
        })?;
        let raw: HuggingFaceConfig =
            serde_json::from_value(value).map_err(|error| invalid(error.to_string()))?;
        let config = parse(path, &raw)?;
        config.check().map_err(invalid)?;
        Ok(config)
    }

    /// The part all Llama-like families share; a family then sets its own switches.
    pub(crate) fn common(
        family: &'static str,
        path: &Path,
        raw: &HuggingFaceConfig,
    ) -> Result<Self> {
        let heads = raw.num_attention_heads;
        if let Some(activation) = raw.hidden_act.as_deref().filter(|name| *name != "silu") {
            return Err(Error::ModelUnsupported {
                path: path.to_path_buf(),
                field: "hidden_act",
                found: activation.to_owned(),
                supported: vec!["silu"],
            });
        }
        Ok(Self {
            family,
            vocabulary: raw.vocab_size,
            d_model: raw.hidden_size,
            layers: raw.num_hidden_layers,
            heads,
            kv_heads: raw.num_key_value_heads.unwrap_or(heads),
            head_dim: raw.head_dim.unwrap_or(raw.hidden_size / heads.max(1)),
            d_ff: raw.intermediate_size,
            norm_eps: raw.rms_norm_eps,
            rope: RopeConfig::from_json(path, raw)?,
            max_positions: raw.max_position_embeddings,
            tied_head: raw.tie_word_embeddings.unwrap_or(false),
            qkv_bias: false,
            output_bias: false,
            mlp_bias: false,
            qk_norm: false,
            eos_tokens: match &raw.eos_token_id {
                Some(OneOrMany::One(id)) => vec![*id],
                Some(OneOrMany::Many(ids)) => ids.clone(),
                None => Vec::new(),
            },
        })
    }

    /// transformers assumes 32 key/value heads where these families do not say, which is never what
    /// a checkpoint means.
    pub(crate) fn require_kv_heads(path: &Path, raw: &HuggingFaceConfig) -> Result<()> {
        match raw.num_key_value_heads {
            Some(_) => Ok(()),
            None => Err(Error::ModelFileInvalid {
                path: path.to_path_buf(),
                problem: "num_key_value_heads is missing".to_owned(),
            }),
        }
    }

    /// Sizes that no real model exceeds; beyond them a file is damaged or lies.
    fn check(&self) -> Result<(), String> {
        for (field, value, limit) in [
            ("vocab_size", self.vocabulary, 1 << 24),
            ("hidden_size", self.d_model, 1 << 17),
            ("num_hidden_layers", self.layers, 1 << 12),
            ("num_attention_heads", self.heads, 1 << 12),
            ("num_key_value_heads", self.kv_heads, 1 << 12),
            ("head_dim", self.head_dim, 1 << 12),
            ("intermediate_size", self.d_ff, 1 << 20),
            ("max_position_embeddings", self.max_positions, 1 << 30),
        ] {
            if value == 0 || value > limit {
                return Err(format!("{field} is {value}, expected 1 to {limit}"));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(format!(
                "num_attention_heads ({}) is not a multiple of num_key_value_heads ({})",
                self.heads, self.kv_heads
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(format!(
                "head_dim is {}, expected an even number",
                self.head_dim
            ));
        }
        if !self.norm_eps.is_finite() || self.norm_eps < 0.0 {
            return Err(format!("rms_norm_eps is {}", self.norm_eps));
        }
        Ok(())
    }

    /// Numbers in the backbone; a tied head counts once.
    pub fn parameters(&self) -> usize {
        let (d, q) = (self.d_model, self.heads * self.head_dim);
        let kv = self.kv_heads * self.head_dim;
        let mut block = 2 * d + d * q + 2 * d * kv + q * d + 3 * d * self.d_ff;
        if self.qkv_bias {
            block += q + 2 * kv;
        }
        if self.output_bias {
            block += d;
        }
        if self.mlp_bias {
            block += 2 * self.d_ff + d;
        }
        if self.qk_norm {
            block += 2 * self.head_dim;
        }
        let head = if self.tied_head {
            0
        } else {
            self.vocabulary * d
        };
        self.vocabulary * d + self.layers * block + d + head
    }
}
