//! `stepladder train`: asks a worker for a run and shows how it goes.

use std::path::PathBuf;
use std::time::Instant;

use stepladder_protocol::{Command, Event, EventLine, JobId, Method, RunConfig, TrainCommand};

use super::common::start_worker;
use super::failure::{Failure, Outcome};
use super::interrupt::stop_on_interrupt;
use super::places::{absolute_path, new_folder};
use super::terminal::Terminal;
use super::train_options::TrainOptions;
use super::train_view::TrainView;
use super::{json_output, one_job};

/// Trains.
pub fn run(options: &TrainOptions, terminal: &Terminal) -> Result<Outcome, Failure> {
    let config = options.run_config()?;
    let outcome = train(options, config, terminal);
    options.common.tell_failure(outcome)
}

fn train(
    options: &TrainOptions,
    config: RunConfig,
    terminal: &Terminal,
) -> Result<Outcome, Failure> {
    let job = JobId::new("train");
    let (out, resume) = match &options.resume {
        Some(run) => (None, Some(absolute_path(run)?)),
        None => (Some(run_folder(options, config.method)?), None),
    };
    let run = out
        .as_ref()
        .or(resume.as_ref())
        .map(|run| run.display().to_string());

    let worker = start_worker(&config.device, config.threads, terminal)?;
    let told = "stopping: saving a checkpoint… (Ctrl-C again ends at once)";
    stop_on_interrupt(worker.commands(), &job, terminal, told)?;
    let mut view = TrainView::new(&config, run.unwrap_or_default(), terminal);
    let min_event_interval_ms = if options.common.json { 0 } else { 100 };
    let command = TrainCommand {
        job,
        config,
        out,
        resume,
        min_event_interval_ms,
    };
    worker.commands().send(&Command::Train(Box::new(command)))?;

    while let Some(EventLine { event, .. }) = worker.next_event() {
        if options.common.json && !matches!(event, Event::Failed(_) | Event::Rejected(_)) {
            json_output::write_line(&event)?;
        }
        view.show(&event, Instant::now());
        match event {
            Event::Finished(_) => return Ok(Outcome::Done),
            Event::Stopped { .. } => return Ok(Outcome::Interrupted),
            Event::Failed(report) | Event::Rejected(report) => return Err(report.into()),
            _ => {}
        }
    }
    Err(one_job::unanswered())
}

fn run_folder(options: &TrainOptions, method: Method) -> Result<PathBuf, Failure> {
    if let Some(out) = &options.out {
        return absolute_path(out);
    }
    new_folder("runs", method.name())
}
