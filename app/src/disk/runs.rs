//! Run folders as the window reads them. They may have been copied from anywhere, and other programs
//! may be writing to them: every file is optional but `run.json`, every reading is bounded.

use std::fs::{DirEntry, File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use stepladder_protocol::{RunConfig, RunMemory, RunState, RunStatus};

use super::{json, metrics};
use crate::state::runs::stored::{Details, Listing, StoredRun};
use crate::text::visible;
use crate::words::disk as words;

/// Runs that are listed.
const MAX_RUNS: usize = 500;
/// Entries of the folder that are looked at.
const MAX_ENTRIES: usize = 20_000;
/// Of `run.json`, `status.json` and the like.
const MAX_JSON: u64 = 1 << 20;
/// Of `dataset.json`, which holds examples of what was skipped.
const MAX_DATASET: u64 = 16 << 20;
/// The end of `log.txt` that is shown.
const MAX_LOG: u64 = 1 << 18;

pub(super) const CONFIG: &str = "run.json";
pub(super) const STATUS: &str = "status.json";
const LOCK: &str = ".lock";

/// Lists the runs of a folder, the latest first. Those in `ours` are not asked whether they are in
/// use: a worker of this window might find its lock taken.
pub fn list(folder: &Path, ours: &[PathBuf]) -> Listing {
    let mut listing = Listing {
        folder: folder.to_path_buf(),
        ..Listing::default()
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // Nothing was trained yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return listing,
        Err(error) => {
            listing.problem = Some(visible(&error.to_string()));
            return listing;
        }
    };
    let mut found: Vec<(f64, PathBuf)> = { entries.take(MAX_ENTRIES).filter_map(Result::ok) }
        .filter_map(|entry| looks_like_a_run(&entry))
        .collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    listing.left_out = found.len().saturating_sub(MAX_RUNS);
    found.truncate(MAX_RUNS);
    for (_, path) in found {
        match read(&path, ours) {
            Ok(run) => listing.runs.push(run),
            Err(error) => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                let name = visible(&name.to_string_lossy());
                listing.unreadable.push((name, visible(&error.to_string())));
            }
        }
    }
    listing
}

/// A folder, no link, with a `run.json`; with the time of that.
fn looks_like_a_run(entry: &DirEntry) -> Option<(f64, PathBuf)> {
    if !entry.file_type().ok()?.is_dir() {
        return None;
    }
    let path = entry.path();
    let config = std::fs::metadata(path.join(CONFIG)).ok()?;
    Some((modified(&config), path))
}

fn modified(file: &Metadata) -> f64 {
    { file.modified().ok() }.map_or(0.0, unix_secs)
}

fn unix_secs(time: SystemTime) -> f64 {
    { time.duration_since(UNIX_EPOCH) }.map_or(0.0, |since| since.as_secs_f64())
}

/// What a checkpoint says of its run.
#[derive(Deserialize)]
struct CheckpointState {
    step: usize,
    best_evaluation_loss: Option<f64>,
    #[serde(default)]
    elapsed_secs: f64,
}

fn read(path: &Path, ours: &[PathBuf]) -> io::Result<StoredRun> {
    let config_path = path.join(CONFIG);
    let config: RunConfig = json::read(&config_path, MAX_JSON)
        .map_err(|error| io::Error::other(format!("{CONFIG}: {error}")))?
        .ok_or_else(|| io::Error::other(words::gone(CONFIG)))?;
    let began = std::fs::metadata(&config_path).map_or(0.0, |file| modified(&file));
    // What else is there helps; what is damaged of it is as good as not there.
    let status: Option<RunStatus> = json::read(&path.join(STATUS), MAX_JSON).ok().flatten();
    let memory: Option<RunMemory> = json::read(&path.join("memory.json"), MAX_JSON)
        .ok()
        .flatten();
    let glance = metrics::glance(path).unwrap_or_default();
    let checkpoint = newest_checkpoint(path);
    let has_adapter = path.join("adapter").join("adapter_config.json").is_file();
    let written = { ["log.txt", metrics::NAME, "status.json"].iter() }
        .filter_map(|name| std::fs::metadata(path.join(name)).ok())
        .map(|file| modified(&file))
        .fold(began, f64::max);
    let state = match &status {
        Some(status) => status.state,
        None => state_without_status(path, checkpoint.is_some(), has_adapter),
    };
    let ours = ours.iter().any(|ours| ours == path);
    let in_use = state == RunState::Running && !ours && is_in_use(path);
    Ok(StoredRun {
        folder: path.to_path_buf(),
        config,
        state,
        in_use,
        step: { status.as_ref().map(|status| status.step) }
            .into_iter()
            .chain([glance.step])
            .chain(checkpoint.as_ref().map(|checkpoint| checkpoint.step))
            .max()
            .unwrap_or(0),
        total_steps: status.as_ref().map_or(0, |status| status.total_steps),
        began_at: { status.as_ref() }.map_or(began, |status| status.began_at_unix_secs as f64),
        written_at: { status.as_ref() }.map_or(written, |status| {
            written.max(status.written_at_unix_secs as f64)
        }),
        best: {
            status
                .as_ref()
                .and_then(|status| status.best_evaluation_loss)
        }
        .or_else(|| checkpoint.as_ref()?.best_evaluation_loss)
        .filter(|loss| loss.is_finite()),
        elapsed: { glance.elapsed }.or_else(|| {
            checkpoint
                .as_ref()
                .map(|checkpoint| checkpoint.elapsed_secs)
        }),
        memory,
        ended_early: status
            .as_ref()
            .and_then(|status| status.ended_early.clone()),
        failure: status.and_then(|status| status.failure),
        has_checkpoint: checkpoint.is_some(),
        has_adapter,
        sparkline: glance.sparkline,
    })
}

/// Runs of earlier versions have no status: their log ends with a word.
fn state_without_status(path: &Path, has_checkpoint: bool, has_adapter: bool) -> RunState {
    let last = { read_log(path).ok() }.and_then(|log| log.into_iter().next_back());
    match last.as_ref().map(|(_, text)| text.as_str()) {
        Some("finished") if has_adapter => RunState::Finished,
        Some("stopped on request") if has_checkpoint => RunState::Paused,
        _ => RunState::Interrupted,
    }
}

fn newest_checkpoint(path: &Path) -> Option<CheckpointState> {
    let folders = std::fs::read_dir(path.join("checkpoints")).ok()?;
    { folders.take(1000).filter_map(Result::ok) }
        .filter_map(|entry| json::read(&entry.path().join("state.json"), MAX_JSON).ok()?)
        .max_by_key(|state: &CheckpointState| state.step)
}

/// Whether a process holds the folder's lock. It is tried and at once given back.
pub fn is_in_use(path: &Path) -> bool {
    let Ok(lock) = File::open(path.join(LOCK)) else {
        return false;
    };
    match lock.try_lock() {
        Ok(()) => {
            // Closing the file would do it too.
            let _ = lock.unlock();
            false
        }
        Err(std::fs::TryLockError::WouldBlock) => true,
        Err(std::fs::TryLockError::Error(_)) => false,
    }
}

/// Whether a folder is a run that can be renamed or deleted.
///
/// # Errors
/// A sentence that says why not.
pub fn is_ours_and_rests(path: &Path) -> Result<(), String> {
    let shown = visible(&path.display().to_string());
    let metadata = std::fs::symlink_metadata(path)
        .map_err(|error| words::not_found(&shown, &visible(&error.to_string())))?;
    if !metadata.is_dir() {
        return Err(words::no_folder(&shown));
    }
    match json::read::<RunConfig>(&path.join(CONFIG), MAX_JSON) {
        Ok(Some(_)) => {}
        Ok(None) => return Err(words::no_run(&shown, CONFIG)),
        Err(error) => {
            let error = visible(&error.to_string());
            return Err(words::no_run_of_ours(&shown, CONFIG, &error));
        }
    }
    match is_in_use(path) {
        true => Err(words::in_use(&shown)),
        false => Ok(()),
    }
}

/// Reads what is shown of a run besides its figures.
pub fn details(path: &Path) -> Details {
    Details {
        log: read_log(path).unwrap_or_default(),
        dataset: json::read(&path.join("dataset.json"), MAX_DATASET)
            .ok()
            .flatten(),
    }
}

/// The last lines of `log.txt`.
fn read_log(path: &Path) -> io::Result<Vec<(f64, String)>> {
    let mut file = File::open(path.join("log.txt"))?;
    let skipped = file.metadata()?.len().saturating_sub(MAX_LOG);
    file.seek(SeekFrom::Start(skipped))?;
    let mut lines = Vec::new();
    for (number, line) in BufReader::new(file.take(MAX_LOG)).split(b'\n').enumerate() {
        let line = line?;
        if number == 0 && skipped > 0 {
            continue;
        }
        let line = String::from_utf8_lossy(&line);
        if let Some((secs, text)) = line.split_once(' ')
            && let Ok(secs) = secs.parse::<u64>()
        {
            lines.push((secs as f64, text.to_owned()));
        }
    }
    Ok(lines)
}
