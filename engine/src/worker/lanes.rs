//! The threads that do the work: each takes the next job of its lane, runs it, and tells its end
//! exactly once, a panic included.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use stepladder_protocol::{
    ChatCommand, ChatSummary, CheckCommand, CompareCommand, ErrorReport, Event, ExportCommand,
    Finished, InspectCommand, Phase, TrainCommand, TrainSummary,
};

use super::comparing::{self, Comparing};
use super::describe::Told;
use super::jobs::{Jobs, RunTarget};
use super::outbox::Outbox;
use super::panics;
use super::run_progress::{READING_INTERVAL, RunProgress, progress};
use super::schedule::{Job, Lane, Schedule, Turn, Work};
use crate::Error;
use crate::comparison::matched::Trained;
use crate::training::stop_flag::Request;

/// Templates and parsers of foreign files recurse; a thread has little stack by default. The pages are
/// only taken when they are touched.
const HEAVY_STACK_BYTES: usize = 256 << 20;
const LIGHT_STACK_BYTES: usize = 16 << 20;

/// The code of [`Error::OutOfMemory`].
const OUT_OF_MEMORY: &str = "out_of_memory";

/// Starts the thread of a lane; it ends when the schedule is closed and its job has ended.
pub fn start(
    lane: Lane,
    schedule: Arc<Schedule>,
    jobs: Arc<dyn Jobs>,
    outbox: Outbox,
) -> io::Result<JoinHandle<()>> {
    let (name, stack) = match lane {
        Lane::Heavy => ("heavy jobs", HEAVY_STACK_BYTES),
        Lane::Light => ("light jobs", LIGHT_STACK_BYTES),
        Lane::Quick => ("quick jobs", LIGHT_STACK_BYTES),
    };
    Builder::new()
        .name(name.to_owned())
        .stack_size(stack)
        .spawn(move || {
            while let Some(job) = schedule.next(lane) {
                let end = panics::catch(|| perform(&job, jobs.as_ref(), &outbox))
                    .unwrap_or_else(Event::Failed);
                let had_no_room =
                    matches!(&end, Event::Failed(report) if report.code == OUT_OF_MEMORY);
                schedule.finish(lane, &job.id, end);
                if had_no_room {
                    outbox.settle();
                    jobs.leave();
                }
            }
        })
}

/// Runs a job and gives its last event.
fn perform(job: &Job, jobs: &dyn Jobs, outbox: &Outbox) -> Event {
    let end = match &job.work {
        Work::Train(command) => train(job, command, jobs, outbox),
        Work::Chat(command, turns) => chat(job, command, turns, jobs, outbox),
        Work::Inspect(command) => inspect(job, command, jobs, outbox),
        Work::Estimate(command) => jobs
            .estimate(command)
            .map(|report| Event::Finished(Finished::Memory(report))),
        Work::Check(command) => check(job, command, jobs, outbox),
        Work::Compare(command) => compare(job, command, jobs, outbox),
        Work::Export(command) => export(job, command, jobs, outbox),
        Work::Models(command) => jobs
            .models(command, &job.stop)
            .map(|list| Event::Finished(Finished::Models(list))),
        Work::Devices => jobs
            .devices()
            .map(|report| Event::Finished(Finished::Devices(report))),
    };
    match end {
        Ok(event) => event,
        Err(Error::Stopped) => Event::Stopped { run: None, step: 0 },
        Err(error) => Event::Failed(report(&error)),
    }
}

fn train(
    job: &Job,
    command: &TrainCommand,
    jobs: &dyn Jobs,
    outbox: &Outbox,
) -> Result<Event, Error> {
    let target = match (&command.resume, &command.out) {
        (Some(run), _) => RunTarget::Resume(run.clone()),
        (None, Some(out)) => RunTarget::Fresh(out.clone()),
        // The schedule accepts no command without one of the two.
        (None, None) => return Err(Error::Stopped),
    };
    let interval = Duration::from_millis(command.min_event_interval_ms);
    let mut progress = RunProgress::new(&job.id, outbox, &job.stop, interval);
    let outcome = jobs.train(&command.config, target, &mut progress, &job.stop)?;
    let run = outcome.run.display().to_string();
    if !outcome.finished {
        return Ok(Event::Stopped {
            run: Some(run),
            step: outcome.step,
        });
    }
    Ok(Event::Finished(Finished::Training(TrainSummary {
        run,
        step: outcome.step,
        best_evaluation_loss: outcome.best_evaluation_loss.filter(|loss| loss.is_finite()),
        estimated_peak_bytes: Some(outcome.estimated_peak_bytes),
        // Zero: this program does not count its allocations.
        measured_peak_bytes: Some(outcome.measured_peak_bytes).filter(|bytes| *bytes > 0),
        elapsed_secs: progress.elapsed_secs(),
    })))
}

fn chat(
    job: &Job,
    command: &ChatCommand,
    turns: &Receiver<Turn>,
    jobs: &dyn Jobs,
    outbox: &Outbox,
) -> Result<Event, Error> {
    let mut chat = jobs.open_chat(command)?;
    // An adapter chosen later brings notices of its own; none is told twice.
    let mut told = BTreeSet::new();
    let mut tell = |notices: Vec<String>| {
        for text in notices {
            if told.insert(text.clone()) {
                outbox.send(Event::Notice { text }.of(&job.id));
            }
        }
    };
    tell(chat.notices());
    outbox.send(Event::Ready(chat.ready()).of(&job.id));
    let mut replies = 0;
    // Ends when the schedule drops the sender: the chat was told to end or to stop.
    while let Ok(turn) = turns.recv() {
        if job.stop.is_raised() {
            break;
        }
        let reply = chat.choose(&turn.turn.adapter).and_then(|()| {
            tell(chat.notices());
            chat.reply(&turn.turn, &turn.stop, &mut |text, reasoning| {
                let piece = Event::Text {
                    text: text.to_owned(),
                    reasoning,
                };
                if !outbox.send(piece.of(&job.id)) {
                    turn.stop.raise();
                }
            })
        });
        let event = match reply {
            Ok(stats) => {
                replies += 1;
                Event::Reply(stats)
            }
            Err(error) => Event::TurnFailed(report(&error)),
        };
        outbox.send(event.of(&job.id));
    }
    if job.stop.is_raised() {
        return Err(Error::Stopped);
    }
    Ok(Event::Finished(Finished::Chat(ChatSummary { replies })))
}

fn inspect(
    job: &Job,
    command: &InspectCommand,
    jobs: &dyn Jobs,
    outbox: &Outbox,
) -> Result<Event, Error> {
    let finished = jobs.inspect(command, &mut |told| {
        let open = match told {
            Told::Preview(preview) => outbox.send(Event::Preview(preview).of(&job.id)),
            Told::Progress(progress) => {
                outbox.send_merged(Event::Reading(progress).of(&job.id), READING_INTERVAL)
            }
        };
        match open && !job.stop.is_raised() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    Ok(Event::Finished(finished))
}

fn check(
    job: &Job,
    command: &CheckCommand,
    jobs: &dyn Jobs,
    outbox: &Outbox,
) -> Result<Event, Error> {
    let summary = jobs.check(command, &job.stop, &mut |cell| {
        if !outbox.send(Event::Checked(cell.clone()).of(&job.id)) {
            job.stop.ask(Request::ClientGone);
        }
    })?;
    Ok(Event::Finished(Finished::Check(summary)))
}

fn compare(
    job: &Job,
    command: &CompareCommand,
    jobs: &dyn Jobs,
    outbox: &Outbox,
) -> Result<Event, Error> {
    let matched = match comparing::matched_wishes(command)? {
        None => None,
        Some(wishes) => {
            let mut told = RunProgress::new(&job.id, outbox, &job.stop, READING_INTERVAL);
            match jobs.train_matched(&wishes, &job.stop, &mut told)? {
                Trained::All(set) => Some(set),
                Trained::Stopped { .. } => return Ok(comparing::stopped(0, command)),
            }
        }
    };
    let wishes = comparing::wishes(command, matched);
    let mut news = Comparing::new(&job.id, outbox, &job.stop);
    let outcome = jobs.compare(&command.device, &wishes, &job.stop, &mut |told| {
        news.tell(told)
    })?;
    Ok(comparing::end(outcome, command))
}

fn export(
    job: &Job,
    command: &ExportCommand,
    jobs: &dyn Jobs,
    outbox: &Outbox,
) -> Result<Event, Error> {
    let began = Instant::now();
    let report = jobs.export(command, &mut |written| {
        let progress = progress(
            Phase::Exporting,
            written.done,
            written.total,
            began.elapsed(),
        );
        let open = outbox.send_merged(Event::Progress(progress).of(&job.id), READING_INTERVAL);
        match open && !job.stop.is_raised() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    Ok(Event::Finished(Finished::Export(report)))
}

/// An engine error as it crosses the seam.
fn report(error: &Error) -> ErrorReport {
    ErrorReport::new(error.code(), error.to_string(), error.hint())
}
