//! How long a model takes to load and what it takes at the peak: as stored, quantized to NF4 on the
//! way, the head too, and from a copy in NF4 (made first in a temporary folder).
//!
//! ```text
//! cargo run --release -p stepladder --example bench_load -- MODEL
//! ```

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::ops::ControlFlow;
use std::time::Instant;

use mimalloc::MiMalloc;
use stepladder_engine::memory::probe::{self, CountingAllocator};
use stepladder_engine::models::checkpoint::Checkpoint;
use stepladder_engine::models::config::DecoderConfig;
use stepladder_engine::models::decoder::Decoder;
use stepladder_engine::models::fingerprint::BaseFingerprint;
use stepladder_engine::models::quantization::{BackboneQuantization, Quantization};
use stepladder_engine::models::quantized_copy;

#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator(MiMalloc);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = std::env::args().nth(1).ok_or("usage: bench_load MODEL")?;
    let folder = std::path::Path::new(&model);
    let path = folder.join("config.json");
    let config = DecoderConfig::from_json(&path, &std::fs::read(&path)?)?;
    println!("{} parameters", config.parameters());
    let checkpoint = Checkpoint::open(folder)?;
    let copies = std::env::temp_dir().join(format!("stepladder-bench-load-{}", std::process::id()));
    let fingerprint = BaseFingerprint::of(&config, &checkpoint);
    let double = Quantization::Nf4DoubleQuantized;
    let copy =
        quantized_copy::open_or_make(&checkpoint, &fingerprint, double, &copies, &mut |_| {
            ControlFlow::Continue(())
        })?;
    let stored = BackboneQuantization::AS_STORED;
    let plain = BackboneQuantization::of_blocks(Quantization::Nf4);
    let in_double = BackboneQuantization::of_blocks(double);
    for (name, checkpoint, quantization) in [
        ("as stored", &checkpoint, stored),
        ("NF4", &checkpoint, plain),
        ("NF4, double", &checkpoint, in_double),
        ("copy in NF4, double", &copy, in_double),
        ("and the head", &copy, in_double.with_head(double)),
    ] {
        let mut secs = Vec::new();
        let (mut kept, mut peak) = (0, 0);
        // The first time reads the file from the disk.
        for _ in 0..4 {
            let before = probe::current_bytes();
            probe::reset_peak();
            let start = Instant::now();
            let decoder = Decoder::load(config.clone(), checkpoint, quantization)?;
            secs.push(start.elapsed().as_secs_f64());
            kept = probe::current_bytes() - before;
            peak = probe::peak_bytes() - before;
            drop(decoder);
        }
        let first = secs.remove(0);
        secs.sort_by(f64::total_cmp);
        println!(
            "{name:20} {:.2} s (first {first:.2} s), {:.1} MiB, peak {:.1} MiB ({:+.1} %)",
            secs[1],
            kept as f64 / 1048576.0,
            peak as f64 / 1048576.0,
            100.0 * (peak as f64 / kept as f64 - 1.0),
        );
    }
    std::fs::remove_dir_all(&copies)?;
    Ok(())
}
