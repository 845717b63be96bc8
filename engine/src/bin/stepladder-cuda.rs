//! `stepladder-cuda`: the worker of the same engine on an NVIDIA card, in an executable of its own so
//! that `stepladder` never links CUDA. `stepladder` starts it as `stepladder-cuda worker`.
//!
//! What CUDA needs is found and loaded before anything else; what is missing is said on standard error
//! in a sentence, and the exit code is 1.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use mimalloc::MiMalloc;
use stepladder_engine::device::{self, presence};
use stepladder_engine::memory::probe::CountingAllocator;
use stepladder_engine::worker;

#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator(MiMalloc);

const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [verb] if verb == "worker" => serve(),
        _ => {
            say(
                "usage: stepladder-cuda worker\n\nstepladder starts it; see `stepladder --help`.\n",
            );
            ExitCode::from(WRONG_USAGE)
        }
    }
}

fn serve() -> ExitCode {
    let (name, order) = device::CARD_ORDER;
    // SAFETY: this process has one thread so far.
    unsafe { std::env::set_var(name, order) };
    let loaded = { presence::here().as_ref() }
        .map_err(Clone::clone)
        .and_then(device::load);
    if let Err(missing) = loaded {
        say(&format!("error: {missing}\nhint: {}\n", missing.hint()));
        return ExitCode::FAILURE;
    }
    match worker::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: the worker cannot go on: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    // There is nowhere left to say that standard error cannot be written.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
