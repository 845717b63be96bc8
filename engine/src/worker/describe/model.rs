//! What `inspect` says of a model, from its small files and headers; its weights are not loaded.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};
use stepladder_protocol::{ModelFileInfo, ModelInfo, TypeShare};

use crate::models::model::ModelFiles;
use crate::models::stored_type::StoredType;
use crate::{Error, Result};

/// Whether the weight files are read from end to end for their SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashing {
    /// Only headers are read.
    Off,
    /// Every byte is read.
    On,
}

/// Describes a model.
pub fn model(name: &str, hashing: Hashing) -> Result<ModelInfo> {
    let files = ModelFiles::open(name)?;
    let config = &files.config;
    let types = type_shares(&files);
    let first = types.first();
    let is_builtin = name == "builtin";
    Ok(ModelInfo {
        name: files
            .origin
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        path: (!is_builtin).then(|| files.origin.display().to_string()),
        architecture: config.family.to_owned(),
        file_format: files.checkpoint.format().name().to_owned(),
        parameters: config.parameters() as u64,
        weight_bytes: files.checkpoint.total_bytes(),
        weight_dtype: first.map_or_else(String::new, |share| share.name.to_lowercase()),
        quantization: first
            .filter(|share| share.quantized)
            .map(|share| share.name.clone()),
        layers: config.layers,
        d_model: config.d_model,
        attention_heads: config.heads,
        key_value_heads: config.kv_heads,
        vocabulary: config.vocabulary,
        context_length: config.max_positions,
        tied_embeddings: config.tied_head,
        chat_template: files.template().is_ok(),
        license: license(&files.origin),
        tokenizer_tokens: files.tokenizer.vocabulary_size(),
        types,
        files: weight_files(&files, hashing)?,
    })
}

/// Bytes by stored type, most first.
fn type_shares(files: &ModelFiles) -> Vec<TypeShare> {
    let mut by_name: BTreeMap<String, TypeShare> = BTreeMap::new();
    for tensor in files.checkpoint.tensors() {
        let name = tensor.stored.name();
        let share = by_name.entry(name.clone()).or_insert_with(|| TypeShare {
            name,
            quantized: matches!(tensor.stored, StoredType::Blocks(_)),
            tensors: 0,
            bytes: 0,
        });
        share.tensors += 1;
        share.bytes += tensor.bytes.len() as u64;
    }
    let mut shares: Vec<TypeShare> = by_name.into_values().collect();
    shares.sort_by_key(|share| std::cmp::Reverse(share.bytes));
    shares
}

fn weight_files(files: &ModelFiles, hashing: Hashing) -> Result<Vec<ModelFileInfo>> {
    let paths = files.checkpoint.files();
    paths
        .filter(|(path, _)| path.is_file())
        .map(|(path, bytes)| {
            let sha256 = match hashing {
                Hashing::Off => None,
                Hashing::On => Some(sha256(path)?),
            };
            Ok(ModelFileInfo {
                name: path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                bytes,
                sha256,
            })
        })
        .collect()
}

/// As the Hugging Face Hub shows it.
fn sha256(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path).map_err(Error::io("read", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// The license that a model card states in the YAML lines at its top.
fn license(folder: &Path) -> Option<String> {
    let card = std::fs::read_to_string(folder.join("README.md")).ok()?;
    let front = card.strip_prefix("---")?.split("\n---").next()?;
    let line = front
        .lines()
        .find_map(|line| line.strip_prefix("license:"))?;
    Some(line.trim().trim_matches(['"', '\'']).to_owned()).filter(|name| !name.is_empty())
}
