//! How long a run's figures take from file to curves, and what a frame's worth of events costs.
//!
//! ```text
//! cargo run --release -p stepladder --example bench_metrics -- [ROWS]
//! ```

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::fmt::Write;
use std::time::Instant;

use mimalloc::MiMalloc;
use stepladder::disk::metrics;
use stepladder::state::runs::columns::Figure;
use stepladder::state::runs::figures::{Figures, Window};
use stepladder_protocol::StepRow;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: usize = match std::env::args().nth(1) {
        Some(rows) => rows.parse()?,
        None => 1_000_000,
    };
    let run = std::env::temp_dir().join(format!("stepladder-bench-metrics-{}", std::process::id()));
    std::fs::create_dir_all(&run)?;
    let mut text = String::new();
    for step in 1..=rows {
        let row = serde_json::to_string(&row(step))?;
        writeln!(text, "{{\"event\":\"step\",{}", &row[1..])?;
    }
    std::fs::write(run.join(metrics::NAME), &text)?;
    println!("{rows} rows, {:.0} MB", text.len() as f64 / 1e6);
    drop(text);
    for _ in 0..3 {
        let start = Instant::now();
        let read = metrics::read(&run, 0)?;
        let parsed = start.elapsed();
        let mut figures = Figures::new(read.columns, Window::default());
        let drawn = start.elapsed();
        figures.look(Window {
            range: Some([rows as f64 * 0.25, rows as f64 * 0.75]),
            ..Window::default()
        });
        let zoomed = start.elapsed() - drawn;
        let start = Instant::now();
        for step in rows + 1..=rows + 10_000 {
            figures.push(&row(step));
        }
        println!(
            "read {:.2} s, with curves {:.2} s; zoom {:.0} ms; a step {:.2} µs; {} points",
            parsed.as_secs_f64(),
            drawn.as_secs_f64(),
            zoomed.as_secs_f64() * 1e3,
            start.elapsed().as_secs_f64() * 100.0,
            figures.curve(Figure::Loss).points().len(),
        );
    }
    let start = Instant::now();
    let glance = metrics::glance(&run)?;
    println!(
        "sparkline of {} points in {:.1} ms",
        glance.sparkline.len(),
        start.elapsed().as_secs_f64() * 1e3
    );
    std::fs::remove_dir_all(&run)?;
    Ok(())
}

fn row(step: usize) -> StepRow {
    let noise = (step as f64 * 12.9898).sin() * 43_758.547;
    StepRow {
        step,
        loss: Some(3.0 / (step as f64).sqrt() + 0.1 * (noise - noise.floor())),
        learning_rate: Some(5e-4 / (step as f64).ln_1p()),
        gradient_norm: Some(0.3 + 0.1 * (noise - noise.floor())),
        tokens_per_second: Some(5_120.123_456),
        tokens: 898,
        target_tokens: 574,
        elapsed_secs: Some(step as f64 * 0.182_314),
        remaining_secs: Some(1.0),
        peak_bytes: Some(33_505_060),
    }
}
