//! A model as the list tells it, from its configuration or header.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stepladder_protocol::{FoundModel, ModelSource};

use crate::files::read_at_most;
use crate::models::bitsandbytes;
use crate::models::checkpoint::shards;
use crate::models::config::DecoderConfig;
use crate::models::gguf::{Architecture, GgufFile};
use crate::{Error, Result};

/// A configuration is a few kilobytes.
const CONFIG_BYTES: u64 = 4 << 20;
/// An index names each tensor once.
const INDEX_BYTES: u64 = 64 << 20;

/// A file that was found: where its bytes lie once links are resolved, and how many there are.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// The files of a folder by their names in it.
pub(super) type Files = BTreeMap<String, Found>;

/// A GGUF file under the name of its source; `target` is what `--model` takes.
pub(super) fn gguf(name: String, target: &Path, file: &Found, source: ModelSource) -> FoundModel {
    let (architecture, problem) = match GgufFile::glance(&file.path) {
        Ok(architecture) => (Some(architecture.name().to_owned()), None),
        Err(error) => {
            let architecture = match &error {
                Error::ModelUnsupported { field, found, .. } if *field == Architecture::KEY => {
                    Some(found.clone())
                }
                _ => None,
            };
            (architecture, Some(in_short(&error)))
        }
    };
    FoundModel {
        name,
        target: text(target),
        source,
        file_format: "GGUF".to_owned(),
        bytes: file.bytes,
        architecture,
        problem,
    }
}

/// A folder with a configuration.
pub(super) fn folder(
    name: String,
    folder: &Path,
    files: &Files,
    source: ModelSource,
) -> Option<FoundModel> {
    let config = files.get("config.json")?;
    let json = read_at_most(&config.path, CONFIG_BYTES)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let architecture = { json.as_ref() }
        .and_then(|json| json.get("model_type")?.as_str())
        .map(str::to_owned);
    let weights = files
        .iter()
        .filter(|(name, _)| name.ends_with(".safetensors"));
    Some(FoundModel {
        name,
        target: text(folder),
        source,
        file_format: "safetensors".to_owned(),
        bytes: weights.map(|(_, file)| file.bytes).sum(),
        problem: match json {
            None => Some("config.json is damaged".to_owned()),
            Some(json) => usable(folder, files, &json)
                .err()
                .map(|error| in_short(&error)),
        },
        architecture,
    })
}

/// Whether a run could load it, as far as names and configuration tell.
fn usable(folder: &Path, files: &Files, json: &Value) -> Result<()> {
    let config = folder.join("config.json");
    DecoderConfig::from_json(&config, json.to_string().as_bytes())?;
    if let Some(quantized) = json
        .get("quantization_config")
        .filter(|found| !found.is_null())
    {
        bitsandbytes::declared(&config, quantized)?;
    }
    let mut needed = vec!["tokenizer.json".to_owned()];
    match files.get("model.safetensors.index.json") {
        None => needed.push("model.safetensors".to_owned()),
        Some(index) => {
            let text =
                read_at_most(&index.path, INDEX_BYTES).map_err(Error::io("read", &index.path))?;
            needed.extend(shards(&index.path, &text)?);
        }
    }
    match needed.into_iter().find(|name| !files.contains_key(name)) {
        None => Ok(()),
        Some(file) => Err(Error::ModelFileMissing {
            folder: folder.to_path_buf(),
            file,
        }),
    }
}

/// What is wrong, without the path that stands beside it.
fn in_short(error: &Error) -> String {
    match error {
        Error::ModelUnsupported { field, found, .. } => {
            format!("{field} is {found:?}, which is not supported")
        }
        Error::ModelFileInvalid { problem, .. } => problem.clone(),
        Error::ModelFileMissing { file, .. } => format!("{file} is missing"),
        Error::TensorType { found, .. } => {
            format!("its tensors are stored as {found}, which is not supported")
        }
        other => other.to_string(),
    }
}

/// Names that are not UTF-8 were left out, so nothing is lost.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
