//! A launch: all blocks of a grid, several at a time, and the first fault in words.

use super::block::{BlockFault, BlockRunner, Shape};
use super::memory::Wrong;
use rayon::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a launch has failed.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The access that was wrong, or what the kernel has asked for.
    pub wrong: Wrong,
    /// Kernel, instruction, block, thread and address in words.
    pub message: String,
}

/// Grids up to this many threads run without other threads' help.
const SMALL: u64 = 512;

/// Runs a grid to its end, or to the first fault.
pub fn launch(shape: &Shape<'_>) -> Result<(), Fault> {
    let blocks: u64 = shape.grid.iter().map(|&count| u64::from(count)).product();
    let threads: u64 = shape.block.iter().map(|&count| u64::from(count)).product();
    if blocks * threads <= SMALL {
        let mut runner = BlockRunner::new(shape);
        return (0..blocks).try_for_each(|index| {
            runner
                .run(index)
                .map_err(|fault| in_words(shape, index, &fault))
        });
    }
    let stopped = AtomicBool::new(false);
    let first: Mutex<Option<(u64, Fault)>> = Mutex::new(None);
    let pieces = blocks.min(16 * rayon::current_num_threads() as u64);
    (0..pieces).into_par_iter().for_each_init(
        || BlockRunner::new(shape),
        |runner, piece| {
            for index in piece * blocks / pieces..(piece + 1) * blocks / pieces {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                if let Err(fault) = runner.run(index) {
                    stopped.store(true, Ordering::Relaxed);
                    let fault = in_words(shape, index, &fault);
                    let mut first = first.lock().unwrap_or_else(|held| held.into_inner());
                    if first.as_ref().is_none_or(|&(earlier, _)| index < earlier) {
                        *first = Some((index, fault));
                    }
                    return;
                }
            }
        },
    );
    match first.into_inner().unwrap_or_else(|held| held.into_inner()) {
        Some((_, fault)) => Err(fault),
        None => Ok(()),
    }
}

fn in_words(shape: &Shape<'_>, index: u64, fault: &BlockFault) -> Fault {
    let step = &shape.program.steps[fault.step as usize];
    let [x, y, _] = shape.grid.map(u64::from);
    let block = [index % x, index / x % y, index / (x * y)];
    let problem = &fault.problem;
    let what = match problem.wrong {
        Wrong::OutOfBounds => "is out of bounds",
        Wrong::Misaligned => "is misaligned",
        Wrong::ReadOnly => "cannot be written",
        Wrong::Trapped(why) => why,
    };
    let place = format!(
        "kernel {}, line {}, `{}`, block {block:?}, thread {:?}",
        shape.program.name, step.line, step.opcode, fault.thread
    );
    let message = match problem.wrong {
        Wrong::Trapped(_) => format!("{place}: {what}"),
        _ => {
            let nearest = nearest(shape.allocations, problem.address);
            format!(
                "{place}: {} bytes at {:#x} ({:?}) {what}{nearest}",
                problem.bytes, problem.address, problem.space
            )
        }
    };
    Fault {
        wrong: problem.wrong,
        message,
    }
}

/// How far behind the allocation before it an address is.
fn nearest(allocations: &[(u64, u64)], address: u64) -> String {
    let at = allocations.partition_point(|&(first, _)| first <= address);
    match at.checked_sub(1).map(|at| allocations[at]) {
        Some((first, end)) if address >= end && address - end < 1 << 32 => format!(
            "; {} bytes behind the end of the allocation of {} bytes at {first:#x}",
            address - end,
            end - first
        ),
        _ => String::new(),
    }
}
