//! Jobs that are asked one question and give one answer.

use stepladder_protocol::{Command, ErrorReport, Event, Finished};

use super::failure::Failure;
use crate::link::WorkerProcess;

/// Sends a command and waits for what its job gives.
pub fn ask(worker: &WorkerProcess, command: &Command) -> Result<Finished, Failure> {
    ask_watching(worker, command, &mut |_| {})
}

/// The same, showing what the job tells meanwhile.
pub fn ask_watching(
    worker: &WorkerProcess,
    command: &Command,
    watch: &mut dyn FnMut(&Event),
) -> Result<Finished, Failure> {
    worker.commands().send(command)?;
    loop {
        match worker.next_event().map(|line| line.event) {
            Some(Event::Finished(finished)) => return Ok(finished),
            Some(Event::Failed(report) | Event::Rejected(report)) => return Err(report.into()),
            Some(Event::Stopped { .. }) | None => return Err(unanswered()),
            Some(event) => watch(&event),
        }
    }
}

/// The link promises an end of every job, so this is a defect.
pub fn unanswered() -> Failure {
    ErrorReport::new(
        "worker_died",
        "the worker ended without an answer",
        "please report this",
    )
    .into()
}
