//! Model folders that transformers and bitsandbytes saved in four bits.

use std::collections::HashMap;

use candle_core::Tensor;
use stepladder_engine::models::bitsandbytes::nf4_weight;
use stepladder_engine::models::checkpoint::Checkpoint;
use stepladder_engine::models::config::DecoderConfig;
use stepladder_engine::models::decoder::Decoder;
use stepladder_engine::models::quantization::BackboneQuantization;
use stepladder_engine::ops::nf4::{Nf4, Scales};
use stepladder_tests::nf4::{checksum, float_bits};
use stepladder_tests::{golden, golden_path};

use super::agreement::assert_agrees;

const LINEAR_LAYERS: usize = 14;

/// Every weight of a folder that is stored in NF4, by name, with its shape.
fn nf4_weights(folder: &str) -> HashMap<String, (Nf4, [usize; 2])> {
    let checkpoint = Checkpoint::open(&golden_path(folder)).unwrap();
    let find = |name: &str| checkpoint.tensor(name);
    checkpoint
        .tensors()
        .filter(|tensor| tensor.name.ends_with(".weight"))
        .filter_map(|tensor| {
            let weight = nf4_weight(checkpoint.origin(), tensor.name, &find).unwrap()?;
            Some((tensor.name.to_owned(), weight))
        })
        .collect()
}

fn dequantized(nf4: &Nf4) -> Vec<f32> {
    let mut out = vec![f32::NAN; nf4.elements()];
    nf4.dequantize(0..nf4.elements(), &mut out);
    out
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn saved_weights_are_read_to_the_bit() {
    for folder in ["bnb/llama-nf4", "bnb/llama-nf4-double"] {
        let golden = golden(&format!("{folder}/golden.safetensors"));
        let weights = nf4_weights(folder);
        assert_eq!(weights.len(), LINEAR_LAYERS, "{folder}");
        let mut compared = 0;
        for (name, (nf4, shape)) in &weights {
            let ours = dequantized(nf4);
            let bits = float_bits(&ours);
            if let Some(golden) = golden.get(&format!("dequantized.{name}")) {
                assert_eq!(golden.dims(), shape, "{folder}: {name}");
                assert_eq!(bits, float_bits(&flat(golden)), "{folder}: {name}");
                compared += 1;
            }
            let golden = golden[&format!("checksum.{name}")]
                .to_scalar::<i64>()
                .unwrap();
            assert_eq!(checksum(&bits) as i64, golden, "{folder}: {name}");
        }
        assert_eq!(compared, 2, "{folder}: weights kept as a whole");
    }
}

#[test]
fn shapes_and_the_kind_of_scales_are_those_of_the_folder() {
    for (folder, double) in [("bnb/llama-nf4", false), ("bnb/llama-nf4-double", true)] {
        let weights = nf4_weights(folder);
        let (down, shape) = &weights["model.layers.1.mlp.down_proj.weight"];
        assert_eq!(*shape, [64, 320]);
        match down.scales() {
            Scales::Plain(scales) => assert!(!double && scales.len() == 320),
            Scales::Double { codes, absmax, .. } => {
                assert!(double && codes.len() == 320 && absmax.len() == 2);
            }
        }
        for not_quantized in [
            "lm_head.weight",
            "model.embed_tokens.weight",
            "model.norm.weight",
        ] {
            assert!(!weights.contains_key(not_quantized));
        }
    }
}

/// Folders that bitsandbytes saved load as they are: what transformers computes with the dequantized
/// weights is what we compute.
#[test]
fn folders_saved_by_bitsandbytes_give_the_hidden_states_of_their_dequantized_weights() {
    for name in ["llama-nf4", "llama-nf4-double"] {
        let folder = golden_path("bnb").join(name);
        let path = folder.join("config.json");
        let config = DecoderConfig::from_json(&path, &std::fs::read(&path).unwrap()).unwrap();
        let checkpoint = Checkpoint::open(&folder).unwrap();
        let decoder = Decoder::load(config, &checkpoint, BackboneQuantization::AS_STORED).unwrap();
        let golden = golden(&format!("bnb/{name}/golden.safetensors"));
        assert_agrees(name, &decoder, &golden);
    }
}
