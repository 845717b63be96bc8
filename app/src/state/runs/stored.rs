//! Runs as they lie on disk: what the disk's thread reads of them.

use std::path::PathBuf;

use stepladder_protocol::{DatasetPreview, RunConfig, RunFailure, RunMemory, RunState};

use super::answers::AnswersRead;
use super::columns::Columns;
use crate::state::chat::stored::{ConversationAnswer, ConversationRequest};
use crate::state::compare::stored::{CompareAnswer, CompareRequest};
use crate::state::setup::dropped::Dropped;

/// What is asked of the disk.
#[derive(Clone, Debug, PartialEq)]
pub enum DiskRequest {
    /// Move a model that is ours to the system's bin.
    DeleteModel {
        /// The model's folder or file.
        model: PathBuf,
        /// The folder that it must lie in.
        folder: PathBuf,
    },
    /// Say what was dropped on the window.
    LookAt(Vec<PathBuf>),
    /// List the runs of a folder.
    ListRuns {
        /// The folder.
        folder: PathBuf,
        /// Runs that workers of this window write to: their locks are left alone.
        ours: Vec<PathBuf>,
    },
    /// Make a folder for each of these runs, which have not begun, as if they were paused.
    SetAside {
        /// The folder of runs.
        folder: PathBuf,
        /// What they are to do.
        configs: Vec<RunConfig>,
    },
    /// Read the figures of a run from a place in its file on.
    ReadFigures {
        /// The run.
        run: PathBuf,
        /// Bytes that were read before.
        from: u64,
    },
    /// Read what a run's model said to held-out prompts, from a place in its file on.
    ReadAnswers {
        /// The run.
        run: PathBuf,
        /// Bytes that were read before.
        from: u64,
    },
    /// Read the log and the dataset's account of a run.
    ReadDetails(PathBuf),
    /// Give a run's folder another name.
    RenameRun {
        /// The run.
        run: PathBuf,
        /// The new name.
        name: String,
    },
    /// Move a run to the system's bin.
    DeleteRun {
        /// The run.
        run: PathBuf,
        /// The folder that it must lie in.
        folder: PathBuf,
    },
    /// About conversations.
    Conversations(ConversationRequest),
    /// About comparisons.
    Comparisons(CompareRequest),
}

/// What the disk answered.
#[derive(Clone, Debug, PartialEq)]
pub enum DiskAnswer {
    /// It was done, or a sentence says why not.
    Done(Result<(), String>),
    /// A model lies in the bin, or a sentence says why not.
    ModelDeleted {
        /// The model.
        model: PathBuf,
        /// How it went.
        result: Result<(), String>,
    },
    /// What was dropped on the window.
    LookedAt(Vec<Dropped>),
    /// The runs of a folder.
    Runs(Box<Listing>),
    /// The figures of a run.
    Figures {
        /// The run.
        run: PathBuf,
        /// What was found, or why nothing can be read.
        found: Result<Box<FiguresRead>, String>,
    },
    /// What a run's model said to held-out prompts.
    Answers {
        /// The run.
        run: PathBuf,
        /// What was found, or why nothing can be read.
        found: Result<Box<AnswersRead>, String>,
    },
    /// The log and dataset of a run.
    Details {
        /// The run.
        run: PathBuf,
        /// What was found.
        found: Box<Details>,
    },
    /// A run has another name, or a sentence says why not.
    Renamed {
        /// The run as it was.
        run: PathBuf,
        /// The run as it is.
        result: Result<PathBuf, String>,
    },
    /// A run lies in the bin, or a sentence says why not.
    Deleted {
        /// The run.
        run: PathBuf,
        /// How it went.
        result: Result<(), String>,
    },
    /// About conversations.
    Conversations(ConversationAnswer),
    /// About comparisons.
    Comparisons(CompareAnswer),
}

/// The runs of a folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The folder.
    pub folder: PathBuf,
    /// Its runs, the latest first.
    pub runs: Vec<StoredRun>,
    /// Folders that look like runs and cannot be read: name and reason.
    pub unreadable: Vec<(String, String)>,
    /// Runs beyond those that are listed.
    pub left_out: usize,
    /// Why the folder itself cannot be read.
    pub problem: Option<String>,
}

/// A run on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    /// Its folder.
    pub folder: PathBuf,
    /// What it was asked to do.
    pub config: RunConfig,
    /// How it stands, or how it seems to, where no status was written.
    pub state: RunState,
    /// Whether another program is at it.
    pub in_use: bool,
    /// Updates made.
    pub step: usize,
    /// Updates in the whole run; 0 if that is not known.
    pub total_steps: usize,
    /// Seconds since 1970 at which it began, as far as that can be told.
    pub began_at: f64,
    /// Seconds since 1970 at which it last wrote.
    pub written_at: f64,
    /// Lowest loss on the held-out examples.
    pub best: Option<f64>,
    /// Seconds it was at work.
    pub elapsed: Option<f64>,
    /// Memory as planned and as measured.
    pub memory: Option<RunMemory>,
    /// Why it ended before its last step.
    pub ended_early: Option<String>,
    /// What went wrong.
    pub failure: Option<RunFailure>,
    /// Whether it can go on from somewhere.
    pub has_checkpoint: bool,
    /// Whether there is an adapter.
    pub has_adapter: bool,
    /// The course of its loss, 64 points at most.
    pub sparkline: Vec<f32>,
}

/// What was read of `metrics.jsonl`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FiguresRead {
    /// Where reading began.
    pub from: u64,
    /// Where the next reading begins.
    pub to: u64,
    /// The rows.
    pub columns: Columns,
    /// Lines that are no rows.
    pub damaged: usize,
}

/// What is read when a run is looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// Its log: seconds since 1970, and what happened.
    pub log: Vec<(f64, String)>,
    /// What became of its dataset's rows.
    pub dataset: Option<DatasetPreview>,
}
