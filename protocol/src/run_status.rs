//! How a run stands: `status.json` of its folder, which the engine writes and everyone may read.

use serde::{Deserialize, Serialize};

/// How a run stands, or how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStatus {
    /// The state that was last written.
    pub state: RunState,
    /// Updates made, as of the last checkpoint.
    pub step: usize,
    /// Updates in the whole run; 0 if that is not known yet.
    pub total_steps: usize,
    /// Seconds since 1970 at which the run was begun.
    pub began_at_unix_secs: u64,
    /// Seconds since 1970 at which this was written.
    pub written_at_unix_secs: u64,
    /// Lowest loss on the held-out examples so far.
    pub best_evaluation_loss: Option<f64>,
    /// Why it ended before its last step although nothing failed: a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<RunFailure>,
}

/// The state of a run. A run that is `running` while no process holds its folder's lock was
/// interrupted by a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A worker is at it.
    Running,
    /// It was stopped on request and can go on.
    Paused,
    /// Its client went away, and it saved what it had; it can go on.
    Interrupted,
    /// Every step was made, or enough of them, or it was told to keep what it had.
    Finished,
    /// It could not go on.
    Failed,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFailure {
    /// Stable name of the kind of error.
    pub code: String,
    /// What was found and where.
    pub message: String,
    /// What the user can do about it.
    pub hint: String,
}
