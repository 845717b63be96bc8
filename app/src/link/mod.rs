//! Links to the engine: the one place that knows how commands get there and events come back.

mod choice;
mod error;
mod from_worker;
mod worker_process;

pub use choice::{
    ForDevice, StartedWorker, device_of, start_for, start_for_if_possible, start_own, why_no_card,
};
pub use error::LinkError;
pub use worker_process::{Commands, WorkerOptions, WorkerProcess, job_started_by};
