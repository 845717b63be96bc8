//! Damaged and contradictory model folders.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::Tensor;
use serde_json::{Value, json};
use stepladder_engine::Error;
use stepladder_engine::models::model::ModelFiles;
use stepladder_engine::models::quantization::{BackboneQuantization, Quantization};
use stepladder_tests::{golden_path, root};
use tempfile::TempDir;

/// A small whole model: a golden backbone with the built-in model's tokenizer would not fit its
/// vocabulary, so the built-in model itself is copied.
pub fn model_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(root().join("assets/builtin-model")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

pub fn open(folder: &Path) -> Result<(), Error> {
    let files = ModelFiles::open(folder.to_str().unwrap())?;
    files
        .load_decoder(BackboneQuantization::AS_STORED)
        .map(|_| ())
}

fn refusal(folder: &TempDir) -> (String, String, String) {
    let error = open(folder.path()).unwrap_err();
    let place = format!("{}/", folder.path().display());
    (
        error.code().to_owned(),
        error.to_string().replace(&place, ""),
        error.hint(),
    )
}

fn edit(folder: &TempDir, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.path().join(file);
    let mut value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(&path, serde_json::to_vec(&value).unwrap()).unwrap();
}

#[test]
fn a_whole_model_opens() {
    open(model_folder().path()).unwrap();
}

#[test]
fn missing_files_are_named() {
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let folder = model_folder();
        fs::remove_file(folder.path().join(file)).unwrap();
        let (code, message, hint) = refusal(&folder);
        assert_eq!(code, "model_file_missing");
        assert!(message.starts_with(&format!("{file} is missing from the model folder")));
        assert!(hint.contains("--model"), "{hint}");
    }
    let error = open(Path::new("no/such/folder")).unwrap_err();
    assert_eq!(error.to_string(), "there is no model no/such/folder");
    assert!(error.hint().contains("builtin"));
}

#[test]
fn truncated_weights_are_noticed_before_anything_is_read() {
    let folder = model_folder();
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    for keep in [0, 5, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..keep]).unwrap();
        let (code, message, hint) = refusal(&folder);
        assert_eq!(code, "model_file_invalid", "{keep} bytes");
        assert!(message.starts_with("model.safetensors: not a complete safetensors file"));
        assert!(hint.contains("again"), "{hint}");
    }
}

#[test]
fn a_config_of_another_size_is_told_from_the_weights() {
    let folder = model_folder();
    edit(&folder, "config.json", |config| {
        config["intermediate_size"] = json!(400)
    });
    let (code, message, hint) = refusal(&folder);
    assert_eq!(code, "tensor_shape");
    assert_eq!(
        message,
        "tensor model.layers.0.mlp.gate_proj.weight in model.safetensors has shape [384, 192], \
         but config.json promises [400, 192]"
    );
    assert!(hint.contains("different models"), "{hint}");
}

#[test]
fn a_missing_tensor_is_named() {
    let folder = model_folder();
    edit(&folder, "config.json", |config| {
        config["num_hidden_layers"] = json!(9)
    });
    let (code, message, _) = refusal(&folder);
    assert_eq!(code, "tensor_missing");
    assert!(message.starts_with("tensor model.layers.8.input_layernorm.weight is missing from"));
}

#[test]
fn a_tensor_of_a_strange_type_is_named() {
    let folder = model_folder();
    let path = folder.path().join("model.safetensors");
    let mut tensors: HashMap<String, Tensor> =
        candle_core::safetensors::load(&path, &candle_core::Device::Cpu).unwrap();
    let norm = tensors["model.norm.weight"]
        .to_dtype(candle_core::DType::U8)
        .unwrap();
    tensors.insert("model.norm.weight".to_owned(), norm);
    candle_core::safetensors::save(&tensors, &path).unwrap();
    let (code, message, hint) = refusal(&folder);
    assert_eq!(code, "tensor_type");
    assert_eq!(
        message,
        "tensor model.norm.weight in model.safetensors has type U8"
    );
    assert!(hint.contains("BF16"), "{hint}");
}

#[test]
fn what_is_not_supported_is_refused_with_what_is() {
    for (field, value, supported) in [
        (
            "model_type",
            json!("mamba"),
            "supported: llama, mistral, qwen2, qwen3, gemma2, gemma3, gemma3_text, phi3",
        ),
        (
            "hidden_act",
            json!("gelu"),
            "supported: silu, gelu_pytorch_tanh",
        ),
        (
            "rope_scaling",
            json!({"rope_type": "dynamic", "factor": 4.0}),
            "supported: default, linear, llama3, yarn, longrope",
        ),
    ] {
        let folder = model_folder();
        edit(&folder, "config.json", |config| {
            config[field] = value.clone()
        });
        let (code, message, hint) = refusal(&folder);
        assert_eq!(code, "model_unsupported", "{field}");
        assert!(
            message.starts_with(&format!("config.json: {field} is ")),
            "{message}"
        );
        assert_eq!(hint, supported);
    }
}

#[test]
fn impossible_configs_name_their_field() {
    for (field, value, problem) in [
        (
            "hidden_size",
            json!(0),
            "hidden_size is 0, expected 1 to 131072",
        ),
        (
            "num_hidden_layers",
            json!(99_999_999),
            "num_hidden_layers is 99999999, expected 1 to 4096",
        ),
        (
            "num_key_value_heads",
            json!(4),
            "num_attention_heads (6) is not a multiple of num_key_value_heads (4)",
        ),
        (
            "head_dim",
            json!(31),
            "head_dim is 31, expected an even number",
        ),
        ("rope_theta", json!(-1.0), "rope_theta is -1"),
        (
            "rope_scaling",
            json!({"rope_type": "llama3", "factor": 8.0}),
            "rope_scaling.low_freq_factor is missing or not a positive number",
        ),
    ] {
        let folder = model_folder();
        edit(&folder, "config.json", |config| {
            config[field] = value.clone()
        });
        let (code, message, _) = refusal(&folder);
        assert_eq!(
            (code.as_str(), message.as_str()),
            ("model_file_invalid", &*format!("config.json: {problem}"))
        );
    }
    let folder = model_folder();
    fs::write(
        folder.path().join("config.json"),
        b"{\"model_type\": \"qwen3\",",
    )
    .unwrap();
    assert!(refusal(&folder).1.starts_with("config.json: "));
    fs::write(
        folder.path().join("config.json"),
        b"{\"model_type\": \"qwen3\"}",
    )
    .unwrap();
    assert!(refusal(&folder).1.contains("missing field `vocab_size`"));
}

#[test]
fn a_tokenizer_of_another_model_is_noticed() {
    let folder = model_folder();
    edit(&folder, "config.json", |config| {
        config["vocab_size"] = json!(500)
    });
    let (code, message, _) = refusal(&folder);
    assert_eq!(code, "model_file_invalid");
    assert!(
        message.starts_with("tokenizer.json: has token ids up to "),
        "{message}"
    );
    assert!(
        message.ends_with("but config.json promises a vocabulary of 500"),
        "{message}"
    );
}

#[test]
fn shards_must_be_plain_names_that_are_there() {
    let sharded = golden_path("backbones/llama3-f16-sharded");
    let copy = || {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(&sharded).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        folder
    };
    let open = |folder: &TempDir| {
        use stepladder_engine::models::checkpoint::Checkpoint;
        Checkpoint::open(folder.path()).map(|_| ())
    };
    open(&copy()).unwrap();
    let missing = copy();
    fs::remove_file(missing.path().join("model-00002-of-00003.safetensors")).unwrap();
    let error = open(&missing).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("model-00002-of-00003.safetensors is missing")
    );
    for hostile in ["../../etc/passwd", "/etc/passwd", "a/b", "C:\\x", "..", ""] {
        let folder = copy();
        edit(&folder, "model.safetensors.index.json", |index| {
            index["weight_map"]["model.norm.weight"] = json!(hostile);
        });
        let error = open(&folder).unwrap_err();
        assert_eq!(error.code(), "model_file_invalid", "{hostile}");
        assert!(
            error
                .to_string()
                .contains("weight_map[\"model.norm.weight\"]"),
            "{error}"
        );
    }
}

/// Some fine-tunes claim a tied head and bring another one: what the file holds was trained.
#[test]
fn a_head_of_its_own_outranks_the_claim_that_it_is_tied() {
    let folder = model_folder();
    let path = folder.path().join("model.safetensors");
    let mut tensors: HashMap<String, Tensor> =
        candle_core::safetensors::load(&path, &candle_core::Device::Cpu).unwrap();
    let embedding = tensors["model.embed_tokens.weight"].clone();
    tensors.insert("lm_head.weight".to_owned(), (&embedding * 2.0).unwrap());
    candle_core::safetensors::save(&tensors, &path).unwrap();
    let files = ModelFiles::open(folder.path().to_str().unwrap()).unwrap();
    let head = files
        .load_decoder(BackboneQuantization::AS_STORED)
        .unwrap()
        .head()
        .weight()
        .to_f32()
        .unwrap();
    let expected = (embedding * 2.0).unwrap();
    assert_eq!(
        stepladder_tests::numbers(&head),
        stepladder_tests::numbers(&expected)
    );
}

/// A head that cannot be quantized is refused by its name, and only where it is asked for.
#[test]
fn a_head_that_has_no_four_bits_is_named() {
    let folder = model_folder();
    let path = folder.path().join("model.safetensors");
    let mut tensors: HashMap<String, Tensor> =
        candle_core::safetensors::load(&path, &candle_core::Device::Cpu).unwrap();
    let infinite = (&tensors["model.embed_tokens.weight"] + f64::INFINITY).unwrap();
    tensors.insert("lm_head.weight".to_owned(), infinite);
    candle_core::safetensors::save(&tensors, &path).unwrap();
    open(folder.path()).unwrap();
    let files = ModelFiles::open(folder.path().to_str().unwrap()).unwrap();
    let asked = BackboneQuantization::AS_STORED.with_head(Quantization::Nf4);
    let error = files.load_decoder(asked).err().unwrap();
    assert_eq!(error.code(), "model_file_invalid");
    let message = error.to_string();
    assert!(
        message.contains("tensor lm_head.weight: element 0 is not a finite number"),
        "{message}"
    );
}
