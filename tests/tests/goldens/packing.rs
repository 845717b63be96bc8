//! Several examples in a row train like each in a row of its own: same loss, same gradients, beside
//! backbones with sliding windows, soft-caps and scaled positions.

use candle_core::Tensor;
use stepladder_engine::adapters::network::{AdapterShape, Network, TrainingSettings};
use stepladder_engine::adapters::parameters::Parameters;
use stepladder_engine::datasets::{Example, Layout, Rows, SourceLine, TokenBatch};
use stepladder_engine::models::decoder::Decoder;
use stepladder_engine::ops::elementwise;
use stepladder_engine::ops::linear_cross_entropy::Gradient;
use stepladder_engine::training::plan::ModelPlan;
use stepladder_engine::training::targeted_input;
use stepladder_protocol::{Method, RunConfig, Switch};
use stepladder_tests::{assert_close, numbers};

use super::backbones;

/// Lengths that leave room in rows and fill others to the last token.
const LENGTHS: [usize; 7] = [5, 19, 9, 26, 3, 13, 7];
const ROW: usize = 32;

fn examples(vocabulary: usize) -> Vec<Example> {
    let id = |example: usize, t: usize| ((example * 31 + t * 17 + 3) % vocabulary) as u32;
    let example = |(number, &length): (usize, &usize)| Example {
        ids: (0..length).map(|t| id(number, t)).collect(),
        // The first token too, which must never be one.
        targets: (0..length).map(|t| (t + number) % 3 != 1).collect(),
        source: SourceLine {
            source: 0,
            line: number + 1,
        },
        hash: number as u64,
    };
    LENGTHS.iter().enumerate().map(example).collect()
}

/// An adapter in which no tensor is zero, so that every gradient counts.
fn network(config: &RunConfig, backbone: &Decoder) -> Network {
    let shape: AdapterShape = ModelPlan::resolve(config, backbone.config()).unwrap().shape;
    let network = Network::initialize(shape, 3).unwrap();
    for (name, tensor) in network.parameters().iter() {
        if numbers(tensor).iter().all(|value| *value == 0.0) {
            let values: Vec<f32> = (0..tensor.elem_count())
                .map(|i| ((i * 7 + name.len()) % 17) as f32 * 1e-2 - 0.08)
                .collect();
            let values = Tensor::from_vec(values, tensor.shape(), tensor.device()).unwrap();
            elementwise::add(tensor, &values).unwrap();
        }
    }
    network
}

fn loss(
    (network, backbone): (&Network, &Decoder),
    config: &RunConfig,
    batches: &[TokenBatch],
) -> (f64, Parameters) {
    let gradients = network.parameters().zeros_like().unwrap();
    let targets: usize = batches.iter().map(|batch| batch.target_ids.len()).sum();
    let settings = TrainingSettings {
        recompute: config.recompute.unwrap_or_default(),
        ..TrainingSettings::default()
    };
    let gradient = Gradient::Scaled(1.0 / targets as f64);
    let sum: f64 = batches
        .iter()
        .map(|batch| {
            let input = targeted_input(batch);
            network
                .loss(backbone, input, (settings, 0), gradient, &gradients)
                .unwrap()
        })
        .sum();
    (sum / targets as f64, gradients)
}

fn differs(ours: &Parameters, other: &Parameters) -> f64 {
    let of = |(name, tensor): (&str, &Tensor)| {
        let size = numbers(tensor)
            .iter()
            .fold(0f64, |most, g| most.max(g.abs()));
        assert!(size > 0.0, "{name} has no gradient");
        let pairs = numbers(ours.get(name).unwrap());
        let pairs = pairs.into_iter().zip(numbers(tensor));
        pairs.fold(0f64, |most, (a, b)| most.max((a - b).abs())) / size
    };
    other.iter().map(of).fold(0.0, f64::max)
}

#[test]
fn packed_examples_train_like_examples_in_rows_of_their_own() {
    let one_each = Layout {
        batch_size: 1,
        rows: Rows::OneEach,
    };
    let packed = Layout {
        batch_size: 2,
        rows: Rows::Packed { tokens: ROW },
    };
    for name in [
        "llama3",
        "mistral",
        "qwen2-window",
        "gemma2",
        "gemma3-text",
        "phi3",
        "qwen3",
    ] {
        let backbone = backbones::decoder(name, backbones::config(name));
        let examples = examples(backbone.config().vocabulary);
        let batches = packed.batches(&examples);
        assert_eq!(batches.iter().map(|batch| batch.batch).sum::<usize>(), 3);
        for method in [Method::Ladder, Method::Xladder, Method::Lora] {
            for recompute in [Switch::Off, Switch::On] {
                let config = RunConfig {
                    method,
                    context: Some(ROW),
                    recompute: Some(recompute),
                    ..RunConfig::default()
                };
                let case = format!("{name} {method:?} {recompute:?}");
                let network = network(&config, &backbone);
                let trained = (&network, &backbone);
                let (expected_loss, expected) =
                    loss(trained, &config, &one_each.batches(&examples));
                let (packed_loss, gradients) = loss(trained, &config, &batches);
                assert!(
                    (packed_loss - expected_loss).abs() <= 1e-5 * expected_loss,
                    "{case}: {packed_loss} {expected_loss}"
                );
                for (name, tensor) in expected.iter() {
                    let size = numbers(tensor)
                        .iter()
                        .fold(0f64, |most, g| most.max(g.abs()));
                    let scaled = |tensor: &Tensor| (tensor / size).unwrap();
                    assert_close(
                        &format!("{case} {name}"),
                        &scaled(gradients.get(name).unwrap()),
                        &scaled(tensor),
                        1e-5,
                    );
                }
                // Without boundaries the examples disturb each other.
                let unbounded = |batch: &TokenBatch| TokenBatch {
                    first_visible: Vec::new(),
                    ..batch.clone()
                };
                let unbounded: Vec<TokenBatch> = batches.iter().map(unbounded).collect();
                assert!(
                    differs(&loss(trained, &config, &unbounded).1, &expected) > 1e-3,
                    "{case}"
                );
            }
        }
    }
}
