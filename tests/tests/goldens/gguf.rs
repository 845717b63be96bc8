//! GGUF files that `tests/witness/gguf_models.py` made: what they say of the model is what its
//! config.json said, every tensor has its place in the checkpoint, and the numbers in them give the
//! hidden states that transformers computes with the same numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use stepladder_engine::models::config::DecoderConfig;
use stepladder_engine::models::decoder::Decoder;
use stepladder_engine::models::gguf::GgufFile;
use stepladder_engine::models::quantization::{BackboneQuantization, Quantization};
use stepladder_engine::models::rope_scaling::RopeScaling;
use stepladder_tests::{golden, golden_path};

use super::agreement::assert_agrees;

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

fn open(file: &str) -> (GgufFile, DecoderConfig) {
    let path = path_of(file);
    let opened = GgufFile::open(&path).unwrap();
    let config = opened.model.decoder_config(&path).unwrap();
    (opened, config)
}

/// The decoder of the config.json that the file was converted from.
fn original(model: &str) -> DecoderConfig {
    let path = golden_path("gguf").join(format!("{model}.config.json"));
    DecoderConfig::from_json(&path, &std::fs::read(&path).unwrap()).unwrap()
}

#[test]
fn a_gguf_file_says_what_config_json_said() {
    for (model, file) in files() {
        let (_, config) = open(&file);
        let mut expected = original(model);
        match model {
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
        let (opened, config) = open(&file);
        let found: BTreeMap<String, Vec<usize>> = opened
            .checkpoint
            .tensors()
            .map(|tensor| (tensor.name.to_owned(), tensor.shape.to_vec()))
            .collect();
        assert_eq!(found, weights(&config), "{file}");
    }
}

/// The types of storage that are witnessed: those that candle and Python's package both know.
#[test]
fn the_file_of_k_quants_has_them_all() {
    let (opened, _) = open("kquants");
    let mut types: Vec<String> = opened
        .header
        .tensors
        .iter()
        .map(|t| t.stored.name())
        .collect();
    types.sort();
    types.dedup();
    let expected = [
        "BF16", "F32", "Q2_K", "Q3_K", "Q4_0", "Q4_1", "Q4_K", "Q5_0", "Q5_1", "Q5_K", "Q6_K",
        "Q8_0",
    ];
    assert_eq!(types, expected);
}

#[test]
fn the_numbers_of_a_file_give_the_hidden_states_of_transformers() {
    for (_, file) in files() {
        let (opened, config) = open(&file);
        let checkpoint = &opened.checkpoint;
        let decoder = Decoder::load(config, checkpoint, BackboneQuantization::AS_STORED).unwrap();
        assert_agrees(
            &file,
            &decoder,
            &golden(&format!("gguf/{file}.safetensors")),
        );
    }
}

/// Blocks stay as they are, whatever is asked for; floats are quantized.
#[test]
fn asking_for_nf4_leaves_blocks_alone() {
    let (opened, config) = open("llama2-q8_0");
    let load = |quantization| {
        let name = "model.layers.0.mlp.up_proj.weight";
        let shape = [config.d_ff, config.d_model];
        let matrix = opened.checkpoint.load_matrix(name, shape, quantization);
        format!("{:?}", matrix.unwrap())
    };
    assert_eq!(load(Quantization::Nf4), load(Quantization::AsStored));
    let blocks = BackboneQuantization::of_blocks(Quantization::Nf4);
    for (file, kept, head) in [
        ("llama2-f16", blocks, "FrozenMatrix(F16"),
        (
            "llama2-f16",
            blocks.with_head(Quantization::Nf4),
            "FrozenMatrix(NF4",
        ),
        (
            "llama3-f16",
            blocks.with_head(Quantization::Nf4),
            "FrozenMatrix(NF4",
        ),
        (
            "llama2-q8_0",
            blocks.with_head(Quantization::Nf4),
            "FrozenMatrix(Q8_0",
        ),
        (
            "llama3-q8_0",
            blocks.with_head(Quantization::Nf4),
            "FrozenMatrix(Q8_0",
        ),
    ] {
        let (opened, config) = open(file);
        let decoder = Decoder::load(config, &opened.checkpoint, kept).unwrap();
        let found = format!("{:?}", decoder.head().weight());
        assert_eq!(found.split(' ').next(), Some(head), "{file}");
    }
}
