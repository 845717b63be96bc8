//! Peaks of Ladder, xLadder and QLoRA beside each other in one run: a random model shaped like Llama
//! with 20 layers, d 1024 and 32,000 tokens in NF4, 4 x 1,024 tokens, default sizes of the adapters,
//! the same switches on all sides. Prints a table for docs/memory.md.
//!
//! ```text
//! cargo run --release -p stepladder --example bench_peaks -- [LAYERS]
//! ```

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use mimalloc::MiMalloc;
use stepladder_engine::memory::probe::CountingAllocator;
use stepladder_engine::training::check::{Cell, RandomModel};
use stepladder_engine::training::estimate::{BatchShape, parts};
use stepladder_protocol::{Method, Quantize, RunConfig, Switch};

#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator(MiMalloc);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let layers = std::env::args()
        .nth(1)
        .map_or(Ok(20), |text| text.parse())?;
    let threads = stepladder_engine::device::threads();
    let model = RandomModel {
        layers,
        d_model: 1024,
        heads: 16,
        kv_heads: 16,
        d_ff: 2816,
        vocabulary: 32_000,
        tied_head: false,
    };
    let shape = BatchShape {
        batch: 4,
        seq: 1024,
    };
    let mib = |bytes: u64| format!("{:.0}", bytes as f64 / f64::from(1 << 20));
    println!(
        "| method | recomputed | peak, MiB | planned | weights | adapter | gradients | optimizer | activations | logits | workspace | of QLoRA |"
    );
    println!("{}", "|---".repeat(12) + "|");
    let (on, off) = (Switch::On, Switch::Off);
    let mut qlora = 0;
    for (method, recompute, taps) in [
        (Method::Qlora, off, off),
        (Method::Ladder, off, off),
        (Method::Xladder, off, off),
        (Method::Qlora, on, off),
        (Method::Ladder, on, off),
        (Method::Ladder, on, on),
        (Method::Xladder, on, off),
        (Method::Xladder, on, on),
    ] {
        let cell = Cell {
            model,
            config: RunConfig {
                method,
                quantize: Quantize::Nf4,
                quantize_head: Switch::On,
                recompute: Some(recompute),
                recompute_taps: taps,
                batch_size: shape.batch,
                effective_batch_size: shape.batch,
                context: Some(shape.seq),
                ..RunConfig::default()
            },
            shape,
        };
        let compared = cell.compare(threads)?;
        let peak = compared.measured.peak;
        if method == Method::Qlora {
            qlora = peak;
        }
        let recomputed = match (method, recompute, taps) {
            (_, Switch::Off, _) => "nothing",
            (Method::Ladder | Method::Xladder, _, Switch::On) => "side layers, taps",
            (Method::Ladder | Method::Xladder, _, _) => "side layers",
            _ => "blocks",
        };
        let split: Vec<String> = parts(&compared.plan)
            .named()
            .into_iter()
            .map(|(_, bytes)| mib(bytes))
            .collect();
        println!(
            "| {} | {recomputed} | {} | {} | {} | {:.2} |",
            method.title(),
            mib(peak),
            mib(compared.plan.total_bytes),
            split.join(" | "),
            peak as f64 / qlora as f64
        );
    }
    Ok(())
}
