//! Predicted against measured peaks over a grid of random models; prints one line a cell.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use mimalloc::MiMalloc;
use stepladder_engine::memory::{Item, probe::CountingAllocator};
use stepladder_engine::training::check::grid;

#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator(MiMalloc);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let every: usize = arguments.first().map_or(Ok(1), |text| text.parse())?;
    let threads = 2;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (mut worst, mut sum, mut worst_rest, mut sum_rest, mut count) = (0f64, 0.0, 0f64, 0.0, 0);
    for cell in grid().into_iter().step_by(every) {
        let compared = cell.compare(threads)?;
        let (error, rest) = (compared.error(), compared.error_without_weights());
        println!(
            "{:>2} {:>4} {:?} {:?} {:?} {:?}: plan {:.2} measured {:.2} MiB, {:+.2} %, without weights {:+.2} % ({:.1} MiB off), weights {:.0} / {:.0}, {}",
            cell.model.layers,
            cell.model.d_model,
            cell.config.method,
            cell.config.quantize,
            cell.config.recompute,
            (cell.shape.batch, cell.shape.seq),
            mib(compared.plan.total_bytes),
            mib(compared.measured.peak),
            100.0 * error,
            100.0 * rest,
            mib(compared.plan.total_bytes) - mib(compared.measured.peak),
            mib(compared.measured.weights),
            mib(compared.plan.part(stepladder_engine::memory::Part::Weights)),
            compared.plan.peak_moment
        );
        if arguments.get(1).is_some() {
            for item in Item::ALL {
                println!(
                    "      {:<20} {:.2}",
                    item.name(),
                    mib(compared.plan.item(item))
                );
            }
        }
        worst = worst.max(error.abs());
        worst_rest = worst_rest.max(rest.abs());
        sum += error.abs();
        sum_rest += rest.abs();
        count += 1;
    }
    let n = f64::from(count);
    println!(
        "{count} cells: mean {:.2} %, worst {:.2} %; without weights mean {:.2} %, worst {:.2} %",
        100.0 * sum / n,
        100.0 * worst,
        100.0 * sum_rest / n,
        100.0 * worst_rest
    );
    Ok(())
}
