//! Owns the files that are written: the model folder, the dataset and the questions.

use crate::Outcome;
use crate::chat::{TEMPLATE, messages};
use crate::model::{
    EPSILON, HEAD_DIM, HEADS, HIDDEN, INITIAL_DEVIATION, INTERMEDIATE, KEY_VALUE_HEADS, LAYERS,
    Model, THETA,
};
use crate::problems::Problem;
use crate::traces::short_trace;
use crate::vocabulary::{
    END_OF_TEXT, THINK_END, THINK_START, TURN_END, TURN_START, VOCABULARY_SIZE, token_id,
};
use candle_core::{DType, Tensor};
use half::bf16;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use tokenizers::Tokenizer;

const CONTEXT_LENGTH: usize = 1024;

/// Everything of the model folder but the weights.
pub fn write_model_folder(folder: &Path, tokenizer: &Tokenizer) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string(true)?)?;
    let end = token_id(tokenizer, TURN_END)?;
    let padding = token_id(tokenizer, END_OF_TEXT)?;
    write_json(
        &folder.join("config.json"),
        &json!({
            "architectures": ["Qwen3ForCausalLM"],
            "attention_bias": false,
            "attention_dropout": 0.0,
            "bos_token_id": padding,
            "dtype": "bfloat16",
            "eos_token_id": end,
            "head_dim": HEAD_DIM,
            "hidden_act": "silu",
            "hidden_size": HIDDEN,
            "initializer_range": INITIAL_DEVIATION,
            "intermediate_size": INTERMEDIATE,
            "max_position_embeddings": CONTEXT_LENGTH,
            "max_window_layers": LAYERS,
            "model_type": "qwen3",
            "num_attention_heads": HEADS,
            "num_hidden_layers": LAYERS,
            "num_key_value_heads": KEY_VALUE_HEADS,
            "pad_token_id": padding,
            "rms_norm_eps": EPSILON,
            "rope_scaling": null,
            "rope_theta": THETA,
            "sliding_window": null,
            "tie_word_embeddings": true,
            "torch_dtype": "bfloat16",
            "use_cache": true,
            "use_sliding_window": false,
            "vocab_size": VOCABULARY_SIZE,
        }),
    )?;
    write_json(
        &folder.join("generation_config.json"),
        &json!({
            "bos_token_id": padding,
            "do_sample": false,
            "eos_token_id": [end, padding],
            "max_new_tokens": 512,
            "pad_token_id": padding,
        }),
    )?;
    write_json(
        &folder.join("tokenizer_config.json"),
        &tokenizer_config(tokenizer)?,
    )
}

fn tokenizer_config(tokenizer: &Tokenizer) -> Outcome<Value> {
    let mut added = Map::new();
    for token in [END_OF_TEXT, TURN_START, TURN_END, THINK_START, THINK_END] {
        added.insert(
            token_id(tokenizer, token)?.to_string(),
            json!({
                "content": token,
                "lstrip": false,
                "normalized": false,
                "rstrip": false,
                "single_word": false,
                "special": token != THINK_START && token != THINK_END,
            }),
        );
    }
    Ok(json!({
        "add_bos_token": false,
        "add_prefix_space": false,
        "added_tokens_decoder": added,
        "additional_special_tokens": [TURN_START, TURN_END],
        "bos_token": null,
        "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": false,
        "eos_token": TURN_END,
        "errors": "replace",
        "model_max_length": CONTEXT_LENGTH,
        "pad_token": END_OF_TEXT,
        "split_special_tokens": false,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": null,
    }))
}

fn write_json(path: &Path, value: &Value) -> Outcome<()> {
    fs::write(path, serde_json::to_string_pretty(value)? + "\n")?;
    Ok(())
}

/// Problems to fine-tune on, with short traces.
pub fn write_dataset(path: &Path, problems: &[Problem]) -> Outcome<()> {
    let rows = problems
        .iter()
        .map(|problem| json!({ "messages": messages(problem, &short_trace(problem)) }));
    write_lines(path, rows)
}

/// Problems to ask, with their answers.
pub fn write_questions(path: &Path, problems: &[Problem]) -> Outcome<()> {
    let rows = problems.iter().map(
        |problem| json!({ "question": problem.question, "answer": problem.answer().to_string() }),
    );
    write_lines(path, rows)
}

fn write_lines(path: &Path, rows: impl Iterator<Item = Value>) -> Outcome<()> {
    fs::write(
        path,
        rows.map(|row| row.to_string() + "\n").collect::<String>(),
    )?;
    Ok(())
}

/// The weights in BF16, in one file that transformers accepts.
pub fn write_weights(path: &Path, model: &Model) -> Outcome<()> {
    let mut tensors = Vec::new();
    for parameter in &model.parameters {
        let numbers = parameter
            .var
            .flatten_all()?
            .to_dtype(DType::BF16)?
            .to_vec1::<bf16>()?;
        let bytes: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        tensors.push((
            parameter.name.as_str(),
            parameter.var.dims().to_vec(),
            bytes,
        ));
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            Ok((*name, TensorView::new(Dtype::BF16, shape.clone(), bytes)?))
        })
        .collect::<Outcome<Vec<_>>>()?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    fs::write(path, safetensors::serialize(views, Some(metadata))?)?;
    Ok(())
}

/// Gives the model exactly the numbers that the file holds.
pub fn round_weights(model: &Model) -> Outcome<()> {
    for parameter in &model.parameters {
        let rounded: Tensor = parameter.var.to_dtype(DType::BF16)?.to_dtype(DType::F32)?;
        parameter.var.set(&rounded)?;
    }
    Ok(())
}

/// Takes the weights from a file that [`write_weights`] wrote.
pub fn read_weights(path: &Path, model: &Model) -> Outcome<()> {
    let tensors = candle_core::safetensors::load(path, &candle_core::Device::Cpu)?;
    for parameter in &model.parameters {
        let stored = tensors
            .get(&parameter.name)
            .ok_or_else(|| format!("{} has no {}", path.display(), parameter.name))?;
        parameter.var.set(&stored.to_dtype(DType::F32)?)?;
    }
    Ok(())
}
