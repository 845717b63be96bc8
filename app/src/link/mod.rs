//! Links to the engine: the one place that knows how commands get there and events come back.

mod error;
mod from_worker;
mod worker_process;

pub use error::LinkError;
pub use worker_process::{Commands, WorkerOptions, WorkerProcess, job_started_by};
