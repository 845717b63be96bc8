//! All that resuming needs, at a step boundary: parameters, the optimizer's moments, every counter.
//! A checkpoint is a folder that appears whole (written aside, flushed, renamed) and carries a
//! checksum. Random streams need no state: orders and initial values are functions of seed and step.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::loss_scale::LossScale;
use super::optimizer::moments::{CodedMoment, Moments, TensorMoments};
use crate::adapters::parameters::Parameters;
use crate::adapters::tensor_file::{self, Entry};
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
    /// What the loss is multiplied by, where gradients are in f16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<LossScale>,
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
    /// Counters.
    pub state: CheckpointState,
    /// The adapter's tensors.
    pub parameters: Parameters,
    /// AdamW's moments.
    pub moments: Moments,
}

/// What the names of tensors begin with. A moment in 8 bits has bytes where one in f32 has floats,
/// and its scales beside.
const PARAMETERS: &str = "parameters";
const FIRST_MOMENTS: &str = "first_moments";
const FIRST_ABSMAX: &str = "first_absmax";
const SECOND_MOMENTS: &str = "second_moments";
const SECOND_ABSMAX: &str = "second_absmax";

fn entries<'a>(parameters: &'a Parameters, moments: &'a Moments) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    let mut add = |group: &str, name: &str, numbers: &'a Tensor| {
        let name = format!("{group}.{name}");
        entries.push(Entry { name, numbers });
    };
    for (name, tensor) in parameters.iter() {
        add(PARAMETERS, name, tensor);
    }
    for (name, moments) in moments.iter() {
        match moments {
            TensorMoments::F32 { first, second } => {
                add(FIRST_MOMENTS, name, first);
                add(SECOND_MOMENTS, name, second);
            }
            TensorMoments::Codes { first, second } => {
                add(FIRST_MOMENTS, name, &first.codes);
                add(FIRST_ABSMAX, name, &first.absmax);
                add(SECOND_MOMENTS, name, &second.codes);
                add(SECOND_ABSMAX, name, &second.absmax);
            }
        }
    }
    entries
}

/// Writes a checkpoint into `folder` and deletes those older than the last two; fills in the
/// checksum of `state`. Tensors are written as they lie in RAM, without another copy; those on a card
/// are copied one at a time. Returns the checkpoint's folder.
///
/// # Errors
/// When the disk refuses; earlier checkpoints are then untouched.
pub fn save(
    folder: &Path,
    state: CheckpointState,
    parameters: &Parameters,
    moments: &Moments,
) -> Result<PathBuf> {
    let path = folder.join(format!("step-{:08}", state.step));
    let temporary = path.with_extension(TEMPORARY);
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    if temporary.exists() {
        std::fs::remove_dir_all(&temporary).map_err(Error::io("delete", &temporary))?;
    }
    let written = write_parts(&temporary, state, entries(parameters, moments));
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
    discard_old(folder)?;
    Ok(path)
}

/// Writes a checkpoint into `folder`, and deletes the folder.
///
/// # Errors
/// When the disk refuses.
pub fn try_out(
    folder: &Path,
    state: CheckpointState,
    parameters: &Parameters,
    moments: &Moments,
) -> Result<()> {
    let written = save(folder, state, parameters, moments);
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(Error::io("delete", folder))?;
    }
    written.map(|_| ())
}

/// Deletes all but the last checkpoints.
fn discard_old(folder: &Path) -> Result<()> {
    let old = list(folder)?.into_iter().rev().skip(KEPT);
    old.into_iter().try_for_each(|path| discard(&path))
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

fn write_parts(folder: &Path, mut state: CheckpointState, tensors: Vec<Entry<'_>>) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let hash = write_flushed(&folder.join(TENSORS), |file| {
        tensor_file::write(tensors, None, file)
    })?;
    state.checksum = hash.to_hex().to_string();
    write_flushed(&folder.join(STATE), |file| {
        let json = serde_json::to_vec_pretty(&state).map_err(std::io::Error::other)?;
        file.write_all(&json)
    })?;
    sync_folder(&folder.join(STATE))
}

/// A file, and the hash of all that was given it to write.
struct HashingFile {
    file: File,
    hasher: blake3::Hasher,
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

fn write_flushed(
    path: &Path,
    write: impl FnOnce(&mut HashingFile) -> std::io::Result<()>,
) -> Result<blake3::Hash> {
    let written = File::create(path).and_then(|file| {
        let hasher = blake3::Hasher::new();
        let mut file = HashingFile { file, hasher };
        write(&mut file)?;
        file.file.sync_all()?;
        Ok(file.hasher.finalize())
    });
    written.map_err(Error::io("write", path))
}

/// The newest whole checkpoint in `folder`, and those set aside because they are damaged.
///
/// # Errors
/// When the folder cannot be read.
pub fn load_newest(folder: &Path) -> Result<(Option<Checkpoint>, Vec<PathBuf>)> {
    let mut damaged = Vec::new();
    for path in list(folder)?.into_iter().rev() {
        match load(&path) {
            Ok(checkpoint) => {
                // A run that was killed right after it had saved did not get to it.
                discard_old(folder)?;
                return Ok((Some(checkpoint), damaged));
            }
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
    let (parameters, moments) = read_tensors(&bytes).map_err(invalid)?;
    Ok(Checkpoint {
        state,
        parameters,
        moments,
    })
}

fn read_tensors(bytes: &[u8]) -> Result<(Parameters, Moments), String> {
    let file = tensor_file::parse(bytes)?;
    let (mut parameters, mut moments) = (BTreeMap::new(), BTreeMap::new());
    for (full_name, view) in file.iter() {
        match full_name.split_once('.') {
            Some((PARAMETERS, name)) => {
                let tensor = tensor_file::read_f32(full_name, &view)?;
                parameters.insert(name.to_owned(), tensor);
            }
            Some((FIRST_MOMENTS, name)) => {
                moments.insert(name.to_owned(), read_moments(&file, name)?);
            }
            // Read together with the first moments.
            Some((SECOND_MOMENTS | FIRST_ABSMAX | SECOND_ABSMAX, name))
                if file.tensor(&format!("{FIRST_MOMENTS}.{name}")).is_ok() => {}
            _ => return Err(format!("unknown tensor {full_name}")),
        }
    }
    Ok((Parameters::new(parameters), Moments::new(moments)))
}

fn read_moments(file: &SafeTensors<'_>, name: &str) -> Result<TensorMoments, String> {
    let find = |group: &str| {
        let name = format!("{group}.{name}");
        match file.tensor(&name) {
            Ok(view) => Ok((name, view)),
            Err(_) => Err(format!("tensor {name} is missing")),
        }
    };
    let tensor = |group: &str| {
        let (name, view) = find(group)?;
        tensor_file::read_f32(&name, &view)
    };
    let coded = |group: &str, absmax: &str| {
        let (name, view) = find(group)?;
        if view.dtype() != Dtype::U8 {
            return Err(format!(
                "tensor {name} has type {:?}, expected U8",
                view.dtype()
            ));
        }
        let codes = view.data();
        let codes = Tensor::from_slice(codes, codes.len(), &Device::Cpu);
        Ok(CodedMoment {
            codes: codes.map_err(|error| format!("tensor {name}: {error}"))?,
            absmax: tensor(absmax)?
                .flatten_all()
                .map_err(|error| format!("the scales of {name}: {error}"))?,
        })
    };
    Ok(match find(FIRST_MOMENTS)?.1.dtype() {
        Dtype::U8 => TensorMoments::Codes {
            first: coded(FIRST_MOMENTS, FIRST_ABSMAX)?,
            second: coded(SECOND_MOMENTS, SECOND_ABSMAX)?,
        },
        _ => TensorMoments::F32 {
            first: tensor(FIRST_MOMENTS)?,
            second: tensor(SECOND_MOMENTS)?,
        },
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

#[cfg(test)]
mod tests;
