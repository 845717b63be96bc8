//! A GGUF file's hyper-parameters as the config.json of a Hugging Face folder, from which
//! [`DecoderConfig::from_json`] makes the decoder. The inverse of what llama.cpp's converter did
//! (`conversion/*.py`, formerly convert_hf_to_gguf.py). Where the converter writes nothing, the file
//! means what llama.cpp computes (`load_arch_hparams` in src/models/*.cpp, formerly
//! src/llama-model.cpp); each such place says so.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::architecture::Architecture;
use super::header::GgufHeader;
use super::keys::Keys;
use super::metadata::{Array, Value as GgufValue};
use super::rope::{self, Numbers};
use crate::Result;
use crate::models::config::DecoderConfig;

/// What a GGUF file's header says of its model.
#[derive(Clone, Debug)]
pub struct GgufModel {
    /// The architecture; see `names` for what follows from it.
    pub architecture: Architecture,
    /// Width of a head.
    pub head_dim: usize,
    /// What config.json would say.
    pub config: Value,
    /// Gemma's checkpoints hold norm weights as `w` and use `1 + w`. Its GGUF files hold the sum.
    pub norms_hold_one: bool,
}

const MAX_BLOCKS: usize = 1 << 12;
const MAX_HEADS: usize = 1 << 12;
const MAX_WIDTH: usize = 1 << 20;
pub(super) const MAX_POSITIONS: usize = 1 << 30;

/// The parts of config.json that every architecture has.
struct Sizes {
    layers: usize,
    d_model: usize,
    heads: usize,
    head_dim: usize,
    max_positions: usize,
}

impl GgufModel {
    /// Reads the header. `numbers` reads small tensors, which hold the rotary embedding of some
    /// models; `path` is for messages only.
    ///
    /// # Errors
    /// When the architecture is not supported, a key is missing or says what cannot be.
    pub fn of(path: &Path, header: &GgufHeader, numbers: Numbers<'_>) -> Result<Self> {
        let architecture = Architecture::of(path, header)?;
        let keys = Keys {
            path,
            header,
            architecture,
        };
        let (sizes, mut config) = common(&keys)?;
        config.extend(rope::fields(
            &keys,
            numbers,
            sizes.head_dim,
            sizes.max_positions,
        )?);
        let own = match architecture {
            Architecture::Llama => llama(&keys)?,
            Architecture::Qwen2 => qwen2(&keys)?,
            Architecture::Qwen3 => qwen3(&keys)?,
            Architecture::Gemma2 => gemma2(&keys, &sizes)?,
            Architecture::Gemma3 => gemma3(&keys, &sizes)?,
            Architecture::Phi3 => phi3(&keys)?,
        };
        if let Value::Object(own) = own {
            config.extend(own);
        }
        Ok(Self {
            architecture,
            head_dim: sizes.head_dim,
            config: Value::Object(config),
            norms_hold_one: architecture.is_gemma(),
        })
    }

    /// The decoder that the file describes.
    ///
    /// # Errors
    /// When what the header says contradicts itself.
    pub fn decoder_config(&self, path: &Path) -> Result<DecoderConfig> {
        DecoderConfig::from_json(path, self.config.to_string().as_bytes())
    }
}

fn common(keys: &Keys<'_>) -> Result<(Sizes, Map<String, Value>)> {
    if let Some(experts) = keys.size("expert_count", MAX_WIDTH)?
        && experts > 0
    {
        return Err(keys.unsupported("expert_count", experts, &["0"]));
    }
    let d_model = keys.required_size("embedding_length", MAX_WIDTH)?;
    let heads = keys.required_size("attention.head_count", MAX_HEADS)?;
    let kv_heads = keys.positive_size("attention.head_count_kv", MAX_HEADS)?;
    let kv_heads = kv_heads.unwrap_or(heads);
    let key_length = keys.positive_size("attention.key_length", MAX_WIDTH)?;
    let value_length = keys.positive_size("attention.value_length", MAX_WIDTH)?;
    let otherwise = d_model / heads;
    let head_dim = key_length.unwrap_or(otherwise);
    if value_length.unwrap_or(otherwise) != head_dim {
        return Err(keys.invalid(format!(
            "{} and {} differ, which is not supported",
            keys.name("attention.key_length"),
            keys.name("attention.value_length")
        )));
    }
    let sizes = Sizes {
        layers: keys.required_size("block_count", MAX_BLOCKS)?,
        d_model,
        heads,
        head_dim,
        max_positions: keys.required_size("context_length", MAX_POSITIONS)?,
    };
    let Value::Object(mut config) = json!({
        "vocab_size": vocabulary(keys)?,
        "hidden_size": d_model,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "intermediate_size": keys.required_size("feed_forward_length", MAX_WIDTH)?,
        "rms_norm_eps": keys.required_positive("attention.layer_norm_rms_epsilon")?,
        "max_position_embeddings": sizes.max_positions,
        // Without a head of its own, llama.cpp uses the embedding.
        "tie_word_embeddings": !keys.has_tensor("output.weight"),
    }) else {
        return Err(keys.invalid("no object".to_owned()));
    };
    let ends = ends_of_generation(keys)?;
    if !ends.is_empty() {
        config.insert("eos_token_id".to_owned(), json!(ends));
    }
    Ok((sizes, config))
}

/// The embedding's rows. The list of tokens may be shorter than them, and the key `vocab_size` is
/// not always there.
fn vocabulary(keys: &Keys<'_>) -> Result<usize> {
    const EMBEDDING: &str = "token_embd.weight";
    let mut tensors = keys.header.tensors.iter();
    let embedding = tensors.find(|tensor| tensor.name == EMBEDDING);
    match embedding.map(|tensor| tensor.shape.as_slice()) {
        Some([rows, _]) => Ok(*rows),
        Some(shape) => Err(keys.invalid(format!("tensor {EMBEDDING:?} has the shape {shape:?}"))),
        None => Err(keys.invalid(format!("tensor {EMBEDDING:?} is missing"))),
    }
}

/// End of sequence, of turn, of message. llama.cpp adds tokens that it knows by their text.
fn ends_of_generation(keys: &Keys<'_>) -> Result<Vec<usize>> {
    let mut ends = Vec::new();
    for key in ["eos_token_id", "eot_token_id", "eom_token_id"] {
        let id = keys.header.metadata.size(&format!("tokenizer.ggml.{key}"));
        if let Some(id) = id.map_err(|problem| keys.invalid(problem))?
            && !ends.contains(&id)
        {
            ends.push(id);
        }
    }
    Ok(ends)
}

/// Whether the first block has these biases: all or none of them.
fn biases(keys: &Keys<'_>, names: &[&str]) -> Result<bool> {
    let full = |name: &&str| format!("blk.0.{name}.bias");
    let (present, missing): (Vec<_>, Vec<_>) = names
        .iter()
        .map(full)
        .partition(|name| keys.has_tensor(name));
    match (present.first(), missing.first()) {
        (Some(present), Some(missing)) => Err(keys.invalid(format!(
            "tensor {present:?} is there but {missing:?} is not, which is not supported"
        ))),
        (present, _) => Ok(present.is_some()),
    }
}

const QKV: [&str; 3] = ["attn_q", "attn_k", "attn_v"];
const ATTENTION: [&str; 4] = ["attn_q", "attn_k", "attn_v", "attn_output"];

/// Llama and Mistral. The converter does not write Mistral's sliding window and llama.cpp's graph
/// has none (src/models/llama.cpp), so a Mistral comes back as a Llama. Biases are optional there.
fn llama(keys: &Keys<'_>) -> Result<Value> {
    Ok(json!({
        "model_type": "llama",
        "attention_bias": biases(keys, &ATTENTION)?,
        "mlp_bias": biases(keys, &["ffn_gate", "ffn_up", "ffn_down"])?,
    }))
}

/// The window of upper blocks that `use_sliding_window` switches on is not written either. A model
/// converted as Qwen2 may lack the biases, which is what a Llama is.
fn qwen2(keys: &Keys<'_>) -> Result<Value> {
    let family = match biases(keys, &QKV)? {
        true => "qwen2",
        false => "llama",
    };
    Ok(json!({ "model_type": family }))
}

fn qwen3(keys: &Keys<'_>) -> Result<Value> {
    Ok(json!({
        "model_type": "qwen3",
        "attention_bias": biases(keys, &ATTENTION)?,
    }))
}

/// The factor on the scores is not written: it is that of the head's width, but for the 27B, which
/// llama.cpp knows by its number of blocks (src/models/gemma2.cpp, gemma3.cpp).
fn query_scalar(sizes: &Sizes, layers_of_27b: usize) -> usize {
    if sizes.layers == layers_of_27b {
        sizes.d_model / sizes.heads
    } else {
        sizes.head_dim
    }
}

/// Caps and window are optional in src/models/gemma2.cpp, with the published values otherwise.
fn gemma2(keys: &Keys<'_>, sizes: &Sizes) -> Result<Value> {
    let window = keys.size("attention.sliding_window", MAX_POSITIONS)?;
    let mut config = json!({
        "model_type": "gemma2",
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": query_scalar(sizes, 46),
        "attn_logit_softcapping": keys.positive("attn_logit_softcapping")?.unwrap_or(50.0),
        "final_logit_softcapping": keys.positive("final_logit_softcapping")?.unwrap_or(30.0),
    });
    set_windows(keys, sizes, &mut config, window.unwrap_or(4096), 2)?;
    Ok(config)
}

/// The base of the window's blocks is written by newer converters only; where it is missing
/// llama.cpp takes 10,000 (src/models/gemma3.cpp). Their frequencies are never scaled. Without a window every block
/// sees everything and takes the other base.
fn gemma3(keys: &Keys<'_>, sizes: &Sizes) -> Result<Value> {
    let window = keys.size("attention.sliding_window", MAX_POSITIONS)?;
    let mut config = json!({
        "model_type": "gemma3_text",
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": query_scalar(sizes, 62),
        "rope_local_base_freq": keys.positive("rope.freq_base_swa")?.unwrap_or(10_000.0),
        "final_logit_softcapping": keys
            .number("final_logit_softcapping")?
            .filter(|cap| *cap != 0.0),
    });
    set_windows(keys, sizes, &mut config, window.unwrap_or(0), 6)?;
    Ok(config)
}

/// Which blocks have the window: all of a period but its last (`set_swa_pattern` in
/// src/llama-hparams.cpp), or what a list says of each. 0 means no window.
fn set_windows(
    keys: &Keys<'_>,
    sizes: &Sizes,
    config: &mut Value,
    window: usize,
    usual_period: usize,
) -> Result<()> {
    const KEY: &str = "attention.sliding_window_pattern";
    let layers = 0..sizes.layers;
    let has_window: Vec<bool> = match keys.header.metadata.get(&keys.name(KEY)) {
        Some(GgufValue::Array(Array::Bools(flags))) => flags.clone(),
        Some(GgufValue::Array(Array::Integers(flags))) => {
            flags.iter().map(|flag| *flag != 0).collect()
        }
        _ => match keys.size(KEY, MAX_BLOCKS)?.unwrap_or(usual_period) {
            0 => layers.map(|_| true).collect(),
            period => layers.map(|layer| layer % period < period - 1).collect(),
        },
    };
    if has_window.len() != sizes.layers {
        return Err(keys.invalid(format!(
            "{} has {} entries for {} blocks",
            keys.name(KEY),
            has_window.len(),
            sizes.layers
        )));
    }
    let kind = |has_window: &bool| match has_window {
        true => "sliding_attention",
        false => "full_attention",
    };
    config["sliding_window"] = match window {
        0 => Value::Null,
        window => json!(window),
    };
    config["layer_types"] = has_window.iter().map(kind).collect();
    Ok(())
}

/// The window is written, 0 for the models that have none. llama.cpp reads it and computes without
/// (src/models/phi3.cpp); the models were trained with it, so it is kept here.
fn phi3(keys: &Keys<'_>) -> Result<Value> {
    let window = keys.size("attention.sliding_window", MAX_POSITIONS)?;
    Ok(json!({
        "model_type": "phi3",
        "sliding_window": window.filter(|window| *window > 0),
    }))
}
