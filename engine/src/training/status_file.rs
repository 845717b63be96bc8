//! `status.json` of a run folder: how the run stands, for whoever looks at the folder from outside.
//! It is replaced whole, so a reader never sees half of one.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use stepladder_protocol::{RunFailure, RunState, RunStatus};

use super::stop_flag::{Request, StopFlag};
use super::trainer::RunOutcome;
use crate::files::{read_at_most, write_json_atomically};
use crate::{Error, Result};

/// Its name.
pub const STATUS: &str = "status.json";

/// More than any status takes; what is longer is none.
const MAX_BYTES: u64 = 1 << 20;

/// The status of one run, and where it is kept.
pub struct StatusFile {
    path: PathBuf,
    status: RunStatus,
}

impl StatusFile {
    /// Of the run in `folder`, which was begun at `began_at` unless its status says otherwise.
    pub fn of(folder: &Path, began_at: SystemTime) -> Self {
        let path = folder.join(STATUS);
        let earlier = read_at_most(&path, MAX_BYTES)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<RunStatus>(&bytes).ok());
        let status = earlier.unwrap_or(RunStatus {
            state: RunState::Running,
            step: 0,
            total_steps: 0,
            began_at_unix_secs: unix_secs(began_at),
            written_at_unix_secs: 0,
            best_evaluation_loss: None,
            ended_early: None,
            failure: None,
        });
        Self { path, status }
    }

    /// Writes that a worker is at it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn running(&mut self) -> Result<()> {
        self.write(RunState::Running, None, None)
    }

    /// The same with what a checkpoint has just saved.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn reached(&mut self, step: usize, total: usize, best: Option<f64>) -> Result<()> {
        self.status.step = step;
        self.status.total_steps = total;
        self.status.best_evaluation_loss = best;
        self.running()
    }

    /// Writes how it ended.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn ended(&mut self, outcome: &Result<RunOutcome>, stop: &StopFlag) -> Result<()> {
        let left = match stop.asked() {
            Some(Request::ClientGone) => RunState::Interrupted,
            _ => RunState::Paused,
        };
        match outcome {
            Ok(outcome) if outcome.finished => {
                self.write(RunState::Finished, outcome.ended_early.clone(), None)
            }
            Ok(_) | Err(Error::Stopped) => self.write(left, None, None),
            Err(error) => self.failed(RunFailure {
                code: error.code().to_owned(),
                message: error.to_string(),
                hint: error.hint(),
            }),
        }
    }

    /// Writes that it failed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn failed(&mut self, failure: RunFailure) -> Result<()> {
        self.write(RunState::Failed, None, Some(failure))
    }

    /// The step and the lowest loss that a checkpoint has.
    pub fn saved(&self) -> (usize, Option<f64>) {
        (self.status.step, self.status.best_evaluation_loss)
    }

    /// Whether its end is still to be written.
    pub fn is_running(&self) -> bool {
        self.status.state == RunState::Running
    }

    fn write(
        &mut self,
        state: RunState,
        ended_early: Option<String>,
        failure: Option<RunFailure>,
    ) -> Result<()> {
        self.status = RunStatus {
            state,
            ended_early,
            failure,
            written_at_unix_secs: unix_secs(SystemTime::now()),
            ..self.status.clone()
        };
        write_json_atomically(&self.path, &self.status)
    }
}

fn unix_secs(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn stored(folder: &Path) -> RunStatus {
        serde_json::from_slice(&std::fs::read(folder.join(STATUS)).unwrap()).unwrap()
    }

    fn outcome(finished: bool) -> Result<RunOutcome> {
        Ok(RunOutcome {
            run: PathBuf::new(),
            finished,
            ended_early: finished.then(|| "enough".to_owned()),
            step: 5,
            best_evaluation_loss: None,
            estimated_peak_bytes: 0,
            measured_peak_bytes: 0,
        })
    }

    #[test]
    fn every_end_has_its_state_and_the_beginning_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let began = UNIX_EPOCH + Duration::from_secs(1000);
        let mut file = StatusFile::of(folder, began);
        file.running().unwrap();
        assert_eq!(stored(folder).state, RunState::Running);
        file.reached(5, 9, Some(1.5)).unwrap();

        let asked = |request: Option<Request>| {
            let stop = StopFlag::default();
            request.into_iter().for_each(|request| stop.ask(request));
            stop
        };
        let failure = || {
            Err(Error::Diverged {
                step: 3,
                what: "the loss is NaN".to_owned(),
            })
        };
        let ends = [
            (outcome(true), None, RunState::Finished),
            (outcome(true), Some(Request::Keep), RunState::Finished),
            (outcome(false), Some(Request::Pause), RunState::Paused),
            // It had made no step that it could keep.
            (outcome(false), Some(Request::Keep), RunState::Paused),
            (
                outcome(false),
                Some(Request::ClientGone),
                RunState::Interrupted,
            ),
            (
                Err(Error::Stopped),
                Some(Request::ClientGone),
                RunState::Interrupted,
            ),
            (failure(), Some(Request::Pause), RunState::Failed),
        ];
        for (outcome, request, state) in ends {
            let mut file = StatusFile::of(folder, SystemTime::now());
            file.running().unwrap();
            file.ended(&outcome, &asked(request)).unwrap();
            let status = stored(folder);
            assert_eq!(status.state, state, "{outcome:?} {request:?}");
            assert_eq!((status.step, status.total_steps), (5, 9));
            assert_eq!(status.best_evaluation_loss, Some(1.5));
            assert_eq!(status.began_at_unix_secs, 1000);
            assert!(status.written_at_unix_secs > 1000);
            assert_eq!(
                status.ended_early.is_some(),
                state == RunState::Finished,
                "{status:?}"
            );
            let code = status.failure.map(|failure| failure.code);
            assert_eq!(
                code.as_deref(),
                outcome
                    .err()
                    .and_then(|error| { (error.code() == "diverged").then_some("diverged") })
            );
        }
    }

    #[test]
    fn a_status_that_cannot_be_read_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(STATUS);
        std::fs::write(&file, "[".repeat(100_000)).unwrap();
        let began = UNIX_EPOCH + Duration::from_secs(7);
        StatusFile::of(folder.path(), began).running().unwrap();
        assert_eq!(stored(folder.path()).began_at_unix_secs, 7);
    }
}
