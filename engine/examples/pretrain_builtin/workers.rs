//! Owns the use of the processor's cores: whole pieces of a batch run side by side, each on one
//! thread, instead of every tensor operation being split across threads. That wastes nothing on
//! waiting, and the result doesn't depend on the number of cores.

use crate::Outcome;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Read once by candle, rayon and the C library, hence set for a program that starts afresh. The
/// last four keep freed tensors in the process; handing them back page by page costs a third of
/// the time.
const SETTINGS: [(&str, &str); 6] = [
    ("RAYON_NUM_THREADS", "1"),
    ("CANDLE_NUM_THREADS", "1"),
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "4000000000"),
    ("MALLOC_TRIM_THRESHOLD_", "8000000000"),
    ("MALLOC_TOP_PAD_", "67108864"),
];

/// Unless the program has its settings, runs it again with them and ends with its exit code.
pub fn ensure_settings() -> Outcome<()> {
    if SETTINGS
        .iter()
        .all(|(name, value)| std::env::var(name).as_deref() == Ok(value))
    {
        return Ok(());
    }
    let status = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .envs(SETTINGS)
        .status()?;
    std::process::exit(status.code().unwrap_or(1))
}

/// `work` done to every item, on all cores; the results are in the items' order.
pub fn in_parallel<I: Sync, R: Send>(
    items: &[I],
    work: impl Fn(&I) -> Outcome<R> + Sync,
) -> Outcome<Vec<R>> {
    let threads = std::thread::available_parallelism()?.get().min(items.len());
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Outcome<R>>>> = Mutex::new(items.iter().map(|_| None).collect());
    let worker = || -> Outcome<()> {
        // A pool of its own keeps candle's parallel loops on this thread.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
        pool.install(|| {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { break };
                let result = work(item);
                results.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(result);
            }
        });
        Ok(())
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        handles
            .into_iter()
            .try_for_each(|handle| match handle.join() {
                Ok(outcome) => outcome,
                Err(_) => Err("a worker panicked".into()),
            })
    })?;
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results
        .into_iter()
        .map(|result| result.unwrap_or_else(|| Err("an item was skipped".into())))
        .collect()
}
