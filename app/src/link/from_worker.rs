//! What comes from a worker process: events on its standard output, its log on standard error, and
//! its end. Whatever happens, each open job gets exactly one end.

use std::collections::{BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stepladder_engine::worker::lines::{LineRead, read_line};
use stepladder_protocol::{ErrorReport, Event, EventLine, JobId};

use crate::text::visible;

/// A worker that closed its output is given this long to be gone.
const EXIT_WITHIN: Duration = Duration::from_secs(10);
/// What a worker wrote before its end is read within this time.
pub(super) const LAST_LINES_WITHIN: Duration = Duration::from_secs(1);
const LOG_LINES: usize = 30;
const LOG_LINE_BYTES: u64 = 2000;

/// What the link's threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) input: Mutex<Option<ChildStdin>>,
    pub(super) child: Mutex<Child>,
    pub(super) killed: AtomicBool,
    pub(super) open_jobs: Mutex<BTreeSet<JobId>>,
    pub(super) log: Mutex<VecDeque<String>>,
    /// Why no more events come, for jobs that did not end before.
    pub(super) ending: Mutex<Option<ErrorReport>>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that holds one of these locks can leave a half-made change behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Reads events until there are no more, then tells the ends that are missing.
    pub(super) fn read_events(
        &self,
        output: ChildStdout,
        sender: &SyncSender<EventLine>,
        log_reader: JoinHandle<()>,
    ) {
        let mut output = BufReader::new(output);
        let mut buffer = Vec::new();
        let problem = loop {
            match read_line(&mut output, &mut buffer) {
                Ok(LineRead::End) | Err(_) => break None,
                Ok(LineRead::TooLong) => break Some("a line that is too long".to_owned()),
                Ok(LineRead::Line) => match serde_json::from_slice::<EventLine>(&buffer) {
                    Ok(line) => {
                        self.note_end(&line);
                        // Nobody listens: the lines are still read, so that the worker can end.
                        let _ = sender.send(line);
                    }
                    Err(_) => break Some(excerpt(&buffer)),
                },
            }
        };
        let status = self.wait_for_exit(problem.is_some());
        // The log ends with the process; its last lines are the most telling.
        finishes(&log_reader, LAST_LINES_WITHIN);
        let report = self.death_report(problem, status);
        *lock(&self.ending) = Some(report.clone());
        let jobs = std::mem::take(&mut *lock(&self.open_jobs));
        for job in jobs {
            let _ = sender.send(Event::Failed(report.clone()).of(&job));
        }
    }

    fn note_end(&self, line: &EventLine) {
        if (line.event.ends_job() || matches!(line.event, Event::Rejected(_)))
            && let Some(job) = &line.job
        {
            lock(&self.open_jobs).remove(job);
        }
    }

    /// Waits until the process is gone. One that no longer makes sense is ended at once, one that
    /// closed its output but stays is ended after a while.
    fn wait_for_exit(&self, at_once: bool) -> Option<ExitStatus> {
        let deadline = Instant::now() + EXIT_WITHIN;
        let mut killed = false;
        loop {
            let mut child = lock(&self.child);
            if let Ok(Some(status)) = child.try_wait() {
                return Some(status);
            }
            if !killed && (at_once || Instant::now() > deadline) {
                killed = true;
                if child.kill().is_err() {
                    return None;
                }
            }
            drop(child);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn death_report(&self, problem: Option<String>, status: Option<ExitStatus>) -> ErrorReport {
        let log = self.log_text();
        let details = Some(log).filter(|log| !log.is_empty());
        let report = match problem {
            Some(line) => ErrorReport::new(
                "worker_protocol",
                format!("the worker wrote something that is not an event: {line}"),
                "please report this; a run goes on from its last checkpoint with --resume",
            ),
            None => ErrorReport::new(
                "worker_died",
                match status {
                    Some(status) => format!("the worker ended unexpectedly ({status})"),
                    None => "the worker ended unexpectedly".to_owned(),
                },
                "if memory ran out, lower --batch-size or --context; \
                 a run goes on from its last checkpoint with --resume",
            ),
        };
        ErrorReport { details, ..report }
    }

    /// Keeps the last lines the worker wrote to its standard error.
    pub(super) fn read_log(&self, log: impl Read) {
        let mut log = BufReader::new(log);
        let mut line = Vec::new();
        loop {
            line.clear();
            match log
                .by_ref()
                .take(LOG_LINE_BYTES)
                .read_until(b'\n', &mut line)
            {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    let mut kept = lock(&self.log);
                    if kept.len() == LOG_LINES {
                        kept.pop_front();
                    }
                    kept.push_back(visible(String::from_utf8_lossy(&line).trim_end()));
                }
            }
        }
    }

    pub(super) fn log_text(&self) -> String {
        let lines: Vec<String> = lock(&self.log).iter().cloned().collect();
        lines.join("\n")
    }
}

/// The start of a line that could not be understood.
fn excerpt(line: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(line).chars().take(120).collect();
    format!("\"{}\"", visible(&text))
}

/// Waits for a thread. One that reads from a pipe may never end: a process that the worker itself
/// started can hold the other end open after the worker is gone.
pub(super) fn finishes(thread: &JoinHandle<()>, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    while !thread.is_finished() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}
