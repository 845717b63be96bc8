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
    /// Norm weights are stored as `w` and used as `1 + w`.
    pub norms_around_one: bool,
    /// Norms behind attention and MLP too, before their residuals.
    pub sandwich_norms: bool,
    /// q, k, v come as one tensor, gate and up as another.
    pub fused_projections: bool,
    /// The MLP's nonlinearity.
    pub activation: Activation,
    /// Factor on the attention scores.
    pub attention_scale: f64,
    /// Attention scores become `c tanh(s / c)`.
    pub attention_soft_cap: Option<f64>,
    /// Logits become `c tanh(l / c)`.
    pub final_soft_cap: Option<f64>,
    /// Factor on the embeddings.
    pub embedding_scale: Option<f64>,
    /// Each block's sliding window: a query sees the last `window` keys, its own included.
    pub windows: Vec<Option<usize>>,
    /// Rotary embedding of the blocks with a window, where it differs.
    pub window_rope: Option<RopeConfig>,
    /// Ids that end a generation, as config.json names them.
    pub eos_tokens: Vec<u32>,
}

/// The nonlinearity of a gated MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x sigmoid(x)`.
    Silu,
    /// GELU in its tanh approximation.
    GeluTanh,
}

/// The fields of a Hugging Face config.json that the families read.
#[derive(Debug, Deserialize)]
pub struct HuggingFaceConfig {
    pub(crate) model_type: String,
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
    pub(crate) hidden_activation: Option<String>,
    pub(crate) attention_bias: Option<bool>,
    pub(crate) mlp_bias: Option<bool>,
    pub(crate) use_sliding_window: Option<bool>,
    pub(crate) sliding_window: Option<usize>,
    pub(crate) sliding_window_pattern: Option<usize>,
    pub(crate) max_window_layers: Option<usize>,
    pub(crate) layer_types: Option<Vec<String>>,
    pub(crate) query_pre_attn_scalar: Option<f64>,
    pub(crate) attn_logit_softcapping: Option<f64>,
    pub(crate) final_logit_softcapping: Option<f64>,
    pub(crate) partial_rotary_factor: Option<f64>,
    pub(crate) rope_local_base_freq: Option<f64>,
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

impl HuggingFaceConfig {
    pub(crate) fn is_phi3(&self) -> bool {
        self.model_type == "phi3"
    }

    /// Width of a head.
    pub(crate) fn head_dim(&self) -> usize {
        self.head_dim
            .unwrap_or(self.hidden_size / self.num_attention_heads.max(1))
    }

    /// The window of each block: `layer_types` where given, otherwise what `is_sliding` says of the
    /// block's index. No window at all if `sliding_window` is null or `use_sliding_window` false.
    pub(crate) fn windows(
        &self,
        path: &Path,
        is_sliding: impl Fn(usize) -> bool,
    ) -> Result<Vec<Option<usize>>> {
        let layers = self.num_hidden_layers;
        let invalid = |problem: String| Error::ModelFileInvalid {
            path: path.to_path_buf(),
            problem,
        };
        let Some(window) = self
            .sliding_window
            .filter(|_| self.use_sliding_window != Some(false))
        else {
            return Ok(vec![None; layers]);
        };
        if window == 0 {
            return Err(invalid("sliding_window is 0".to_owned()));
        }
        let Some(types) = &self.layer_types else {
            return Ok((0..layers)
                .map(|layer| is_sliding(layer).then_some(window))
                .collect());
        };
        if types.len() != self.num_hidden_layers {
            return Err(invalid(format!(
                "layer_types has {} entries for num_hidden_layers {}",
                types.len(),
                self.num_hidden_layers
            )));
        }
        types
            .iter()
            .map(|kind| match kind.as_str() {
                "sliding_attention" => Ok(Some(window)),
                "full_attention" => Ok(None),
                other => Err(Error::ModelUnsupported {
                    path: path.to_path_buf(),
                    field: "layer_types",
                    found: other.to_owned(),
                    supported: vec!["full_attention", "sliding_attention"],
                }),
            })
            .collect()
    }
}

/// Blocks of a decoder, at most.
const MAX_LAYERS: usize = 1 << 12;

fn check_size(field: &str, value: usize, limit: usize) -> Result<(), String> {
    match (1..=limit).contains(&value) {
        true => Ok(()),
        false => Err(format!("{field} is {value}, expected 1 to {limit}")),
    }
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
            .unwrap_or("")
            .to_owned();
        let parse = families::by_model_type(&family).ok_or_else(|| Error::ModelUnsupported {
            path: path.to_path_buf(),
            field: "model_type",
            found: family.clone(),
            supported: families::NAMES.to_vec(),
        })?;
        // Multimodal models keep their language model's config in a config of its own.
        let mut text = match value.get("text_config") {
            Some(text) if family == "gemma3" => text.clone(),
            _ => value.clone(),
        };
        // What ends a generation stands at the top of a nested config.
        if let (Some(text), Some(eos)) = (text.as_object_mut(), value.get("eos_token_id")) {
            text.entry("eos_token_id").or_insert_with(|| eos.clone());
        }
        if let (Some(text), serde_json::Value::Object(defaults)) =
            (text.as_object_mut(), families::defaults(&family))
        {
            for (key, default) in defaults {
                text.entry(key).or_insert(default);
            }
        }
        let raw: HuggingFaceConfig =
            serde_json::from_value(text).map_err(|error| invalid(error.to_string()))?;
        // Families make lists with an entry for each block.
        check_size("num_hidden_layers", raw.num_hidden_layers, MAX_LAYERS).map_err(invalid)?;
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
        let activation = match raw
            .hidden_activation
            .as_ref()
            .or(raw.hidden_act.as_ref())
            .map(String::as_str)
        {
            None | Some("silu") => Activation::Silu,
            Some("gelu_pytorch_tanh") => Activation::GeluTanh,
            Some(other) => {
                return Err(Error::ModelUnsupported {
                    path: path.to_path_buf(),
                    field: "hidden_act",
                    found: other.to_owned(),
                    supported: vec!["silu", "gelu_pytorch_tanh"],
                });
            }
        };
        Ok(Self {
            family,
            vocabulary: raw.vocab_size,
            d_model: raw.hidden_size,
            layers: raw.num_hidden_layers,
            heads,
            kv_heads: raw.num_key_value_heads.unwrap_or(heads),
            head_dim: raw.head_dim(),
            d_ff: raw.intermediate_size,
            norm_eps: raw.rms_norm_eps,
            rope: RopeConfig::from_json(path, raw)?,
            max_positions: raw.max_position_embeddings,
            tied_head: raw.tie_word_embeddings.unwrap_or(false),
            qkv_bias: false,
            output_bias: false,
            mlp_bias: false,
            qk_norm: false,
            norms_around_one: false,
            sandwich_norms: false,
            fused_projections: false,
            activation,
            attention_scale: (raw.head_dim() as f64).sqrt().recip(),
            attention_soft_cap: None,
            final_soft_cap: None,
            embedding_scale: None,
            windows: vec![None; raw.num_hidden_layers],
            window_rope: None,
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
            ("num_attention_heads", self.heads, 1 << 12),
            ("num_key_value_heads", self.kv_heads, 1 << 12),
            ("head_dim", self.head_dim, 1 << 12),
            ("intermediate_size", self.d_ff, 1 << 20),
            ("max_position_embeddings", self.max_positions, 1 << 30),
        ] {
            check_size(field, value, limit)?;
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
        if !self.attention_scale.is_finite() {
            return Err(format!(
                "query_pre_attn_scalar gives a scale of {}",
                self.attention_scale
            ));
        }
        let caps = [self.attention_soft_cap, self.final_soft_cap];
        if let Some(cap) = caps
            .into_iter()
            .flatten()
            .find(|cap| !(cap.is_finite() && *cap > 0.0))
        {
            return Err(format!("a soft-cap is {cap}, expected a positive number"));
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
        let norms = if self.sandwich_norms { 4 } else { 2 };
        let mut block = norms * d + d * q + 2 * d * kv + q * d + 3 * d * self.d_ff;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by mutated files: a list with an entry for each block was made before the check.
    #[test]
    fn an_absurd_number_of_blocks_is_refused_before_anything_is_made_of_it() {
        for family in [
            "llama",
            "qwen2",
            "qwen3",
            "gemma2",
            "gemma3_text",
            "phi3",
            "mistral",
        ] {
            let json = format!(
                r#"{{"model_type": "{family}", "vocab_size": 8, "hidden_size": 8,
                "num_hidden_layers": 18446744073709551615, "num_attention_heads": 2,
                "num_key_value_heads": 2, "intermediate_size": 8, "rms_norm_eps": 1e-5,
                "max_position_embeddings": 8}}"#
            );
            let error = DecoderConfig::from_json(Path::new("config.json"), json.as_bytes());
            let message = error.unwrap_err().to_string();
            assert!(
                message.contains("num_hidden_layers is 18446744073709551615"),
                "{message}"
            );
        }
    }
}
