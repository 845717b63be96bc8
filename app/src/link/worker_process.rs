//! The engine in a process of its own: the same executable started as `stepladder worker`, or
//! `stepladder-cuda` beside it, JSON lines on its standard input and output.
//!
//! A crash or an out-of-memory kill takes the worker and never the program; the link then tells the
//! missing end of each open job itself, so that every job ends exactly once whatever happens. The
//! worker stands in a process group of its own: Ctrl-C in a terminal reaches it only as a command.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use stepladder_protocol::{BUILD, Command, Event, EventLine, JobId, MAX_LINE_BYTES, PROTOCOL};

use super::LinkError;
use super::from_worker::{LAST_LINES_WITHIN, Shared, finishes, lock};
use crate::text::visible;

/// Starting may have to wait for a virus scanner to read the executable.
const HELLO_WITHIN: Duration = Duration::from_secs(60);
/// A run stops at its next micro-batch and saves a checkpoint; then the worker ends.
const STOP_WITHIN: Duration = Duration::from_secs(120);
const EVENTS_AHEAD: usize = 256;

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Threads to compute with; `None` takes every core.
    pub threads: Option<usize>,
    /// Environment variables that it gets besides ours.
    pub variables: Vec<(OsString, OsString)>,
}

impl WorkerOptions {
    /// A `stepladder` executable.
    pub fn of_program(program: PathBuf, threads: Option<usize>) -> Self {
        Self {
            program,
            arguments: vec!["worker".into()],
            threads,
            variables: Vec::new(),
        }
    }

    /// The same with another environment variable.
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
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
        for (name, value) in &options.variables {
            process.env(name, value);
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
        let program = { options.program.file_name() }
            .map_or_else(String::new, |name| visible(&name.to_string_lossy()));
        if let Err(error) = worker.expect_hello(program) {
            worker.commands.kill();
            return Err(error);
        }
        Ok(worker)
    }

    fn expect_hello(&self, program: String) -> Result<(), LinkError> {
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
                return Err(said(&log).unwrap_or(LinkError::NoHello { problem, log }));
            }
        };
        if hello.protocol != PROTOCOL {
            return Err(LinkError::Version {
                version: visible(&hello.version),
                protocol: hello.protocol,
            });
        }
        if hello.build != BUILD {
            return Err(LinkError::Build {
                program,
                version: visible(&hello.version),
                build: visible(&hello.build),
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

impl Commands {
    /// Sends a command.
    pub fn send(&self, command: &Command) -> Result<(), LinkError> {
        let mut line = serde_json::to_vec(command).map_err(LinkError::Encode)?;
        line.push(b'\n');
        if line.len() > MAX_LINE_BYTES {
            return Err(LinkError::CommandTooLong(line.len()));
        }
        let job = job_started_by(command);
        if let Some(job) = job
            && !lock(&self.0.open_jobs).insert(job.clone())
        {
            return Err(LinkError::JobExists(job.clone()));
        }
        let Err(error) = self.write(&line) else {
            return Ok(());
        };
        match job {
            // The worker has died, and the end of this job is told with those of the others.
            Some(job) if !lock(&self.0.open_jobs).remove(job) => Ok(()),
            _ => Err(LinkError::Send(error)),
        }
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

/// What a worker that ended at once gave as its reason, as every program of ours does.
fn said(log: &str) -> Option<LinkError> {
    let line = |name: &str| log.lines().find_map(|line| line.strip_prefix(name));
    Some(LinkError::Said {
        message: line("error: ")?.to_owned(),
        hint: line("hint: ").unwrap_or_default().to_owned(),
    })
}

/// The job that a command starts; none if it is about one.
pub fn job_started_by(command: &Command) -> Option<&JobId> {
    match command {
        Command::Train(train) => Some(&train.job),
        Command::Chat(chat) => Some(&chat.job),
        Command::Inspect(inspect) => Some(&inspect.job),
        Command::Estimate(estimate) => Some(&estimate.job),
        Command::Check(check) => Some(&check.job),
        Command::Compare(compare) => Some(&compare.job),
        Command::Export(export) => Some(&export.job),
        Command::Devices(asked) => Some(&asked.job),
        Command::Models(asked) => Some(&asked.job),
        Command::ChatTurn(_)
        | Command::ChatInterrupt(_)
        | Command::ChatEnd(_)
        | Command::Stop(_)
        | Command::Keep(_)
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
    // A window has no console, and its workers open none.
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    process.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
}

#[cfg(not(any(unix, windows)))]
fn own_group(_process: &mut Process) {}
