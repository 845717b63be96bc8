//! Tiles of tokens change nothing. A long row that holds three documents is cut into tiles across
//! their boundaries; the same documents as rows of their own are not. Loss and gradients agree.

use candle_core::{Device, Tensor};
use stepladder_engine::adapters::kept::KeptStates;
use stepladder_engine::adapters::network::{Network, TrainingSettings};
use stepladder_engine::adapters::parameters::Parameters;
use stepladder_engine::adapters::targets::TargetedInput;
use stepladder_engine::models::decoder::{Decoder, TokenInput};
use stepladder_engine::models::kv_cache::KvCache;
use stepladder_engine::models::model::ModelFiles;
use stepladder_engine::models::quantization::BackboneQuantization;
use stepladder_engine::ops::linear_cross_entropy::Gradient;
use stepladder_engine::ops::token_tiles::TOKEN_TILE;
use stepladder_engine::training::plan::ModelPlan;
use stepladder_protocol::{Inject, Method, RunConfig, Switch};
use stepladder_tests::{assert_close, numbers, positions};

const DOCUMENTS: usize = 3;
/// Documents end inside tiles, and tiles inside documents.
const LENGTH: usize = 400;

fn builtin() -> (ModelFiles, Decoder) {
    let files = ModelFiles::open("builtin").unwrap();
    let decoder = files.load_decoder(BackboneQuantization::AS_STORED).unwrap();
    (files, decoder)
}

fn ids(vocabulary: usize) -> Vec<u32> {
    (0..DOCUMENTS * LENGTH)
        .map(|i| ((i * 7919 + i / 7) % vocabulary) as u32)
        .collect()
}

/// Random where a fresh adapter is zero: with zeros most gradients would be.
fn network(request: &RunConfig, files: &ModelFiles) -> Network {
    let shape = ModelPlan::resolve(request, &files.config).unwrap().shape;
    let fresh = Network::initialize(shape.clone(), 3).unwrap();
    let tensors = fresh.parameters().iter().map(|(name, tensor)| {
        let all_zero = numbers(tensor).iter().all(|number| *number == 0.0);
        let count = tensor.elem_count();
        let values = (0..count).map(|i| ((i * 31 + 7) % 17) as f32 / 400.0 - 0.02);
        let random = Tensor::from_vec(values.collect(), tensor.shape(), &Device::Cpu).unwrap();
        let tensor = if all_zero { random } else { tensor.clone() };
        (name.to_owned(), tensor)
    });
    Network::from_parameters(shape, Parameters::new(tensors.collect())).unwrap()
}

fn loss(
    (network, settings): (&Network, TrainingSettings),
    backbone: &Decoder,
    tokens: TokenInput<'_>,
) -> (f64, Parameters) {
    let targets: Vec<u32> = (0..(DOCUMENTS * LENGTH) as u32)
        .filter(|row| (row + 1) % LENGTH as u32 != 0)
        .collect();
    let target_ids: Vec<u32> = targets
        .iter()
        .map(|row| tokens.ids[*row as usize + 1])
        .collect();
    let gradients = network.parameters().zeros_like().unwrap();
    let input = TargetedInput {
        tokens,
        target_rows: &targets,
        target_ids: &target_ids,
    };
    let gradient = Gradient::Scaled(1.0 / targets.len() as f64);
    let sum = network
        .loss(backbone, input, (settings, 0), gradient, &gradients)
        .unwrap();
    (sum / targets.len() as f64, gradients)
}

#[test]
fn documents_in_one_row_are_documents_in_rows() {
    let (files, backbone) = builtin();
    let ids = ids(files.config.vocabulary);
    let positions = positions(DOCUMENTS, LENGTH);
    let first_visible: Vec<u32> = (0..DOCUMENTS)
        .flat_map(|document| vec![(document * LENGTH) as u32; LENGTH])
        .collect();
    const { assert!(LENGTH < TOKEN_TILE && 2 * LENGTH > TOKEN_TILE) };
    let rows = TokenInput {
        ids: &ids,
        positions: &positions,
        first_visible: &[],
        batch: DOCUMENTS,
        seq: LENGTH,
    };
    let packed = TokenInput {
        first_visible: &first_visible,
        batch: 1,
        seq: DOCUMENTS * LENGTH,
        ..rows
    };
    for (method, inject) in [
        (Method::Ladder, Inject::Sum),
        (Method::Xladder, Inject::Gate),
        (Method::Lora, Inject::Sum),
    ] {
        let request = RunConfig {
            method,
            inject,
            ..RunConfig::default()
        };
        let network = network(&request, &files);
        for recompute in [Switch::Off, Switch::On] {
            let settings = TrainingSettings {
                recompute,
                recompute_taps: recompute,
                kept: KeptStates::default(),
                seed: 1,
            };
            let apart = loss((&network, settings), &backbone, rows);
            let together = loss((&network, settings), &backbone, packed);
            let label = format!("{method:?}, recompute {recompute:?}");
            assert!(
                (apart.0 - together.0).abs() < 1e-5,
                "{label}: {apart:?} {together:?}",
                apart = apart.0,
                together = together.0
            );
            for (name, gradient) in apart.1.iter() {
                let size = numbers(gradient).iter().fold(0f64, |a, b| a.max(b.abs()));
                assert!(size > 0.0, "{label}: {name} has no gradient");
                let scaled = |tensor: &Tensor| (tensor / size).unwrap();
                let other = together.1.get(name).unwrap();
                assert_close(
                    &format!("{label}: {name}"),
                    &scaled(other),
                    &scaled(gradient),
                    1e-4,
                );
            }
        }
    }
}

/// One long document: at once, and token by token at the end.
#[test]
fn a_long_row_is_what_a_cache_makes_of_its_parts() {
    let (files, backbone) = builtin();
    let ids = ids(files.config.vocabulary);
    let positions: Vec<u32> = (0..ids.len() as u32).collect();
    let input = |range: std::ops::Range<usize>| TokenInput {
        ids: &ids[range.clone()],
        positions: &positions[range.clone()],
        first_visible: &[],
        batch: 1,
        seq: range.len(),
    };
    let whole = backbone
        .forward(input(0..ids.len()), None, |_, _| Ok(()))
        .unwrap();
    let mut cache = KvCache::new(files.config.layers);
    let mut parts = Vec::new();
    for range in [0..700, 700..1199, 1199..1200] {
        let part = backbone.forward(input(range), Some(&mut cache), |_, _| Ok(()));
        parts.push(part.unwrap());
    }
    let parts = Tensor::cat(&parts, 0).unwrap();
    assert_close("a long row", &parts, &whole, 1e-4);
}
