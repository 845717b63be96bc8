//! GGUF files that `tests/witness/gguf_models.py` made: what they say of the model is what its
//! config.json said, every tensor has its place in the checkpoint, and the numbers in them give the
//! hidden states that transformers computes with the same numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, IndexOp, Tensor};
use stepladder_engine::models::checkpoint::Checkpoint;
use stepladder_engine::models::config::DecoderConfig;
use stepladder_engine::models::decoder::{Decoder, TokenInput};
use stepladder_engine::models::gguf::{GgufHeader, GgufModel, RowOrder, TensorRole, names};
use stepladder_engine::models::rope_scaling::RopeScaling;
use stepladder_engine::models::stored_type::StoredType;
use stepladder_tests::{assert_close, golden, golden_path, positions, unsigned};

const MODELS: [&str; 12] = [
    "llama2",
    "llama3",
    "llama-biases",
    "llama-yarn",
    "llama-linear",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3",
    "phi3",
    "phi4-mini",
];
const TOLERANCE: f64 = 1e-4;

/// Every file: the model's name and the file's, without extension.
fn files() -> Vec<(&'static str, String)> {
    let mut files: Vec<(&str, String)> = MODELS
        .into_iter()
        .flat_map(|model| ["f16", "q8_0"].map(|kind| (model, format!("{model}-{kind}"))))
        .collect();
    files.push(("kquants", "kquants".to_owned()));
    files
}

fn path_of(file: &str) -> PathBuf {
    golden_path("gguf").join(format!("{file}.gguf"))
}

/// A file's header and what it says of the model.
fn read(file: &str) -> (GgufHeader, GgufModel, DecoderConfig) {
    let path = path_of(file);
    let bytes = std::fs::read(&path).unwrap();
    let header = GgufHeader::parse(&bytes).unwrap();
    let numbers = |name: &str| {
        let mut tensors = header.tensors.iter();
        let tensor = tensors.find(|tensor| tensor.name == name)?;
        assert_eq!(tensor.stored, StoredType::F32, "{name}");
        let words = bytes[tensor.bytes.clone()].chunks_exact(4);
        Some(
            words
                .map(|word| f32::from_le_bytes(word.try_into().unwrap()))
                .collect(),
        )
    };
    let model = GgufModel::of(&path, &header, &numbers).unwrap();
    let config = model.decoder_config(&path).unwrap();
    (header, model, config)
}

/// The decoder of the config.json that the file was converted from.
fn original(model: &str) -> DecoderConfig {
    let path = golden_path("gguf").join(format!("{model}.config.json"));
    DecoderConfig::from_json(&path, &std::fs::read(&path).unwrap()).unwrap()
}

#[test]
fn a_gguf_file_says_what_config_json_said() {
    for (model, file) in files() {
        let (_, gguf, config) = read(&file);
        let mut expected = original(model);
        match model {
            "gemma2" | "gemma3" => {
                // The file's norms hold the one.
                assert!(gguf.norms_hold_one && expected.norms_around_one);
                expected.norms_around_one = false;
            }
            "mistral" => {
                // The converter makes a Llama of it and drops the window.
                assert_eq!(expected.windows, [Some(7); 3]);
                expected.family = "llama";
                expected.windows = vec![None; 3];
            }
            "qwen2" => {
                // The window of the upper blocks is dropped too.
                assert_eq!(expected.windows, [None, Some(7), Some(7)]);
                expected.windows = vec![None; 3];
            }
            "llama3" => {
                // The parameters behind the divisors are those of no published model, so the file
                // says only what follows from them.
                let rotary = |config: &DecoderConfig| config.rope.rotary_embedding(config.head_dim);
                let (ours, theirs) = (rotary(&config), rotary(&expected));
                assert_eq!(ours.amplitude(), theirs.amplitude());
                for tokens in [1, 40, 1000] {
                    let pairs = ours.frequencies(tokens).iter();
                    for (ours, theirs) in pairs.zip(theirs.frequencies(tokens)) {
                        assert!((ours / theirs - 1.0).abs() < 1e-6, "{ours}, {theirs}");
                    }
                }
                assert!(matches!(expected.rope.scaling, RopeScaling::Llama3 { .. }));
                expected.rope.scaling = config.rope.scaling.clone();
            }
            _ => {}
        }
        assert_eq!(config, expected, "{file}");
    }
}

/// Names and shapes of a checkpoint's weights, from its config.
fn weights(config: &DecoderConfig) -> BTreeMap<String, Vec<usize>> {
    let (d, d_ff) = (config.d_model, config.d_ff);
    let q = config.heads * config.head_dim;
    let kv = config.kv_heads * config.head_dim;
    let mut weights = BTreeMap::new();
    let mut add = |name: String, shape: &[usize]| {
        weights.insert(name, shape.to_vec());
    };
    add(
        "model.embed_tokens.weight".to_owned(),
        &[config.vocabulary, d],
    );
    add("model.norm.weight".to_owned(), &[d]);
    if !config.tied_head {
        add("lm_head.weight".to_owned(), &[config.vocabulary, d]);
    }
    for layer in 0..config.layers {
        let mut linear = |module: &str, outputs: usize, inputs: usize, bias: bool| {
            let name = format!("model.layers.{layer}.{module}");
            add(format!("{name}.weight"), &[outputs, inputs]);
            if bias {
                add(format!("{name}.bias"), &[outputs]);
            }
        };
        if config.fused_projections {
            linear("self_attn.qkv_proj", q + 2 * kv, d, false);
            linear("mlp.gate_up_proj", 2 * d_ff, d, false);
        } else {
            linear("self_attn.q_proj", q, d, config.qkv_bias);
            linear("self_attn.k_proj", kv, d, config.qkv_bias);
            linear("self_attn.v_proj", kv, d, config.qkv_bias);
            linear("mlp.gate_proj", d_ff, d, config.mlp_bias);
            linear("mlp.up_proj", d_ff, d, config.mlp_bias);
        }
        linear("self_attn.o_proj", d, q, config.output_bias);
        linear("mlp.down_proj", d, d_ff, config.mlp_bias);
        let mut norms = vec![("input_layernorm", d), ("post_attention_layernorm", d)];
        if config.sandwich_norms {
            norms.push(("pre_feedforward_layernorm", d));
            norms.push(("post_feedforward_layernorm", d));
        }
        if config.qk_norm {
            norms.push(("self_attn.q_norm", config.head_dim));
            norms.push(("self_attn.k_norm", config.head_dim));
        }
        for (norm, width) in norms {
            add(format!("model.layers.{layer}.{norm}.weight"), &[width]);
        }
    }
    weights
}

#[test]
fn every_tensor_of_a_file_has_its_place_in_the_checkpoint() {
    for (_, file) in files() {
        let (header, model, config) = read(&file);
        let mut found = BTreeMap::new();
        for tensor in &header.tensors {
            let role = names::role(model.architecture, config.head_dim, &tensor.name).unwrap();
            if let TensorRole::Weight { name, .. } = role {
                let twice = found.insert(name, tensor.shape.clone());
                assert_eq!(twice, None, "{file}: {}", tensor.name);
            }
        }
        assert_eq!(found, weights(&config), "{file}");
    }
}

/// The types of storage that are witnessed: those that candle and Python's package both know.
#[test]
fn the_file_of_k_quants_has_them_all() {
    let (header, ..) = read("kquants");
    let mut types: Vec<String> = header.tensors.iter().map(|t| t.stored.name()).collect();
    types.sort();
    types.dedup();
    let expected = [
        "BF16", "F32", "Q2_K", "Q3_K", "Q4_0", "Q4_1", "Q4_K", "Q5_0", "Q5_1", "Q5_K", "Q6_K",
        "Q8_0",
    ];
    assert_eq!(types, expected);
}

/// Unpacks a file into a folder's checkpoint: the plain way to read one, to compare others with.
fn unpack(file: &str, folder: &Path) {
    let (header, model, config) = read(file);
    let mut reader = std::fs::File::open(path_of(file)).unwrap();
    let content = Content::read(&mut reader).unwrap();
    let mut tensors = std::collections::HashMap::new();
    for tensor in &header.tensors {
        let role = names::role(model.architecture, config.head_dim, &tensor.name).unwrap();
        let TensorRole::Weight { name, rows } = role else {
            continue;
        };
        let device = Device::Cpu;
        let stored = content.tensor(&mut reader, &tensor.name, &device).unwrap();
        let numbers = stored.dequantize(&device).unwrap();
        tensors.insert(name, in_order(&numbers, rows));
    }
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
}

/// The rows as the checkpoint has them.
fn in_order(stored: &Tensor, rows: RowOrder) -> Tensor {
    let order: Vec<u32> = (0..stored.dim(0).unwrap())
        .map(|row| rows.stored_row(row) as u32)
        .collect();
    let order = Tensor::new(order, &Device::Cpu).unwrap();
    stored.index_select(&order, 0).unwrap()
}

/// Holds a decoder against the golden of the file whose numbers it has.
fn assert_agrees(file: &str, decoder: &Decoder) {
    let golden = golden(&format!("gguf/{file}.safetensors"));
    let (batch, seq) = golden["input_ids"].dims2().unwrap();
    let (ids, positions) = (unsigned(&golden["input_ids"]), positions(batch, seq));
    let input = TokenInput {
        ids: &ids,
        positions: &positions,
        first_visible: &[],
        batch,
        seq,
    };
    let mut block = 0;
    let last = decoder
        .forward(input, None, |_, output| {
            let expected = golden["hidden"].i(block)?;
            block += 1;
            let label = format!("{file}: block {block}");
            assert_close(&label, output, &expected, TOLERANCE);
            Ok(())
        })
        .unwrap();
    assert_eq!(block, decoder.config().layers, "{file}");
    let logits = decoder.logits(&last).unwrap();
    let label = format!("{file}: logits");
    assert_close(&label, &logits, &golden["logits"], TOLERANCE);
}

#[test]
fn the_numbers_of_a_file_give_the_hidden_states_of_transformers() {
    for (_, file) in files() {
        let folder = tempfile::tempdir().unwrap();
        unpack(&file, folder.path());
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let (_, _, config) = read(&file);
        assert_agrees(&file, &Decoder::load(config, &checkpoint).unwrap());
    }
}
