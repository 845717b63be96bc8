//! Our half of the decoding benchmark: times the prompt and greedy decoding of a base model and
//! prints one JSON object. `tests/witness/benchmark.py` runs it in turns with transformers.
//!
//! ```text
//! cargo run --release -p stepladder --example bench_decode -- MODEL PROMPT_TOKENS NEW_TOKENS
//! ```

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::time::Instant;

use mimalloc::MiMalloc;
use stepladder_engine::generation::generator::Generator;
use stepladder_engine::memory::probe::{self, CountingAllocator};
use stepladder_engine::models::checkpoint::Checkpoint;
use stepladder_engine::models::config::DecoderConfig;
use stepladder_engine::models::decoder::Decoder;
use stepladder_engine::models::quantization::BackboneQuantization;

#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator(MiMalloc);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, prompt_tokens, new_tokens] = arguments.as_slice() else {
        return Err("usage: bench_decode MODEL PROMPT_TOKENS NEW_TOKENS".into());
    };
    let (prompt_tokens, new_tokens): (usize, usize) = (prompt_tokens.parse()?, new_tokens.parse()?);
    let folder = std::path::Path::new(model);
    let path = folder.join("config.json");
    let config = DecoderConfig::from_json(&path, &std::fs::read(&path)?)?;
    let vocabulary = config.vocabulary;
    let checkpoint = Checkpoint::open(folder)?;
    let backbone = Decoder::load(config, &checkpoint, BackboneQuantization::AS_STORED)?;
    let prompt: Vec<u32> = (0..prompt_tokens)
        .map(|i| ((i * 7919 + 13) % vocabulary) as u32)
        .collect();
    probe::reset_peak();
    let (mut prompt_secs, mut token_secs) = (Vec::new(), Vec::new());
    for round in 0..2 {
        let mut generator = Generator::new(&backbone, None);
        let start = Instant::now();
        let mut logits = generator.push(&prompt)?;
        let first = start.elapsed().as_secs_f64();
        let start = Instant::now();
        for _ in 0..new_tokens {
            let token = logits.argmax(0)?.to_scalar::<u32>()?;
            logits = generator.push(&[token])?;
        }
        // The first round warms up.
        if round > 0 {
            prompt_secs.push(first);
            token_secs.push(start.elapsed().as_secs_f64() / new_tokens as f64);
        }
    }
    println!(
        "{}",
        serde_json::json!({
            "prompt_secs": prompt_secs,
            "token_secs": token_secs,
            "peak_bytes": probe::peak_bytes(),
        })
    );
    Ok(())
}
