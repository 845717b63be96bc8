//! How a verb ends, and what its exit code is.

use std::io;

use stepladder_protocol::ErrorReport;

use crate::link::LinkError;

/// Something could not be done.
pub const FAILED: u8 = 1;
/// What was asked makes no sense.
pub const USAGE: u8 = 2;
/// The user interrupted; a run has saved a checkpoint.
pub const INTERRUPTED: u8 = 130;

/// An end that is not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was done.
    Done,
    /// The user interrupted.
    Interrupted,
}

/// An error, ready to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: u8,
    /// What is told; `None` if it was to standard output that nobody reads any more.
    pub report: Option<ErrorReport>,
}

impl Failure {
    /// Wrong usage.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            exit: USAGE,
            report: Some(ErrorReport::new("usage", message, hint)),
        }
    }
}

impl From<ErrorReport> for Failure {
    fn from(report: ErrorReport) -> Self {
        // A config that cannot be is wrong usage, whoever notices it.
        let exit = if report.code == "config_invalid" {
            USAGE
        } else {
            FAILED
        };
        Self {
            exit,
            report: Some(report),
        }
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        Self::from(error.report())
    }
}

/// Writing to standard output failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self {
                exit: FAILED,
                report: None,
            };
        }
        Self::from(ErrorReport::new(
            "output",
            format!("standard output cannot be written: {error}"),
            "check where it is redirected to, and that the disk is not full",
        ))
    }
}

/// A result written as JSON could not be written.
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::from(io::Error::from(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_kind_of_error() {
        let code = |code: &str| Failure::from(ErrorReport::new(code, "", "")).exit;
        assert_eq!(code("config_invalid"), USAGE);
        assert_eq!(code("diverged"), FAILED);
        assert_eq!(Failure::usage("", "").exit, USAGE);
        let gone = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(
            gone,
            Failure {
                exit: FAILED,
                report: None
            }
        );
    }
}
