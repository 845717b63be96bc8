//! What the window changes of run folders: their names, and whether they are there.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use stepladder_engine::files::write_json_atomically;
use stepladder_protocol::{RunConfig, RunState, RunStatus};

use super::runs::{CONFIG, STATUS, is_ours_and_rests};
use crate::data_folder::new_run_in;
use crate::text::visible;
use crate::words::disk as words;

/// Longer names make trouble in file browsers and on some disks.
const MAX_NAME: usize = 120;
/// Names that Windows keeps for devices, whatever comes after a dot.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Gives a run's folder another name beside its old one.
///
/// # Errors
/// A sentence that says what is wrong with the name, or why it cannot be changed.
pub fn rename(run: &Path, name: &str) -> Result<PathBuf, String> {
    check_name(name)?;
    is_ours_and_rests(run)?;
    let new = run.with_file_name(name);
    // On disks that do not tell capitals apart this may be the same folder.
    let same = run
        .canonicalize()
        .ok()
        .is_some_and(|run| new.canonicalize().ok() == Some(run));
    if new.symlink_metadata().is_ok() && !same {
        return Err(words::name_taken(&visible(name)));
    }
    std::fs::rename(run, &new).map_err(|error| words::not_renamed(&visible(&error.to_string())))?;
    Ok(new)
}

/// Makes a folder for each run that has not begun: it says what is to be done, and that nothing of it
/// is.
///
/// # Errors
/// A sentence, when the disk refuses.
pub fn set_aside(folder: &Path, configs: &[RunConfig]) -> Result<(), String> {
    for config in configs {
        let now = SystemTime::now();
        let run = new_run_in(folder, config.method.name(), now);
        let secs = now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let status = RunStatus {
            state: RunState::Paused,
            step: 0,
            total_steps: 0,
            began_at_unix_secs: secs,
            written_at_unix_secs: secs,
            best_evaluation_loss: None,
            ended_early: None,
            failure: None,
        };
        std::fs::create_dir_all(&run)
            .map_err(|error| error.to_string())
            .and_then(|()| {
                let written = write_json_atomically(&run.join(STATUS), &status)
                    .and_then(|()| write_json_atomically(&run.join(CONFIG), config));
                written.map_err(|error| error.to_string())
            })
            .map_err(|problem| words::set_aside_failed(&visible(&problem)))?;
    }
    Ok(())
}

/// Names that every system can have, so that a run can move from one to another.
fn check_name(name: &str) -> Result<(), String> {
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end()
        .to_lowercase();
    let problem = if name.is_empty() {
        words::NAME_EMPTY.to_owned()
    } else if name.len() > MAX_NAME {
        words::name_too_long(MAX_NAME)
    } else if let Some(bad) = name.chars().find(|c| r#"/\:*?"<>|"#.contains(*c)) {
        words::name_has(bad)
    } else if name
        .chars()
        .any(|c| visible(&c.to_string()) != c.to_string())
    {
        words::NAME_INVISIBLE.to_owned()
    } else if name.starts_with(['.', ' ', '-']) || name.ends_with(['.', ' ']) {
        words::NAME_ENDS.to_owned()
    } else if DEVICES.contains(&stem.as_str()) {
        words::name_of_device(&stem.to_uppercase())
    } else {
        return Ok(());
    };
    Err(problem)
}

/// Moves a run to the system's bin. Only a run, only one that lies in the folder of runs itself, and
/// only while nothing writes to it.
///
/// # Errors
/// A sentence that says why not.
pub fn delete(run: &Path, folder: &Path) -> Result<(), String> {
    check_deletion(run, folder)?;
    trash::delete(run).map_err(|error| {
        let shown = visible(&run.display().to_string());
        words::not_to_bin(&shown, &visible(&error.to_string()))
    })
}

/// Whether a run may be moved to the bin.
///
/// # Errors
/// A sentence that says why not.
pub fn check_deletion(run: &Path, folder: &Path) -> Result<(), String> {
    is_ours_and_rests(run)?;
    let lies_there = run
        .parent()
        .and_then(|parent| parent.canonicalize().ok())
        .is_some_and(|parent| folder.canonicalize().ok() == Some(parent));
    // A path that ends in `..` names no entry of the folder.
    match lies_there && run.file_name().is_some() {
        true => Ok(()),
        false => {
            let shown = |path: &Path| visible(&path.display().to_string());
            Err(words::lies_elsewhere(&shown(run), &shown(folder)))
        }
    }
}
