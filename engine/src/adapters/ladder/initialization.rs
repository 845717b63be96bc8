//! Names, shapes and first values of a side network's tensors. Each tensor draws from a stream of
//! its own, seeded by its name, so adding a layer moves no other tensor.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stepladder_protocol::{Downsample, Inject};

use super::wiring::{BOTTLENECK, Wiring};
use crate::Result;
use crate::adapters::parameters::Parameters;

/// How a tensor starts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    /// Uniform in +-1/sqrt(fan_in).
    Uniform { fan_in: usize },
    /// Zero.
    Zero,
}

/// Shape of every tensor of the network.
pub fn shapes(wiring: &Wiring) -> BTreeMap<String, Vec<usize>> {
    layout(wiring)
        .into_iter()
        .map(|(name, shape, _)| (name, shape))
        .collect()
}

/// Fresh parameters: random, but for the upsample and the gates, which are zero, so that a fresh
/// adapter is the base model.
///
/// # Errors
/// When memory runs out.
pub fn initialize(wiring: &Wiring, seed: u64) -> Result<Parameters> {
    let mut tensors = BTreeMap::new();
    for (name, shape, start) in layout(wiring) {
        let count = shape.iter().product();
        let values = match start {
            Start::Zero => vec![0f32; count],
            Start::Uniform { fan_in } => uniform(&name, seed, fan_in, count),
        };
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
        tensors.insert(name, tensor);
    }
    Ok(Parameters::new(tensors))
}

fn uniform(name: &str, seed: u64, fan_in: usize, count: usize) -> Vec<f32> {
    let bound = (fan_in as f64).sqrt().recip();
    let mut random = stream(name, seed);
    (0..count)
        .map(|_| ((random.random::<f64>() * 2.0 - 1.0) * bound) as f32)
        .collect()
}

/// The random stream of one name under one seed.
pub fn stream(name: &str, seed: u64) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(name.as_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

fn layout(wiring: &Wiring) -> Vec<(String, Vec<usize>, Start)> {
    let (d, h, f) = (wiring.d_model, wiring.d_side, wiring.d_ff);
    let mut all = Vec::new();
    let mut linear = |name: String, outputs: usize, inputs: usize, bias: bool| {
        let start = Start::Uniform { fan_in: inputs };
        all.push((format!("{name}.weight"), vec![outputs, inputs], start));
        if bias {
            all.push((format!("{name}.bias"), vec![outputs], start));
        }
    };
    for layer in 0..wiring.side_layers() {
        for projection in ["q_proj", "k_proj", "v_proj", "o_proj"] {
            linear(format!("side.{layer}.attention.{projection}"), h, h, false);
        }
        linear(format!("side.{layer}.mlp.gate_proj"), f, h, false);
        linear(format!("side.{layer}.mlp.up_proj"), f, h, false);
        linear(format!("side.{layer}.mlp.down_proj"), h, f, false);
    }
    for layer in 0..wiring.taps.len() {
        let name = format!("connections.{layer}.downsample");
        match wiring.downsample {
            Downsample::Linear => linear(name, h, d, true),
            Downsample::Adapter => {
                linear(format!("{name}.reduce"), BOTTLENECK, d, true);
                linear(format!("{name}.expand"), h, BOTTLENECK, true);
            }
            Downsample::Shared => {}
        }
    }
    if wiring.downsample == Downsample::Shared {
        linear("downsample".to_owned(), h, d, true);
    }
    if wiring.inject == Inject::Gate {
        for layer in 0..wiring.taps.len() {
            all.push((
                format!("connections.{layer}.ladder_gate"),
                vec![1],
                Start::Zero,
            ));
        }
    }
    all.push(("upsample.weight".to_owned(), vec![d, h], Start::Zero));
    all.push(("upsample.bias".to_owned(), vec![d], Start::Zero));
    all
}
