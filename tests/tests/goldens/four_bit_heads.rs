//! A head in NF4: the matrix that `ops::nf4` makes of the stored one, and the logits of a model that
//! stores the numbers which come back from it.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use stepladder_engine::models::checkpoint::Checkpoint;
use stepladder_engine::models::config::DecoderConfig;
use stepladder_engine::models::decoder::Decoder;
use stepladder_engine::models::quantization::{BackboneQuantization, Quantization};
use stepladder_engine::ops::nf4::{DoubleQuantization, Nf4};
use stepladder_tests::{assert_close, difference, golden_path, numbers};

use super::backbones::{config, logits_of};

type Tensors = HashMap<String, Tensor>;

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";
const STORED: BackboneQuantization = BackboneQuantization::AS_STORED;
const FORMS: [(Quantization, DoubleQuantization); 2] = [
    (Quantization::Nf4, DoubleQuantization::Off),
    (Quantization::Nf4DoubleQuantized, DoubleQuantization::On),
];

/// Every tensor of a backbone's files.
fn tensors_of(name: &str) -> Tensors {
    let mut tensors = Tensors::new();
    for entry in std::fs::read_dir(golden_path("backbones").join(name)).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        if file.starts_with("model") && file.ends_with(".safetensors") {
            tensors.extend(candle_core::safetensors::load(&path, &Device::Cpu).unwrap());
        }
    }
    tensors
}

fn load(config: &DecoderConfig, tensors: &Tensors, kept: BackboneQuantization) -> Decoder {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    candle_core::safetensors::save(tensors, path).unwrap();
    open(config, folder.path(), kept)
}

fn open(config: &DecoderConfig, folder: &Path, kept: BackboneQuantization) -> Decoder {
    let checkpoint = Checkpoint::open(folder).unwrap();
    Decoder::load(config.clone(), &checkpoint, kept).unwrap()
}

/// A matrix through NF4 and back to f32, and the bytes it takes there.
fn through_nf4(matrix: &Tensor, double: DoubleQuantization) -> (Tensor, u64) {
    let values: Vec<f32> = numbers(matrix).iter().map(|&value| value as f32).collect();
    let read = |range: std::ops::Range<usize>, out: &mut [f32]| out.copy_from_slice(&values[range]);
    let nf4 = Nf4::quantize(values.len(), read, double).unwrap();
    let mut back = vec![0.0; values.len()];
    nf4.dequantize(0..values.len(), &mut back);
    let back = Tensor::from_vec(back, matrix.shape(), &Device::Cpu).unwrap();
    (back, nf4.bytes())
}

fn kind_of_head(decoder: &Decoder) -> String {
    format!("{:?}", decoder.head().weight())
}

/// All rows of the embedding as they are stored in a tensor.
fn assert_embeds(what: &str, decoder: &Decoder, expected: &Tensor) {
    let rows: Vec<u32> = (0..decoder.config().vocabulary as u32).collect();
    let ours = decoder.embed(&rows).unwrap();
    let scale = decoder.config().embedding_scale.unwrap_or(1.0);
    let expected = (expected.to_dtype(DType::F32).unwrap() * scale).unwrap();
    assert!(difference(&ours, &expected) < 1e-6, "{what}: embedding");
}

/// Tied and untied, f32, f16 and bf16, sharded, with a soft-cap and a scale on the embedding.
#[test]
fn logits_are_those_of_the_dequantized_head() {
    for (name, tied) in [
        ("qwen2-tied-bf16", true),
        ("llama3", true),
        ("gemma2", true),
        ("phi4-mini", true),
        ("llama2", false),
        ("qwen2", false),
        ("llama3-f16-sharded", false),
    ] {
        let config = config(name);
        assert_eq!(config.tied_head, tied, "{name}");
        let stored = tensors_of(name);
        let head = if tied { EMBEDDING } else { HEAD };
        let unquantized = logits_of(name, &load(&config, &stored, STORED)).1;
        for (form, double) in FORMS {
            let what = format!("{name}, {form:?}");
            let (dequantized, bytes) = through_nf4(&stored[head], double);
            let kept = BackboneQuantization::AS_STORED.with_head(form);
            let decoder = open(&config, &golden_path("backbones").join(name), kept);
            let weight = decoder.head().weight();
            assert!(
                kind_of_head(&decoder).starts_with("FrozenMatrix(NF4 "),
                "{what}"
            );
            assert_eq!(weight.stored_bytes(), bytes, "{what}");
            assert_eq!(
                difference(&weight.to_f32().unwrap(), &dequantized),
                0.0,
                "{what}"
            );
            let embedding = if tied {
                &dequantized
            } else {
                &stored[EMBEDDING]
            };
            assert_embeds(&what, &decoder, embedding);

            let mut same = stored.clone();
            same.insert(head.to_owned(), dequantized);
            let expected = logits_of(name, &load(&config, &same, STORED)).1;
            let logits = logits_of(name, &decoder).1;
            assert_close(&what, &logits, &expected, 1e-5);
            assert!(
                difference(&logits, &unquantized) > 1e-3,
                "{what}: not noticed"
            );
        }
    }
}

/// A head in the file of a model that claims to tie it: another one is what was trained, so there
/// are two matrices; the embedding once more is one.
#[test]
fn what_a_file_has_decides_whether_the_head_is_the_embedding() {
    let (config, stored) = (config("llama3"), tensors_of("llama3"));
    let kept = BackboneQuantization::AS_STORED.with_head(Quantization::Nf4);
    let quantized = |matrix: &Tensor| through_nf4(matrix, DoubleQuantization::Off).0;
    for (what, head) in [
        ("another head", (&stored[EMBEDDING] * 0.5).unwrap()),
        ("the embedding again", stored[EMBEDDING].clone()),
    ] {
        let mut tensors = stored.clone();
        tensors.insert(HEAD.to_owned(), head.clone());
        let decoder = load(&config, &tensors, kept);
        let weight = decoder.head().weight().to_f32().unwrap();
        assert_eq!(difference(&weight, &quantized(&head)), 0.0, "{what}");
        let embedding = match what {
            "another head" => stored[EMBEDDING].clone(),
            _ => quantized(&head),
        };
        assert_embeds(what, &decoder, &embedding);
    }
}

/// The head alone, the blocks alone and both are four models; beside a head as stored, nothing but
/// the blocks is in four bits.
#[test]
fn head_and_blocks_are_quantized_apart() {
    let folder = golden_path("backbones").join("llama2");
    let config = config("llama2");
    let nf4 = Quantization::Nf4DoubleQuantized;
    let logits: Vec<Tensor> = [
        STORED,
        STORED.with_head(nf4),
        BackboneQuantization::of_blocks(nf4),
        BackboneQuantization::of_blocks(nf4).with_head(nf4),
    ]
    .into_iter()
    .map(|kept| {
        let decoder = open(&config, &folder, kept);
        let is_nf4 = kind_of_head(&decoder).starts_with("FrozenMatrix(NF4 ");
        assert_eq!(is_nf4, kept.head == nf4);
        logits_of("llama2", &decoder).1
    })
    .collect();
    for (index, one) in logits.iter().enumerate() {
        for other in &logits[..index] {
            assert!(difference(one, other) > 1e-3);
        }
    }
}

/// A folder that bitsandbytes saved has its head in floats: it is quantized when that is asked for.
/// What is in NF4 on disk stays as it is.
#[test]
fn folders_in_four_bits_have_their_head_quantized_on_loading() {
    let folder = golden_path("bnb").join("llama-nf4");
    let path = folder.join("config.json");
    let config = DecoderConfig::from_json(&path, &std::fs::read(&path).unwrap()).unwrap();
    let stored = open(&config, &folder, STORED);
    assert!(kind_of_head(&stored).starts_with("FrozenMatrix(F32 "));
    let head = stored.head().weight().to_f32().unwrap();
    let asked = STORED.with_head(Quantization::Nf4DoubleQuantized);
    let ours = open(&config, &folder, asked);
    let ours = ours.head().weight().to_f32().unwrap();
    let expected = through_nf4(&head, DoubleQuantization::On).0;
    assert_eq!(difference(&ours, &expected), 0.0);

    let checkpoint = Checkpoint::open(&folder).unwrap();
    let bytes = |form| {
        let name = "model.layers.0.mlp.up_proj.weight";
        let shape = [config.d_ff, config.d_model];
        let matrix = checkpoint.load_matrix(name, shape, form).unwrap();
        matrix.stored_bytes()
    };
    let [plain, double] = FORMS.map(|(form, _)| bytes(form));
    assert_eq!(
        plain, double,
        "NF4 without double quantization, as in the file"
    );
}
