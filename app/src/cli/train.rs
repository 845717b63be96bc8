//! `stepladder train`: asks a worker for a run and shows how it goes.

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use stepladder_protocol::{
    Command, ErrorReport, Event, EventLine, JobId, JobRef, Method, RunConfig, TrainCommand,
};

use super::common::start_worker;
use super::failure::{Failure, Outcome};
use super::interrupt::{Reaction, on_interrupt};
use super::terminal::Terminal;
use super::train_options::TrainOptions;
use super::train_view::TrainView;
use super::{json_output, one_job};
use crate::data_folder;

/// Trains.
pub fn run(options: &TrainOptions, terminal: &Terminal) -> Result<Outcome, Failure> {
    let config = options.run_config()?;
    let outcome = train(options, config, terminal);
    if let Err(Failure {
        report: Some(report),
        ..
    }) = &outcome
        && options.common.json
    {
        json_output::write_line(&Event::Failed(report.clone()))?;
    }
    outcome
}

fn train(
    options: &TrainOptions,
    config: RunConfig,
    terminal: &Terminal,
) -> Result<Outcome, Failure> {
    let job = JobId::new("train");
    let (out, resume) = match &options.resume {
        Some(run) => (None, Some(absolute(run)?)),
        None => (Some(run_folder(options, config.method)?), None),
    };
    let run = out
        .as_ref()
        .or(resume.as_ref())
        .map(|run| run.display().to_string());

    let worker = start_worker(config.threads)?;
    let commands = worker.commands().clone();
    {
        let (job, terminal) = (job.clone(), terminal.clone());
        on_interrupt(commands.clone(), move |time| {
            let stop = Command::Stop(JobRef { job: job.clone() });
            if time > 1 || commands.send(&stop).is_err() {
                return Reaction::Exit;
            }
            terminal.line("stopping: saving a checkpoint… (Ctrl-C again ends at once)");
            Reaction::GoOn
        })?;
    }
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
        return absolute(out);
    }
    let folder = data_folder::data_folder().ok_or_else(|| {
        Failure::usage(
            "this system names no data folder",
            "give --out, or set STEPLADDER_HOME",
        )
    })?;
    Ok(data_folder::new_run(
        &folder,
        method.name(),
        SystemTime::now(),
    ))
}

fn absolute(path: &std::path::Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| {
        let message = format!("the path {} cannot be used: {error}", path.display());
        Failure::from(ErrorReport::new("io", message, "give another path"))
    })
}
