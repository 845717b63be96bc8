//! Our half of the speed benchmark: times the training step of a Ladder on a model folder and
//! prints one JSON object. `tests/witness/benchmark.py` runs it in turns with PyTorch.
//!
//! ```text
//! cargo run --release -p stepladder --example bench_step -- MODEL BATCH SEQ REPEATS [nf4]
//! ```
//!
//! With `nf4` the backbone is quantized while it is loaded.

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::time::Instant;

use mimalloc::MiMalloc;
use stepladder_engine::adapters::ladder::training_pass::{SideTraining, TargetedInput};
use stepladder_engine::adapters::ladder::wiring::{BackboneShape, WiringRequest};
use stepladder_engine::adapters::ladder::{SideNetwork, Wiring};
use stepladder_engine::memory::probe::{self, CountingAllocator};
use stepladder_engine::models::checkpoint::Checkpoint;
use stepladder_engine::models::config::DecoderConfig;
use stepladder_engine::models::decoder::{Decoder, TokenInput};
use stepladder_engine::models::quantization::Quantization;
use stepladder_engine::ops::linear_cross_entropy::Gradient;
use stepladder_engine::training::optimizer::{AdamW, AdamWSettings};

#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator(MiMalloc);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (sizes, quantization) = match arguments.as_slice() {
        [sizes @ .., word] if word == "nf4" => (sizes, Quantization::Nf4DoubleQuantized),
        sizes => (sizes, Quantization::AsStored),
    };
    let [model, batch, seq, repeats] = sizes else {
        return Err("usage: bench_step MODEL BATCH SEQ REPEATS [nf4]".into());
    };
    let (batch, seq, repeats): (usize, usize, usize) =
        (batch.parse()?, seq.parse()?, repeats.parse()?);
    let folder = std::path::Path::new(model);
    let path = folder.join("config.json");
    let config = DecoderConfig::from_json(&path, &std::fs::read(&path)?)?;
    let vocabulary = config.vocabulary;
    let shape = BackboneShape {
        d_model: config.d_model,
        layers: config.layers,
        norm_eps: config.norm_eps,
    };
    let backbone = Decoder::load(config, &Checkpoint::open(folder)?, quantization)?;
    let network = SideNetwork::initialize(Wiring::resolve(&WiringRequest::default(), shape)?, 1)?;
    let mut optimizer = AdamW::new(AdamWSettings::default(), network.parameters())?;
    let gradients = network.parameters().zeros_like()?;

    let ids: Vec<u32> = (0..batch * seq)
        .map(|i| ((i * 7919 + 13) % vocabulary) as u32)
        .collect();
    let positions: Vec<u32> = (0..batch).flat_map(|_| 0..seq as u32).collect();
    // every token but the last of a row predicts the next
    let target_rows: Vec<u32> = (0..batch * seq)
        .filter(|i| (i + 1) % seq != 0)
        .map(|i| i as u32)
        .collect();
    let target_ids: Vec<u32> = target_rows.iter().map(|&i| ids[i as usize + 1]).collect();
    let input = TargetedInput {
        tokens: TokenInput {
            ids: &ids,
            positions: &positions,
            first_visible: &[],
            batch,
            seq,
        },
        target_rows: &target_rows,
        target_ids: &target_ids,
    };
    let scale = 1.0 / target_rows.len() as f64;
    let training = SideTraining::default();

    let (mut forward, mut step, mut loss) = (Vec::new(), Vec::new(), 0.0);
    let weight_bytes = probe::current_bytes();
    probe::reset_peak();
    for repeat in 0..=repeats {
        let start = Instant::now();
        network.loss(&backbone, input, training, Gradient::Skip, &gradients)?;
        let forward_secs = start.elapsed().as_secs_f64();
        let start = Instant::now();
        gradients.scale(0.0)?;
        let gradient = Gradient::Scaled(scale);
        loss = scale * network.loss(&backbone, input, training, gradient, &gradients)?;
        let norm = gradients.norm()?;
        if norm > 1.0 {
            gradients.scale(1.0 / (norm + 1e-6))?;
        }
        optimizer.update(network.parameters(), &gradients, 5e-4)?;
        // The first round warms up.
        if repeat > 0 {
            forward.push(forward_secs);
            step.push(start.elapsed().as_secs_f64());
        }
    }
    println!(
        "{}",
        serde_json::json!({
            "forward_secs": forward,
            "step_secs": step,
            "loss": loss,
            "peak_bytes": probe::peak_bytes(),
            "loaded_bytes": weight_bytes,
        })
    );
    Ok(())
}
