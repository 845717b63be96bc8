//! What can go wrong between the program and its worker.

use std::time::Duration;

use stepladder_protocol::{BUILD, ErrorReport, JobId, MAX_LINE_BYTES, PROTOCOL};

/// The worker cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The process did not start.
    #[error("the worker cannot be started: {0}")]
    Start(std::io::Error),
    /// The process ended, or said something else, where its first line should have been.
    #[error("the worker did not introduce itself: {problem}")]
    NoHello {
        /// What came instead.
        problem: String,
        /// The last lines of its log.
        log: String,
    },
    /// Nothing was heard.
    #[error("the worker said nothing within {} seconds", .0.as_secs())]
    Silent(Duration),
    /// It speaks another protocol.
    #[error(
        "the worker is version {version} and speaks protocol {protocol}, this program {PROTOCOL}"
    )]
    Version {
        /// Its version.
        version: String,
        /// Its protocol.
        protocol: u32,
    },
    /// It was built from other sources.
    #[error("{program} is of another build ({version}, {build}) than this program ({BUILD})")]
    Build {
        /// Its file.
        program: String,
        /// Its version.
        version: String,
        /// Its build.
        build: String,
    },
    /// It said why it cannot serve, and ended.
    #[error("{message}")]
    Said {
        /// What it said.
        message: String,
        /// What it said is to be done.
        hint: String,
    },
    /// The device that was asked for cannot be had.
    #[error("{message}")]
    Unavailable {
        /// Which, and why.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A command did not reach it.
    #[error("the worker takes no more commands: {0}")]
    Send(std::io::Error),
    /// A command is too long for the protocol.
    #[error("a command of {0} bytes is longer than the {MAX_LINE_BYTES} the protocol allows")]
    CommandTooLong(usize),
    /// A command cannot be written as JSON.
    #[error("a command cannot be written: {0}")]
    Encode(serde_json::Error),
    /// A job's name is taken.
    #[error("a job named {0} has not ended yet")]
    JobExists(JobId),
}

impl LinkError {
    /// The error as the engine would report its own.
    pub fn report(&self) -> ErrorReport {
        let (code, hint, details) = match self {
            Self::Start(_) => (
                "worker_start",
                "check that the program may start itself, and try again",
                None,
            ),
            Self::NoHello { log, .. } => (
                "worker_start",
                REINSTALL,
                Some(log.clone()).filter(|log| !log.is_empty()),
            ),
            Self::Silent(_) => (
                "worker_start",
                "the machine may be very busy: try again",
                None,
            ),
            Self::Version { .. } | Self::Build { .. } => ("worker_version", REINSTALL, None),
            Self::Said { hint, .. } => ("worker_start", hint.as_str(), None),
            Self::Unavailable { hint, .. } => ("device_unavailable", hint.as_str(), None),
            Self::Send(_) => (
                "worker_died",
                "try again; a run goes on with --resume",
                None,
            ),
            Self::CommandTooLong(_) => ("command_too_long", "shorten what you send", None),
            Self::Encode(_) => ("command_invalid", "use paths that are valid Unicode", None),
            Self::JobExists(_) => ("job_exists", "please report this", None),
        };
        ErrorReport {
            details,
            ..ErrorReport::new(code, self.to_string(), hint)
        }
    }
}

const REINSTALL: &str = "install Stepladder again: its files are of different versions, or damaged";
