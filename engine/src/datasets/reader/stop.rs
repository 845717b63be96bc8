//! Why a reading ends before the source does. Deep inside, nothing knows the file's name or the line;
//! the reader adds them.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use crate::Error;
use crate::datasets::row::RowProblem;

/// The end of a reading; rows given before it stay usable.
#[derive(Debug)]
pub(super) enum Stop {
    /// The system could not read on.
    Io(io::Error),
    /// What was read makes no sense from here on.
    Problem(RowProblem),
}

impl Stop {
    pub(super) fn new(problem: impl Into<String>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self::Problem(RowProblem::new(problem, hint))
    }

    pub(super) fn into_error(self, path: &Path, line: usize) -> Error {
        match self {
            Self::Io(error) => Error::io("read", path)(error),
            Self::Problem(RowProblem { problem, hint }) => Error::DatasetRow {
                path: path.to_path_buf(),
                line,
                problem,
                hint: hint.into_owned(),
            },
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
