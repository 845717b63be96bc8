//! Threads on which templates run. A template can nest lists in lists as deep as its fuel lasts, and
//! dropping, printing or comparing such a value recurses once per level. So renders run where the
//! stack outlasts the fuel, and a hostile template ends in an error instead of ending the process.
//! The memory is only reserved; honest templates touch a few pages of it.

use std::cell::Cell;
use std::io;

/// Stack of a rendering thread.
const STACK_BYTES: usize = 512 << 20;
/// Stack that a template can use up per unit of fuel: 360 bytes were measured at worst.
const STACK_BYTES_PER_FUEL: usize = 440;
/// The fuel that such a stack outlasts.
pub(super) const MAX_FUEL: u64 = (STACK_BYTES / STACK_BYTES_PER_FUEL) as u64;

thread_local! {
    static IS_DEEP: Cell<bool> = const { Cell::new(false) };
}

/// Does the work on a thread with a deep stack: this one, if it is one, else a new one. Starting a
/// thread takes as long as a short render, so many renders belong into one call or on a [`pool`].
pub(super) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    if IS_DEEP.get() {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("chat-template".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || {
                IS_DEEP.set(true);
                work()
            })?;
        thread
            .join()
            .map_err(|_| io::Error::other("the template engine failed"))
    })
}

/// Threads with deep stacks, as many as rayon's own pool has.
pub(crate) fn pool() -> io::Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(rayon::current_num_threads())
        .stack_size(STACK_BYTES)
        .thread_name(|index| format!("chat-template-{index}"))
        .start_handler(|_| IS_DEEP.set(true))
        .build()
        .map_err(io::Error::other)
}
