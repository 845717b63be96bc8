//! The engine in a process of its own: the same executable started as `stepladder worker`, JSON
//! lines on its standard input and output.
//!
//! A crash or an out-of-memory kill takes the worker and never the program; the link then tells the
//! missing end of each open job itself, so that every job ends exactly once whatever happens. The
//! worker stands in a process group of its own: Ctrl-C in a terminal reaches it only as a command.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stepladder_engine::worker::lines::{LineRead, read_line};
use stepladder_protocol::{
    Command, ErrorReport, Event, EventLine, JobId, MAX_LINE_BYTES, PROTOCOL,
};

use super::LinkError;
use crate::text::visible;

/// Starting may have to wait for a virus scanner to read the executable.
const HELLO_WITHIN: Duration = Duration::from_secs(60);
/// A worker that closed its output is given this long to be gone.
const EXIT_WITHIN: Duration = Duration::from_secs(10);
/// A run stops at its next micro-batch and saves a checkpoint; then the worker ends.
const STOP_WITHIN: Duration = Duration::from_secs(120);
/// What a worker wrote before its end is read within this time.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(1);
const EVENTS_AHEAD: usize = 256;
const LOG_LINES: usize = 30;
const LOG_LINE_BYTES: u64 = 2000;

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Threads to compute with; `None` takes every core.
    pub threads: Option<usize>,
}

impl WorkerOptions {
    /// This program as its own worker.
    pub fn this_program(threads: Option<usize>) -> Result<Self, LinkError> {
        let program = std::env::current_exe().map_err(LinkError::Start)?;
        Ok(Self {
            program,
            arguments: vec!["worker".into()],
            threads,
        })
    }
}

/// A running worker.
#[derive(Debug)]
pub struct WorkerProcess {
    commands: Commands,
    /// `None` once nobody listens any more.
    events: Option<Receiver<EventLine>>,
    reader: Option<JoinHandle<()>>,
}

/// Sends commands to a worker; cloned for whoever needs to, such as a Ctrl-C handler.
#[derive(Clone, Debug)]
pub struct Commands(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    input: Mutex<Option<ChildStdin>>,
    child: Mutex<Child>,
    killed: AtomicBool,
    open_jobs: Mutex<BTreeSet<JobId>>,
    log: Mutex<VecDeque<String>>,
    /// Why no more events come, for jobs that did not end before.
    ending: Mutex<Option<ErrorReport>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that holds one of these locks can leave a half-made change behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WorkerProcess {
    /// Starts a worker and checks that it speaks our protocol.
    pub fn start(options: &WorkerOptions) -> Result<Self, LinkError> {
        let mut process = Process::new(&options.program);
        process
            .args(&options.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(threads) = options.threads {
            // Candle, gemm and rayon all settle their threads by this when they first compute.
            process.env("RAYON_NUM_THREADS", threads.to_string());
        }
        own_group(&mut process);
        let mut child = process.spawn().map_err(LinkError::Start)?;
        let (input, output, log) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(output), Some(log)) = (output, log) else {
            return Err(LinkError::Start(std::io::ErrorKind::BrokenPipe.into()));
        };
        let shared = Arc::new(Shared {
            input: Mutex::new(input),
            child: Mutex::new(child),
            killed: AtomicBool::new(false),
            open_jobs: Mutex::default(),
            log: Mutex::default(),
            ending: Mutex::default(),
        });
        let (sender, events) = sync_channel(EVENTS_AHEAD);
        let log_reader = {
            let shared = Arc::clone(&shared);
            spawn("worker log", move || shared.read_log(log))?
        };
        let reader = {
            let shared = Arc::clone(&shared);
            spawn("worker events", move || {
                shared.read_events(output, &sender, log_reader)
            })?
        };
        let worker = Self {
            commands: Commands(shared),
            events: Some(events),
            reader: Some(reader),
        };
        if let Err(error) = worker.expect_hello() {
            worker.commands.kill();
            return Err(error);
        }
        Ok(worker)
    }

    fn expect_hello(&self) -> Result<(), LinkError> {
        let first = match &self.events {
            Some(events) => events.recv_timeout(HELLO_WITHIN),
            None => Err(RecvTimeoutError::Disconnected),
        };
        let hello = match first {
            Ok(EventLine {
                event: Event::Hello(hello),
                ..
            }) => hello,
            Ok(_) => {
                let problem = "its first line is no hello".to_owned();
                return Err(LinkError::NoHello {
                    problem,
                    log: self.commands.0.log_text(),
                });
            }
            Err(RecvTimeoutError::Timeout) => return Err(LinkError::Silent(HELLO_WITHIN)),
            Err(RecvTimeoutError::Disconnected) => {
                let ending = lock(&self.commands.0.ending).take();
                let (problem, log) = ending.map_or_else(Default::default, |report| {
                    (report.message, report.details.unwrap_or_default())
                });
                return Err(LinkError::NoHello { problem, log });
            }
        };
        if hello.protocol != PROTOCOL {
            return Err(LinkError::Version {
                version: visible(&hello.version),
                protocol: hello.protocol,
            });
        }
        Ok(())
    }

    /// The way to send commands.
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Waits for the next event; `None` once the worker is gone and everything is told.
    pub fn next_event(&self) -> Option<EventLine> {
        self.events.as_ref()?.recv().ok()
    }
}

impl Drop for WorkerProcess {
    /// Lets the worker stop its jobs and end, and waits for it: what the user is told next should
    /// be true of the disk and the device.
    fn drop(&mut self) {
        self.commands.close();
        // The events that still come are read and dropped, so that the worker never waits for us.
        self.events = None;
        let killed = self.commands.0.killed.load(Ordering::Acquire);
        let within = if killed {
            LAST_LINES_WITHIN
        } else {
            STOP_WITHIN
        };
        if let Some(reader) = self.reader.take()
            && !finishes(&reader, within)
        {
            self.commands.kill();
            finishes(&reader, LAST_LINES_WITHIN);
        }
    }
}

/// Waits for a thread. One that reads from a pipe may never end: a process that the worker itself
/// started can hold the other end open after the worker is gone.
fn finishes(thread: &JoinHandle<()>, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    while !thread.is_finished() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

impl Commands {
    /// Sends a command.
    pub fn send(&self, command: &Command) -> Result<(), LinkError> {
        let mut line = serde_json::to_vec(command).map_err(LinkError::Encode)?;
        line.push(b'\n');
        if line.len() > MAX_LINE_BYTES {
            return Err(LinkError::CommandTooLong(line.len()));
        }
        let job = starts_job(command);
        if let Some(job) = job
            && !lock(&self.0.open_jobs).insert(job.clone())
        {
            return Err(LinkError::JobExists(job.clone()));
        }
        self.write(&line).map_err(|error| {
            if let Some(job) = job {
                lock(&self.0.open_jobs).remove(job);
            }
            LinkError::Send(error)
        })
    }

    fn write(&self, line: &[u8]) -> std::io::Result<()> {
        let mut input = lock(&self.0.input);
        let pipe = input.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        pipe.write_all(line)?;
        pipe.flush()
    }

    /// Ends the worker's input: it stops its jobs at the next safe point and exits.
    pub fn close(&self) {
        *lock(&self.0.input) = None;
    }

    /// Ends the worker at once. What is on disk stays whole; what was not saved is lost.
    pub fn kill(&self) {
        self.0.killed.store(true, Ordering::Release);
        let _ = lock(&self.0.child).kill();
    }
}

fn starts_job(command: &Command) -> Option<&JobId> {
    match command {
        Command::Train(train) => Some(&train.job),
        Command::Chat(chat) => Some(&chat.job),
        Command::Inspect(inspect) => Some(&inspect.job),
        Command::Devices(asked) => Some(&asked.job),
        Command::ChatTurn(_)
        | Command::ChatInterrupt(_)
        | Command::ChatEnd(_)
        | Command::Stop(_)
        | Command::Shutdown => None,
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, LinkError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(LinkError::Start)
}

#[cfg(unix)]
fn own_group(process: &mut Process) {
    use std::os::unix::process::CommandExt;
    process.process_group(0);
}

#[cfg(windows)]
fn own_group(process: &mut Process) {
    use std::os::windows::process::CommandExt;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
    process.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

#[cfg(not(any(unix, windows)))]
fn own_group(_process: &mut Process) {}

impl Shared {
    /// Reads events until there are no more, then tells the ends that are missing.
    fn read_events(
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
    fn read_log(&self, log: impl Read) {
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

    fn log_text(&self) -> String {
        let lines: Vec<String> = lock(&self.log).iter().cloned().collect();
        lines.join("\n")
    }
}

/// The start of a line that could not be understood.
fn excerpt(line: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(line).chars().take(120).collect();
    format!("\"{}\"", visible(&text))
}
