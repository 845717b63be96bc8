//! The built-in model as a GGUF file, written with candle's writer: one file with configuration,
//! tokenizer, chat template and weights, as llama.cpp's converter would make it.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use serde_json::Value as Json;

use crate::root;

type Failure = Box<dyn std::error::Error>;

const PARTS: [(&str, &str); 11] = [
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

/// Writes the file with its matrices in this type; vectors are in F32, as llama.cpp keeps them.
///
/// # Errors
/// When the assets cannot be read or the file cannot be written.
pub fn write(path: &Path, matrices: GgmlDType) -> Result<(), Failure> {
    let folder = root().join("assets/builtin-model");
    let json = |name: &str| -> Result<Json, Failure> {
        Ok(serde_json::from_slice(&std::fs::read(folder.join(name))?)?)
    };
    let mut metadata = hyper_parameters(&json("config.json")?);
    metadata.extend(vocabulary(
        &json("config.json")?,
        &json("tokenizer.json")?,
        &json("tokenizer_config.json")?,
    )?);
    let weights = candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu)?;
    let mut tensors = Vec::new();
    for (name, weight) in &weights {
        let stored = if weight.dims().len() == 1 {
            GgmlDType::F32
        } else {
            matrices
        };
        tensors.push((in_gguf(name)?, quantized(weight, stored)?));
    }
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .collect();
    let mut writer = BufWriter::new(File::create(path)?);
    Ok(gguf_file::write(&mut writer, &metadata, &tensors)?)
}

fn quantized(weight: &Tensor, kind: GgmlDType) -> Result<QTensor, Failure> {
    Ok(QTensor::quantize(&weight.to_dtype(DType::F32)?, kind)?)
}

fn in_gguf(name: &str) -> Result<String, Failure> {
    match name {
        "model.embed_tokens.weight" => return Ok("token_embd.weight".to_owned()),
        "model.norm.weight" => return Ok("output_norm.weight".to_owned()),
        _ => {}
    }
    let inside = name
        .strip_prefix("model.layers.")
        .ok_or("a weight outside the blocks")?;
    let (layer, module) = inside.split_once('.').ok_or("no layer")?;
    let module = module.strip_suffix(".weight").ok_or("no weight")?;
    let (_, part) = PARTS
        .into_iter()
        .find(|(ours, _)| *ours == module)
        .ok_or_else(|| format!("{module} has no name in GGUF"))?;
    Ok(format!("blk.{layer}.{part}.weight"))
}

fn hyper_parameters(config: &Json) -> Vec<(&'static str, Value)> {
    let size = |name: &str| Value::U32(config[name].as_u64().unwrap_or(0) as u32);
    let number = |name: &str| Value::F32(config[name].as_f64().unwrap_or(0.0) as f32);
    vec![
        ("general.architecture", Value::String("qwen3".to_owned())),
        ("qwen3.block_count", size("num_hidden_layers")),
        ("qwen3.context_length", size("max_position_embeddings")),
        ("qwen3.embedding_length", size("hidden_size")),
        ("qwen3.feed_forward_length", size("intermediate_size")),
        ("qwen3.attention.head_count", size("num_attention_heads")),
        ("qwen3.attention.head_count_kv", size("num_key_value_heads")),
        ("qwen3.attention.key_length", size("head_dim")),
        ("qwen3.attention.value_length", size("head_dim")),
        (
            "qwen3.attention.layer_norm_rms_epsilon",
            number("rms_norm_eps"),
        ),
        ("qwen3.rope.freq_base", number("rope_theta")),
    ]
}

fn vocabulary(
    config: &Json,
    tokenizer: &Json,
    tokenizer_config: &Json,
) -> Result<Vec<(&'static str, Value)>, Failure> {
    const UNUSED: i32 = 5;
    const CONTROL: i32 = 3;
    let rows = config["vocab_size"].as_u64().unwrap_or(0) as usize;
    let mut tokens: Vec<String> = (0..rows).map(|id| format!("[PAD{id}]")).collect();
    let mut types = vec![UNUSED; rows];
    let vocab = tokenizer["model"]["vocab"].as_object().ok_or("no vocab")?;
    for (token, id) in vocab {
        let id = id.as_u64().ok_or("no id")? as usize;
        tokens[id].clone_from(token);
        types[id] = 1;
    }
    for token in tokenizer["added_tokens"]
        .as_array()
        .ok_or("no added_tokens")?
    {
        let id = token["id"].as_u64().ok_or("no id")? as usize;
        tokens[id] = token["content"].as_str().ok_or("no content")?.to_owned();
        types[id] = match token["special"].as_bool() {
            Some(true) => CONTROL,
            _ => 4,
        };
    }
    let pair = |pair: &Json| {
        let half = |index: usize| pair[index].as_str().unwrap_or_default().to_owned();
        Value::String(format!("{} {}", half(0), half(1)))
    };
    let merges = tokenizer["model"]["merges"].as_array().ok_or("no merges")?;
    let id = |name: &str| Value::U32(config[name].as_u64().unwrap_or(0) as u32);
    let text = |text: &str| Value::String(text.to_owned());
    let template = tokenizer_config["chat_template"]
        .as_str()
        .unwrap_or_default();
    Ok(vec![
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("qwen2")),
        (
            "tokenizer.ggml.tokens",
            Value::Array(tokens.into_iter().map(Value::String).collect()),
        ),
        (
            "tokenizer.ggml.token_type",
            Value::Array(types.into_iter().map(Value::I32).collect()),
        ),
        (
            "tokenizer.ggml.merges",
            Value::Array(merges.iter().map(pair).collect()),
        ),
        ("tokenizer.ggml.bos_token_id", id("bos_token_id")),
        ("tokenizer.ggml.eos_token_id", id("eos_token_id")),
        ("tokenizer.ggml.padding_token_id", id("pad_token_id")),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
        ("tokenizer.chat_template", text(template)),
    ])
}
