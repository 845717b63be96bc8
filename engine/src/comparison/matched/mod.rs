//! Methods that are trained alike before they are compared: the runs are made in the comparison's folder,
//! one after the other, and what an earlier call finished is kept. [`configs`] says how each is trained,
//! [`summary`] what the methods did over all seeds.

pub mod configs;
pub mod summary;

use std::path::{Path, PathBuf};

use stepladder_protocol::{
    MatchedRun, MatchedRunBegun, MatchedRuns, MethodPeak, RunConfig, RunMemory, RunState,
    RunStatus, Switch, TrainMatched,
};

use self::configs::{Planned, Plans};
use super::answer_file::refuse_foreign;
use super::extraction::AnswerRules;
use super::questions;
use crate::models::model::ModelFiles;
use crate::training::progress::Progress;
use crate::training::run_folder::{CONFIG, MEMORY, read_document};
use crate::training::run_rows::config_of_run;
use crate::training::status_file::STATUS;
use crate::training::stop_flag::StopFlag;
use crate::training::{self, RunTarget};
use crate::{Error, Result};

/// Questions of a quick comparison, where nothing else is asked for.
pub const QUICK_QUESTIONS: usize = 100;
/// Folders of the runs, and of the steps that are made for their memory, in that of the comparison.
const RUNS: &str = "runs";
const MEMORY_RUNS: &str = "memory";
/// What to do about a file of a run that is damaged.
const UNREADABLE: &str = "delete that run's folder; it is made anew";

/// What is to be trained, and where.
#[derive(Clone, Debug)]
pub struct MatchedWishes {
    /// `builtin`, a model folder or a GGUF file.
    pub model: String,
    /// What is trained.
    pub train: TrainMatched,
    /// The device that is trained on.
    pub device: String,
    /// The folder of the comparison.
    pub out: PathBuf,
    /// The questions that follow, looked at beforehand: what is wrong with them is said before training.
    pub questions: Option<String>,
    /// What finds final answers, for the same reason.
    pub answer_pattern: Option<String>,
}

/// Hears of the runs, then of each as of any run.
pub trait Listener: Progress {
    /// These runs will be made.
    fn runs(&mut self, runs: &MatchedRuns);
    /// The next of them begins.
    fn begins(&mut self, run: MatchedRunBegun);
}

/// Runs that were trained alike.
#[derive(Clone, Debug)]
pub struct MatchedSet {
    /// What they were trained on.
    pub data: Vec<String>,
    /// Steps of each.
    pub steps: usize,
    /// Whether their adapters have as many parameters as each other.
    pub parameters_match: bool,
    /// The runs in the order in which they were made.
    pub runs: Vec<FinishedRun>,
    /// The other way to keep activations, in the order of [`configs::METHODS`].
    pub switched_peaks: Vec<MethodPeak>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct FinishedRun {
    /// How it was trained.
    pub run: MatchedRun,
    /// Its folder.
    pub path: PathBuf,
    /// Lowest loss on held-out examples.
    pub best_evaluation_loss: Option<f64>,
    /// What its training took.
    pub peak: MethodPeak,
}

/// How it ended where nothing failed.
#[derive(Clone, Debug)]
pub enum Trained {
    /// All runs are finished.
    All(Box<MatchedSet>),
    /// It was stopped; the same call goes on.
    Stopped {
        /// Runs that are finished.
        runs: usize,
    },
}

/// Trains the runs, or goes on with those that the folder holds.
///
/// # Errors
/// When model, data or questions cannot be used, the folder holds something else, or training fails.
pub fn train(
    wishes: &MatchedWishes,
    stop: &StopFlag,
    listener: &mut dyn Listener,
) -> Result<Trained> {
    AnswerRules::new(wishes.answer_pattern.as_deref())?;
    if let Some(file) = &wishes.questions {
        questions::from_files(file)?;
    }
    refuse_foreign(&wishes.out)?;
    let Plans {
        runs,
        memory_runs,
        parameters_match,
    } = {
        // Its weights are not held while runs load theirs.
        let files = ModelFiles::open(&wishes.model)?;
        files.template()?;
        configs::plan(wishes, &files.config)?
    };
    let folder = |kind: &str, name: &str| wishes.out.join(kind).join(name);
    for planned in &runs {
        refuse_other_settings(&folder(RUNS, &planned.run.name), &planned.config)?;
    }
    listener.runs(&MatchedRuns {
        runs: runs.iter().map(|planned| planned.run.clone()).collect(),
        steps: runs.first().and_then(|planned| planned.config.steps),
        parameters_match,
    });
    let mut finished = Vec::new();
    for (place, planned) in runs.into_iter().enumerate() {
        let path = folder(RUNS, &planned.run.name);
        listener.begins(MatchedRunBegun {
            run: place,
            was_finished: is_finished(&path)?,
        });
        if !make(&path, &planned.config, listener, stop)? {
            return Ok(Trained::Stopped {
                runs: finished.len(),
            });
        }
        finished.push(FinishedRun::read(path, planned)?);
    }
    let mut switched_peaks = Vec::new();
    for (name, config, recompute) in memory_runs {
        let path = folder(MEMORY_RUNS, &name);
        if !make(&path, &config, listener, stop)? {
            return Ok(Trained::Stopped {
                runs: finished.len(),
            });
        }
        switched_peaks.push(peak(&path, recompute)?);
    }
    Ok(Trained::All(Box::new(MatchedSet {
        data: wishes.train.data.clone(),
        steps: { finished.first() }.map_or(Ok(0), |run| status(&run.path).map(|s| s.step))?,
        parameters_match,
        runs: finished,
        switched_peaks,
    })))
}

/// Makes a run, goes on with it, or leaves it as it is; whether it is finished then.
fn make(
    path: &Path,
    config: &RunConfig,
    progress: &mut dyn Progress,
    stop: &StopFlag,
) -> Result<bool> {
    if is_finished(path)? {
        return Ok(true);
    }
    if stop.is_raised() {
        return Ok(false);
    }
    let target = match path.join(CONFIG).is_file() {
        true => RunTarget::Resume(path.to_path_buf()),
        false => RunTarget::Fresh(path.to_path_buf()),
    };
    Ok(training::start(config, target, progress, stop)?.finished)
}

fn is_finished(path: &Path) -> Result<bool> {
    match path.join(STATUS).is_file() {
        true => Ok(status(path)?.state == RunState::Finished),
        false => Ok(false),
    }
}

fn status(path: &Path) -> Result<RunStatus> {
    read_document(&path.join(STATUS), UNREADABLE)
}

fn peak(path: &Path, recompute: Switch) -> Result<MethodPeak> {
    let memory: RunMemory = read_document(&path.join(MEMORY), UNREADABLE)?;
    Ok(MethodPeak {
        recompute,
        measured_bytes: memory.measured_peak_bytes,
        estimated_bytes: memory.estimated_peak_bytes,
    })
}

impl FinishedRun {
    fn read(path: PathBuf, planned: Planned) -> Result<Self> {
        Ok(Self {
            best_evaluation_loss: status(&path)?.best_evaluation_loss,
            peak: peak(&path, planned.recompute)?,
            run: planned.run,
            path,
        })
    }
}

/// A run that lies there must be the one that is wished for; what its data was is its own.
fn refuse_other_settings(path: &Path, wanted: &RunConfig) -> Result<()> {
    let Some(stored) = config_of_run(path)? else {
        return Ok(());
    };
    let stored = RunConfig {
        data_fingerprints: wanted.data_fingerprints.clone(),
        ..stored
    };
    match stored == *wanted {
        true => Ok(()),
        false => Err(Error::ConfigInvalid {
            field: "out",
            problem: format!("{} holds a run by other settings", path.display()),
            hint: "ask as before to go on, or name another folder with --out".to_owned(),
        }),
    }
}
