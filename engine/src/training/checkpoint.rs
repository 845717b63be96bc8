//! All that resuming needs, at a step boundary: parameters, the optimizer's moments, every counter.
//! A checkpoint is a folder that appears whole (written aside, flushed, renamed) and carries a
//! checksum. Random streams need no state: orders and initial values are functions of seed and step.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::adapters::adapter_folder::{tensors_from_bytes, tensors_to_bytes};
use crate::adapters::parameters::Parameters;
use crate::files::{TEMPORARY, sync_folder};
use crate::{Error, Result};

const STATE: &str = "state.json";
const TENSORS: &str = "state.safetensors";
/// Older checkpoints than these are deleted.
const KEPT: usize = 2;

/// Counters of a run at a step boundary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointState {
    /// Updates made.
    pub step: usize,
    /// Whether the evaluation after that update was broken off.
    pub evaluation_due: bool,
    /// Lowest evaluation loss so far.
    pub best_evaluation_loss: Option<f64>,
    /// Evaluations since the lowest loss.
    pub evaluations_since_best: usize,
    /// Seconds the run has taken.
    pub elapsed_secs: f64,
    /// Most bytes in use at once so far.
    pub peak_bytes: u64,
    /// The date that the chat template saw, in seconds since 1970: with another one, examples of
    /// templates that print it would change.
    pub template_unix_secs: i64,
    /// Hash over the training and held-out examples.
    pub dataset: String,
    /// Checksum of the tensors' file.
    pub checksum: String,
}

/// A checkpoint in memory.
pub struct Checkpoint {
    /// Counters; the checksum is filled in when it is saved.
    pub state: CheckpointState,
    /// The adapter's tensors.
    pub parameters: Parameters,
    /// AdamW's first moments.
    pub first_moments: Parameters,
    /// AdamW's second moments.
    pub second_moments: Parameters,
}

const GROUPS: [&str; 3] = ["parameters", "first_moments", "second_moments"];

/// Writes a checkpoint into `folder` and deletes those older than the last two. Returns its folder.
///
/// # Errors
/// When the disk refuses; earlier checkpoints are then untouched.
pub fn save(folder: &Path, checkpoint: Checkpoint) -> Result<PathBuf> {
    let Checkpoint {
        mut state,
        parameters,
        first_moments,
        second_moments,
    } = checkpoint;
    let mut tensors = BTreeMap::new();
    for (group, members) in GROUPS
        .iter()
        .zip([&parameters, &first_moments, &second_moments])
    {
        for (name, tensor) in members.iter() {
            tensors.insert(format!("{group}.{name}"), tensor.clone());
        }
    }
    let bytes = tensors_to_bytes(&Parameters::new(tensors))?;
    state.checksum = blake3::hash(&bytes).to_hex().to_string();
    let path = folder.join(format!("step-{:08}", state.step));
    let temporary = path.with_extension(TEMPORARY);
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    if temporary.exists() {
        std::fs::remove_dir_all(&temporary).map_err(Error::io("delete", &temporary))?;
    }
    let written = write_parts(&temporary, &state, &bytes);
    if let Err(error) = written {
        // A full disk should get its space back.
        let _ = std::fs::remove_dir_all(&temporary);
        return Err(error);
    }
    if path.exists() {
        // The same step was saved before a resume; the new one says the same.
        discard(&path)?;
    }
    std::fs::rename(&temporary, &path).map_err(Error::io("rename", &path))?;
    sync_folder(&path)?;
    for old in list(folder)?.into_iter().rev().skip(KEPT) {
        discard(&old)?;
    }
    Ok(path)
}

/// Deletes a checkpoint. It is renamed first, so that one whose deletion was broken off is never
/// taken for a whole one.
fn discard(path: &Path) -> Result<()> {
    let aside = path.with_extension(format!("old.{TEMPORARY}"));
    if aside.exists() {
        std::fs::remove_dir_all(&aside).map_err(Error::io("delete", &aside))?;
    }
    std::fs::rename(path, &aside).map_err(Error::io("rename", path))?;
    std::fs::remove_dir_all(&aside).map_err(Error::io("delete", &aside))
}

fn write_parts(folder: &Path, state: &CheckpointState, tensors: &[u8]) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let json = serde_json::to_vec_pretty(state)
        .map_err(|error| Error::io("write", folder)(std::io::Error::other(error)))?;
    for (name, bytes) in [(TENSORS, tensors), (STATE, &json)] {
        let path = folder.join(name);
        File::create(&path)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .map_err(Error::io("write", &path))?;
    }
    sync_folder(&folder.join(STATE))
}

/// The newest whole checkpoint in `folder`, and those set aside because they are damaged.
///
/// # Errors
/// When the folder cannot be read.
pub fn load_newest(folder: &Path) -> Result<(Option<Checkpoint>, Vec<PathBuf>)> {
    let mut damaged = Vec::new();
    for path in list(folder)?.into_iter().rev() {
        match load(&path) {
            Ok(checkpoint) => return Ok((Some(checkpoint), damaged)),
            Err(_) => {
                let aside = path.with_extension("damaged");
                std::fs::rename(&path, &aside).map_err(Error::io("rename", &path))?;
                damaged.push(aside);
            }
        }
    }
    Ok((None, damaged))
}

fn load(path: &Path) -> Result<Checkpoint> {
    let invalid = |problem: String| Error::RunInvalid {
        path: path.to_path_buf(),
        problem,
        hint: "delete this checkpoint; the one before it is used".to_owned(),
    };
    let read = |name: &str| {
        let path = path.join(name);
        std::fs::read(&path).map_err(Error::io("read", &path))
    };
    let state: CheckpointState =
        serde_json::from_slice(&read(STATE)?).map_err(|error| invalid(error.to_string()))?;
    let bytes = read(TENSORS)?;
    if blake3::hash(&bytes).to_hex().as_str() != state.checksum {
        return Err(invalid("its checksum does not match".to_owned()));
    }
    let mut groups: [BTreeMap<String, candle_core::Tensor>; 3] = Default::default();
    for (name, tensor) in tensors_from_bytes(&bytes).map_err(invalid)?.iter() {
        let place = name.split_once('.').and_then(|(group, rest)| {
            Some((GROUPS.iter().position(|known| *known == group)?, rest))
        });
        let (group, rest) = place.ok_or_else(|| invalid(format!("unknown tensor {name}")))?;
        groups[group].insert(rest.to_owned(), tensor.clone());
    }
    let [parameters, first_moments, second_moments] = groups.map(Parameters::new);
    Ok(Checkpoint {
        state,
        parameters,
        first_moments,
        second_moments,
    })
}

/// Whole checkpoints, oldest first. Unfinished ones are deleted on the way.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        if !name.starts_with("step-") {
            continue;
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            None => found.push(path),
            Some(TEMPORARY) => {
                std::fs::remove_dir_all(&path).map_err(Error::io("delete", &path))?;
            }
            Some(_) => {}
        }
    }
    found.sort();
    Ok(found)
}
