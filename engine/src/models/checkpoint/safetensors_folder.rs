//! The safetensors files of a Hugging Face folder: one, or the shards an index names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use safetensors::tensor::SafeTensors;

use super::{Entry, Layout, WeightFile};
use crate::models::stored_type::StoredType;
use crate::{Error, Result};

/// Paths of a folder's weight files, all of them there.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let index = folder.join("model.safetensors.index.json");
    let names = match index.is_file() {
        true => {
            let text = std::fs::read(&index).map_err(Error::io("read", &index))?;
            shards(&index, &text)?
        }
        false => vec!["model.safetensors".to_owned()],
    };
    names
        .into_iter()
        .map(|name| {
            let path = folder.join(&name);
            match path.is_file() {
                true => Ok(path),
                false => Err(Error::ModelFileMissing {
                    folder: folder.to_path_buf(),
                    file: name,
                }),
            }
        })
        .collect()
}

/// The tensors of one file. The safetensors library holds every range against the file's length.
pub(super) fn entries(file: &WeightFile, number: usize) -> Result<Vec<(String, Entry)>> {
    let invalid = |problem: String| Error::ModelFileInvalid {
        path: file.path.clone(),
        problem,
    };
    let bytes = file.bytes();
    let (header, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|error| invalid(format!("not a complete safetensors file ({error})")))?;
    let data_start = header + 8;
    let mut entries = Vec::new();
    for (name, info) in metadata.tensors() {
        let (start, end) = info.data_offsets;
        let range = data_start + start..data_start + end;
        if bytes.get(range.clone()).is_none() {
            return Err(invalid(format!("tensor {name} reaches past the end")));
        }
        let entry = Entry {
            file: number,
            stored: StoredType::from_safetensors(info.dtype),
            shape: info.shape.clone(),
            bytes: range,
            layout: Layout::CHECKPOINT,
        };
        entries.push((name, entry));
    }
    Ok(entries)
}

/// File names of a `model.safetensors.index.json`, each once, sorted; `path` is for messages only.
pub(in crate::models) fn shards(path: &Path, text: &[u8]) -> Result<Vec<String>> {
    let invalid = |problem: String| Error::ModelFileInvalid {
        path: path.to_path_buf(),
        problem,
    };
    let index: serde_json::Value =
        serde_json::from_slice(text).map_err(|error| invalid(error.to_string()))?;
    let map = index
        .get("weight_map")
        .and_then(|map| map.as_object())
        .ok_or_else(|| invalid("weight_map is missing or not an object".to_owned()))?;
    let mut names = BTreeSet::new();
    for (tensor, file) in map {
        let name = file.as_str().unwrap_or("");
        // The index is foreign: a shard must be a plain name inside the model's own folder.
        let plain = Path::new(name).file_name().is_some_and(|base| base == name)
            && !name.contains(['/', '\\', ':', '\0']);
        if !plain {
            return Err(invalid(format!(
                "weight_map[{tensor:?}] is {file}, expected a file name in this folder"
            )));
        }
        names.insert(name.to_owned());
    }
    if names.is_empty() {
        return Err(invalid("weight_map is empty".to_owned()));
    }
    Ok(names.into_iter().collect())
}
