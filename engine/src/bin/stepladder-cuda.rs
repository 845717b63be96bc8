//! `stepladder-cuda`: the worker of the same engine on an NVIDIA card, in an executable of its own so
//! that `stepladder` never links CUDA. `stepladder` starts it as `stepladder-cuda worker`.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use stepladder_engine::memory::probe::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator(MiMalloc);

fn main() -> ExitCode {
    match stepladder_engine::worker::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
