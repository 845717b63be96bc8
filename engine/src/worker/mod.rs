//! The engine as a process: commands come in and events go out, one JSON object per line. The only
//! module of the engine that speaks protocol messages to a client.
//!
//! One thread reads commands; three lanes do the work, each one job at a time and the others waiting
//! in order; one thread writes. When the input ends, whoever asked is gone: all jobs are stopped, a run
//! saves its checkpoint, their ends are told to whoever still reads, and the process ends, after four
//! seconds in any case. So no worker ever outlives its client.

mod comparing;
pub mod describe;
mod estimated;
pub mod jobs;
mod lanes;
pub mod lines;
mod outbox;
mod panics;
mod run_progress;
mod schedule;
mod stdio;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use stepladder_protocol::{
    BUILD, Command, ErrorReport, Event, EventLine, Hello, JobId, MAX_LINE_BYTES, PROTOCOL,
};

use self::jobs::{EngineJobs, Jobs};
use self::lines::LineRead;
use self::outbox::Outbox;
use self::schedule::{Lane, Schedule};
use crate::device;

/// How long jobs have to save what they do once nobody listens any more. A step on a slow processor
/// may take longer than anybody should wait for a device to be free; what is on disk is whole then.
const LEAVE_WITHIN: Duration = Duration::from_secs(4);

/// Serves the engine on standard input and output until the input ends.
pub fn run() -> io::Result<()> {
    run_with(Arc::new(EngineJobs::default()))
}

/// The same with other jobs.
pub fn run_with(jobs: Arc<dyn Jobs>) -> io::Result<()> {
    let output = stdio::claim_stdout()?;
    serve(BufReader::new(Watched(io::stdin())), output, jobs)
}

/// An input whose end lets the process live for [`LEAVE_WITHIN`] and no longer.
struct Watched<R>(R);

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer);
        if matches!(read, Ok(0) | Err(_)) {
            // Without a thread to watch, the jobs end when they end.
            let _ = Builder::new().name("watchdog".to_owned()).spawn(|| {
                std::thread::sleep(LEAVE_WITHIN);
                std::process::exit(LEFT_BEHIND);
            });
        }
        read
    }
}

/// The exit code of a worker that had to leave a job where it was.
const LEFT_BEHIND: i32 = 3;

/// What this worker is.
pub fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        build: BUILD.to_owned(),
        platform: format!(
            "{} {}, {}",
            std::env::consts::OS,
            std::env::consts::ARCH,
            device::BUILT_FOR
        ),
    }
}

/// Serves `jobs` on any input and output; returns when the input has ended and all is told.
pub fn serve(
    mut input: impl BufRead,
    output: impl Write + Send + 'static,
    jobs: Arc<dyn Jobs>,
) -> io::Result<()> {
    let (outbox, writer) = Outbox::start(output)?;
    outbox.send(EventLine {
        event: Event::Hello(hello()),
        job: None,
    });
    let schedule = Arc::new(Schedule::new(outbox.clone()));
    let mut threads = Vec::new();
    for lane in Lane::ALL {
        let schedule = Arc::clone(&schedule);
        threads.push(lanes::start(
            lane,
            schedule,
            Arc::clone(&jobs),
            outbox.clone(),
        )?);
    }

    let read = read_commands(&mut input, &schedule, &outbox);

    schedule.close();
    for thread in threads {
        // A lane catches the panics of its jobs; should it die all the same, the rest still ends.
        let _ = thread.join();
    }
    drop((schedule, outbox));
    let _ = writer.join();
    read
}

fn read_commands(input: &mut impl BufRead, schedule: &Schedule, outbox: &Outbox) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        match lines::read_line(input, &mut buffer)? {
            LineRead::End => return Ok(()),
            LineRead::TooLong => reject(outbox, None, too_long()),
            LineRead::Line if buffer.is_empty() => {}
            LineRead::Line => match serde_json::from_slice(&buffer) {
                Ok(Command::Shutdown) => return Ok(()),
                Ok(command) => {
                    if let Err((job, report)) = schedule.accept(command) {
                        reject(outbox, Some(job), report);
                    }
                }
                Err(problem) => reject(outbox, job_of(&buffer), not_a_command(&problem)),
            },
        }
    }
}

fn reject(outbox: &Outbox, job: Option<JobId>, report: ErrorReport) {
    outbox.send(EventLine {
        event: Event::Rejected(report),
        job,
    });
}

/// The job a line talks of, even if the rest of it is wrong, so that its client learns of it.
fn job_of(line: &[u8]) -> Option<JobId> {
    #[derive(serde::Deserialize)]
    struct OnlyJob {
        job: JobId,
    }
    serde_json::from_slice(line).ok().map(|OnlyJob { job }| job)
}

fn not_a_command(problem: &serde_json::Error) -> ErrorReport {
    ErrorReport::new(
        "not_a_command",
        format!("the line is not a command: {problem}"),
        "send one JSON object per line, as the protocol says",
    )
}

fn too_long() -> ErrorReport {
    ErrorReport::new(
        "line_too_long",
        format!("a line is longer than {} MiB", MAX_LINE_BYTES >> 20),
        "send shorter lines",
    )
}
