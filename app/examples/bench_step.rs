//! Our half of the speed benchmark: times the training step of a method on a model folder and prints
//! one JSON object. `tests/witness/benchmark.py` runs it in turns with PyTorch.
//!
//! ```text
//! cargo run --release -p stepladder --example bench_step -- MODEL BATCH SEQ REPEATS \
//!     [ladder|xladder|lora|qlora] [nf4] [nf4-head] [keep|recompute]
//! ```

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::time::Instant;

use mimalloc::MiMalloc;
use stepladder_engine::adapters::network::Network;
use stepladder_engine::adapters::targets::TargetedInput;
use stepladder_engine::memory::probe::{self, CountingAllocator};
use stepladder_engine::models::checkpoint::Checkpoint;
use stepladder_engine::models::config::DecoderConfig;
use stepladder_engine::models::decoder::{Decoder, TokenInput};
use stepladder_engine::ops::linear_cross_entropy::Gradient;
use stepladder_engine::training::optimizer::AdamW;
use stepladder_engine::training::plan::{ModelPlan, RunPlan};
use stepladder_protocol::{Method, Quantize, RunConfig, Switch};

const USAGE: &str = "usage: bench_step MODEL BATCH SEQ REPEATS \
    [ladder|xladder|lora|qlora] [nf4] [nf4-head] [keep|recompute]";

#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator(MiMalloc);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, batch, seq, repeats, words @ ..] = arguments.as_slice() else {
        return Err(USAGE.into());
    };
    let (batch, seq, repeats): (usize, usize, usize) =
        (batch.parse()?, seq.parse()?, repeats.parse()?);
    let mut request = RunConfig::default();
    for word in words {
        match word.as_str() {
            "ladder" => request.method = Method::Ladder,
            "xladder" => request.method = Method::Xladder,
            "lora" => request.method = Method::Lora,
            "qlora" => request.method = Method::Qlora,
            "nf4" => request.quantize = Quantize::Nf4,
            "nf4-head" => request.quantize_head = Switch::On,
            "keep" => request.recompute = Some(Switch::Off),
            "recompute" => request.recompute = Some(Switch::On),
            _ => return Err(USAGE.into()),
        }
    }
    let folder = std::path::Path::new(model);
    let path = folder.join("config.json");
    let config = DecoderConfig::from_json(&path, &std::fs::read(&path)?)?;
    let vocabulary = config.vocabulary;
    let model_plan = ModelPlan::resolve(&request, &config)?;
    let plan = RunPlan::resolve(&request, &model_plan, &[seq])?;
    let checkpoint = Checkpoint::open(folder)?;
    let backbone = Decoder::load(config, &checkpoint, model_plan.quantization)?;
    let network = Network::initialize(model_plan.shape, 1)?;
    let mut optimizer = AdamW::new(plan.optimizer, network.parameters())?;
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

    let (mut forward, mut step, mut loss) = (Vec::new(), Vec::new(), 0.0);
    let weight_bytes = probe::current_bytes();
    probe::reset_peak();
    for repeat in 0..=repeats {
        let start = Instant::now();
        network.loss(
            &backbone,
            input,
            (plan.training, 0),
            Gradient::Skip,
            &gradients,
        )?;
        let forward_secs = start.elapsed().as_secs_f64();
        let start = Instant::now();
        gradients.scale(0.0)?;
        let gradient = Gradient::Scaled(scale);
        loss = scale * network.loss(&backbone, input, (plan.training, 0), gradient, &gradients)?;
        let norm = gradients.norm()?;
        if norm > plan.clip_norm {
            gradients.scale(plan.clip_norm / (norm + 1e-6))?;
        }
        optimizer.update(network.parameters(), &gradients, model_plan.learning_rate)?;
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
