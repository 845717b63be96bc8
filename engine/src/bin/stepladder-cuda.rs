//! `stepladder-cuda`: the worker of the same engine on an NVIDIA card, in an executable of its own so
//! that `stepladder` never links CUDA. `stepladder` starts it as `stepladder-cuda worker`.
//!
//! What CUDA needs is found and loaded before anything else; what is missing is said on standard error
//! in a sentence, and the exit code is 1.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use mimalloc::MiMalloc;
use stepladder_engine::card_check;
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
        [verb, asked @ ..] if verb == "check" => check(asked),
        _ => {
            say(
                "usage: stepladder-cuda worker\n       stepladder-cuda check [--part PART] ...\n\n\
                 stepladder starts the worker; see `stepladder --help`. The check is for this card: see\n\
                 tests/gpu/README.md.\n",
            );
            ExitCode::from(WRONG_USAGE)
        }
    }
}

fn serve() -> ExitCode {
    if let Err(code) = load() {
        return code;
    }
    match worker::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: the worker cannot go on: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Holds what the card computes against the processor, and measures. Joining reports takes no card.
fn check(asked: &[OsString]) -> ExitCode {
    let asked: Vec<String> = { asked.iter() }
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    if !asked.iter().any(|argument| argument == "--join")
        && let Err(code) = load()
    {
        return code;
    }
    card_check::command::run(&asked)
}

/// Finds and loads what CUDA needs.
fn load() -> Result<(), ExitCode> {
    let (name, order) = device::CARD_ORDER;
    // SAFETY: this process has one thread so far.
    unsafe { std::env::set_var(name, order) };
    let loaded = { presence::here().as_ref() }
        .map_err(Clone::clone)
        .and_then(device::load);
    loaded.map_err(|missing| {
        say(&format!("error: {missing}\nhint: {}\n", missing.hint()));
        ExitCode::FAILURE
    })
}

fn say(text: &str) {
    // There is nowhere left to say that standard error cannot be written.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
