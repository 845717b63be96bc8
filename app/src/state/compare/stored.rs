//! Comparisons as they lie on disk: what the disk's thread is asked, and what it answers.

use std::path::PathBuf;

use stepladder_protocol::{CompareCommand, ComparedAnswer, ComparisonDocument};

/// A file that what was found can be saved as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SavedAs {
    /// A table of all answers.
    Csv,
    /// Everything, for programs.
    Json,
    /// A page that needs nothing else.
    Html,
    /// A picture of the charts.
    Png,
}

impl SavedAs {
    /// Every one, in the order of the buttons.
    pub const ALL: [Self; 4] = [Self::Csv, Self::Json, Self::Html, Self::Png];

    /// The file of the comparison's folder that is copied; none: it is drawn.
    pub fn file(self) -> Option<&'static str> {
        match self {
            Self::Csv => Some("answers.csv"),
            Self::Json => Some("report.json"),
            Self::Html => Some("report.html"),
            Self::Png => None,
        }
    }

    /// The ending of its name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Html => "html",
            Self::Png => "png",
        }
    }
}

/// What is asked of the disk.
#[derive(Clone, Debug, PartialEq)]
pub enum CompareRequest {
    /// List the comparisons of a folder.
    List {
        /// The folder.
        folder: PathBuf,
        /// The one that a worker of this window writes to: its lock is left alone.
        ours: Option<PathBuf>,
    },
    /// Read one.
    Read(PathBuf),
    /// Write down in a comparison's folder what was asked, so that it can go on.
    Remember {
        /// Its folder.
        folder: PathBuf,
        /// What was asked.
        asked: Box<CompareCommand>,
    },
    /// Copy one of its files.
    Copy {
        /// The file.
        from: PathBuf,
        /// Where to.
        to: PathBuf,
    },
    /// Move one to the system's bin.
    Delete {
        /// The comparison.
        comparison: PathBuf,
        /// The folder that it must lie in.
        folder: PathBuf,
    },
}

/// What the disk answered.
#[derive(Clone, Debug, PartialEq)]
pub enum CompareAnswer {
    /// What there is.
    List(Box<CompareList>),
    /// One was read, or a sentence says why not.
    Read {
        /// Its folder.
        folder: PathBuf,
        /// What lies there.
        found: Result<Box<Opened>, String>,
    },
    /// What was asked is written down, or a sentence says why not.
    Remembered(Result<(), String>),
    /// A file was saved here, or a sentence says why not.
    Saved(Result<PathBuf, String>),
    /// One lies in the bin, or a sentence says why not.
    Deleted {
        /// The comparison.
        comparison: PathBuf,
        /// How it went.
        result: Result<(), String>,
    },
}

/// The comparisons of a folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CompareList {
    /// The folder.
    pub folder: PathBuf,
    /// The latest first.
    pub entries: Vec<Entry>,
    /// Comparisons beyond those that are listed.
    pub left_out: usize,
    /// Why the folder cannot be read.
    pub problem: Option<String>,
}

/// A comparison in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its folder.
    pub folder: PathBuf,
    /// When it was last written to, in seconds since 1970.
    pub changed_at: f64,
    /// Who answers, the base included; none where that is not known yet.
    pub variants: Vec<String>,
    /// How it stands.
    pub state: EntryState,
}

/// How a comparison on disk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryState {
    /// Its report is there.
    Finished,
    /// It was stopped.
    Stopped,
    /// Another program is at it.
    Elsewhere,
}

/// What was read of a comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opened {
    /// What was asked; none where nobody wrote it down.
    pub asked: Option<Box<CompareCommand>>,
    /// The report and every answer, once it is done.
    pub document: Option<Box<ComparisonDocument>>,
    /// Who answers, where it is not done.
    pub variants: Vec<String>,
    /// The answers so far, where it is not done: question, variant, answer.
    pub answers: Vec<(usize, String, ComparedAnswer)>,
}
