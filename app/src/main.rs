//! The executable: the allocator that counts, and the command line.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use stepladder_engine::memory::probe::CountingAllocator;

/// Candle takes and frees whole tensors at every operation, which mimalloc serves without asking
/// the system for fresh pages each time; the counter around it measures the peak of a run.
#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator(MiMalloc);

fn main() -> ExitCode {
    stepladder::cli::run(std::env::args_os())
}
