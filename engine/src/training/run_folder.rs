//! A run on disk: `run.json` (re-runs it), `metrics.jsonl`, `checkpoints/`, `adapter/` (the best),
//! `log.txt`, `samples.jsonl` (answers to held-out prompts), `memory.json` (planned beside measured), `status.json` (how it stands). One process writes it at
//! a time, held by a file lock that the system frees with the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use stepladder_protocol::{
    DatasetPreview, MetricsRow, RunConfig, RunFailure, RunMemory, SampleRow,
};

use super::status_file::{STATUS, StatusFile};
use super::trainer::RunOutcome;
use crate::files::{TEMPORARY, remove_temporary_files, write_atomically, write_json_atomically};
use crate::{Error, Result};

/// What was asked for.
pub const CONFIG: &str = "run.json";
const METRICS: &str = "metrics.jsonl";
const SAMPLES: &str = "samples.jsonl";
const LOG: &str = "log.txt";
/// Its memory, planned and measured.
pub const MEMORY: &str = "memory.json";
const DATASET: &str = "dataset.json";
const LOCK: &str = ".lock";

/// A JSON document of a run folder; `hint` says what to do about one that cannot be read.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn read_document<T: DeserializeOwned>(path: &Path, hint: &str) -> Result<T> {
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&text).map_err(|error| Error::RunInvalid {
        path: path.to_path_buf(),
        problem: error.to_string(),
        hint: hint.to_owned(),
    })
}

/// A run folder, locked for writing.
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
    log: File,
    status: StatusFile,
    /// Held while the run is written.
    _lock: File,
}

impl RunFolder {
    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// When it holds a run already, is in use, or cannot be written.
    pub fn create(path: &Path, config: &RunConfig) -> Result<Self> {
        if path.join(CONFIG).exists() {
            return Err(Error::RunInvalid {
                path: path.to_path_buf(),
                problem: "there is a run in this folder already".to_owned(),
                hint: "choose another --out, or continue that run with --resume".to_owned(),
            });
        }
        std::fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let mut folder = Self::open_locked(path)?;
        folder.write_config(config)?;
        folder.status.running()?;
        Ok(folder)
    }

    /// Opens the folder of an earlier run to continue it.
    ///
    /// # Errors
    /// When it is not a run, or in use.
    pub fn open(path: &Path) -> Result<(Self, RunConfig)> {
        let config_path = path.join(CONFIG);
        if !config_path.is_file() {
            return Err(Error::RunInvalid {
                path: path.to_path_buf(),
                problem: format!("no {CONFIG} in here, so this is not a run"),
                hint: "give --resume the folder that `train` named at its start".to_owned(),
            });
        }
        let config = read_document(&config_path, "mend that field, or start a new run")?;
        let mut folder = Self::open_locked(path)?;
        folder.status.running()?;
        Ok((folder, config))
    }

    /// Deletes what [`Self::create`] made, and the folder if nothing else is in it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn withdraw(path: &Path) -> Result<()> {
        for name in [CONFIG, METRICS, SAMPLES, LOG, MEMORY, DATASET, STATUS, LOCK] {
            let file = path.join(name);
            if file.exists() {
                std::fs::remove_file(&file).map_err(Error::io("delete", &file))?;
            }
        }
        // What the user keeps there stays.
        let _ = std::fs::remove_dir(path);
        Ok(())
    }

    fn open_locked(path: &Path) -> Result<Self> {
        let lock_path = path.join(LOCK);
        let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::RunInUse {
                path: path.to_path_buf(),
            },
            TryLockError::Error(source) => Error::io("lock", &lock_path)(source),
        })?;
        // A process that was killed may have left files it had not finished.
        for folder in [path.to_path_buf(), path.join("adapter")] {
            remove_temporary_files(&folder)?;
        }
        let rehearsal = path.join(format!("rehearsal.{TEMPORARY}"));
        if rehearsal.exists() {
            std::fs::remove_dir_all(&rehearsal).map_err(Error::io("delete", &rehearsal))?;
        }
        let append = |name: &str| {
            let path = path.join(name);
            let file = OpenOptions::new().create(true).append(true).open(&path);
            file.map_err(Error::io("write", &path))
        };
        Ok(Self {
            path: path.to_path_buf(),
            metrics: append(METRICS)?,
            log: append(LOG)?,
            status: StatusFile::of(path, began_at(path)),
            _lock: lock,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the run stands.
    pub fn status(&mut self) -> &mut StatusFile {
        &mut self.status
    }

    /// Writes `run.json` anew.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_config(&self, config: &RunConfig) -> Result<()> {
        write_json_atomically(&self.path.join(CONFIG), config)
    }

    /// What has come of a run that was stopped while it was loaded: what it had before.
    pub fn left_early(&self) -> RunOutcome {
        let (step, best_evaluation_loss) = self.status.saved();
        RunOutcome {
            run: self.path.clone(),
            finished: false,
            ended_early: None,
            step,
            best_evaluation_loss,
            estimated_peak_bytes: 0,
            measured_peak_bytes: 0,
        }
    }

    /// Where checkpoints lie.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Where a checkpoint is tried before the first step.
    pub fn rehearsal(&self) -> PathBuf {
        self.path.join(format!("rehearsal.{TEMPORARY}"))
    }

    /// Writes `memory.json`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_memory(&self, memory: &RunMemory) -> Result<()> {
        write_json_atomically(&self.path.join(MEMORY), memory)
    }

    /// Writes what became of the dataset's rows, in place of what was said before.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_dataset(&self, dataset: &DatasetPreview) -> Result<()> {
        write_json_atomically(&self.path.join(DATASET), dataset)
    }

    /// Where the best adapter lies.
    pub fn adapter(&self) -> PathBuf {
        self.path.join("adapter")
    }

    /// Adds a row to `metrics.jsonl`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append_metrics(&mut self, row: &MetricsRow) -> Result<()> {
        let path = self.path.join(METRICS);
        let mut line = serde_json::to_vec(row)
            .map_err(|error| Error::io("write", &path)(std::io::Error::other(error)))?;
        line.push(b'\n');
        self.metrics
            .write_all(&line)
            .map_err(Error::io("write", &path))
    }

    /// Adds a line to `log.txt`. A log that cannot be written stops nothing.
    pub fn log(&mut self, text: &str) {
        let secs = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs());
        let _ = writeln!(self.log, "{secs} {text}");
    }

    /// Makes everything appended so far durable; called before a checkpoint counts on it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<()> {
        let path = self.path.join(METRICS);
        self.metrics.sync_data().map_err(Error::io("write", &path))
    }

    /// Adds a row to `samples.jsonl`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append_sample(&mut self, row: &SampleRow) -> Result<()> {
        let path = self.path.join(SAMPLES);
        let mut line = serde_json::to_vec(row)
            .map_err(|error| Error::io("write", &path)(std::io::Error::other(error)))?;
        line.push(b'\n');
        let file = OpenOptions::new().create(true).append(true).open(&path);
        { file.map_err(Error::io("write", &path))? }
            .write_all(&line)
            .map_err(Error::io("write", &path))
    }

    /// Drops the rows that were written after step `step`, and a half-written last row: they are
    /// made again, alike.
    ///
    /// # Errors
    /// When a file cannot be rewritten.
    pub fn cut_back(&mut self, step: usize) -> Result<()> {
        let samples = self.path.join(SAMPLES);
        if samples.exists() {
            cut_rows_back(&samples, step, |line| {
                Some(serde_json::from_slice::<SampleRow>(line).ok()?.step)
            })?;
        }
        let path = self.path.join(METRICS);
        cut_rows_back(&path, step, |line| {
            Some(match serde_json::from_slice(line).ok()? {
                MetricsRow::Step(row) => row.step,
                MetricsRow::Evaluation(row) => row.step,
            })
        })?;
        let file = OpenOptions::new().append(true).open(&path);
        self.metrics = file.map_err(Error::io("write", &path))?;
        Ok(())
    }
}

/// Keeps the rows up to step `step`; `step_of` reads that of a row, if it is one.
fn cut_rows_back(path: &Path, step: usize, step_of: impl Fn(&[u8]) -> Option<usize>) -> Result<()> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut kept = Vec::new();
    // Bytes, not text: after a power cut a file may end in anything.
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(Error::io("read", path))?;
        if step_of(&line).is_some_and(|row_step| row_step <= step) {
            kept.extend_from_slice(&line);
            kept.push(b'\n');
        }
    }
    write_atomically(path, &kept)
}

/// A panic goes through here while the folder is still ours: what it ends did not end otherwise.
impl Drop for RunFolder {
    fn drop(&mut self) {
        if std::thread::panicking() && self.status.is_running() {
            // Nothing is lost if this fails: a run that is running without a worker was interrupted.
            let _ = self.status.failed(RunFailure {
                code: "internal".to_owned(),
                message: "a defect in Stepladder ended the run".to_owned(),
                hint: "please report this; the run can go on from its last checkpoint".to_owned(),
            });
        }
    }
}

/// When a run whose status does not say it was begun: `run.json` is written once.
fn began_at(path: &Path) -> SystemTime {
    { std::fs::metadata(path.join(CONFIG)) }
        .and_then(|config| config.modified())
        .unwrap_or_else(|_| SystemTime::now())
}
