//! How long a dataset takes from file to masked tokens, and what that takes at the peak.
//!
//! ```text
//! cargo run --release -p stepladder --example bench_data -- MODEL DATA
//! ```

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use mimalloc::MiMalloc;
use stepladder_engine::datasets::reader::DataSource;
use stepladder_engine::datasets::{Dataset, Recipe};
use stepladder_engine::memory::probe::{self, CountingAllocator};
use stepladder_engine::models::model::ModelFiles;
use stepladder_protocol::DataOptions;

#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator(MiMalloc);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, data] = arguments.as_slice() else {
        return Err("usage: bench_data MODEL DATA".into());
    };
    let files = ModelFiles::open(model)?;
    let recipe = Recipe {
        tokenizer: &files.tokenizer,
        template: Some(files.template()?),
        options: &DataOptions::default(),
        context: 1024,
    };
    let before = probe::current_bytes();
    probe::reset_peak();
    let start = Instant::now();
    let source = DataSource::File(PathBuf::from(data));
    let dataset = Dataset::load(&[source], &recipe, &mut |_| ControlFlow::Continue(()))?;
    println!(
        "{{\"load_secs\":[{}],\"examples\":{},\"tokens\":{},\"trained\":{},\"peak_bytes\":{}}}",
        start.elapsed().as_secs_f64(),
        dataset.report.examples,
        dataset.report.tokens,
        dataset.report.target_tokens,
        probe::peak_bytes() - before,
    );
    Ok(())
}
