//! A GGUF file opened: its header read, its weights found.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::architecture::Architecture;
use super::config::GgufModel;
use super::header::{GgufHeader, MAGIC};
use crate::models::checkpoint::{Checkpoint, WeightFile};
use crate::models::config::DecoderConfig;
use crate::models::stored_type::StoredType;
use crate::{Error, Result};

/// Numbers in a tensor that belongs to the configuration, at most: one for each frequency of a head.
const MOST_NUMBERS: usize = 1 << 16;

/// Vocabularies and merges make the longest headers there are; they stay below 20 MB.
const LONGEST_HEADER: usize = 64 << 20;

/// A model in one file.
pub struct GgufFile {
    /// What the header says.
    pub header: GgufHeader,
    /// What that means for the decoder.
    pub model: GgufModel,
    /// Its weights.
    pub checkpoint: Checkpoint,
}

impl GgufFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it is missing, damaged, or its architecture is not supported.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_within(path, usize::MAX)
    }

    /// The architecture of a model that could be loaded, as far as its header tells; of a header that
    /// no real model has, only the beginning is read.
    ///
    /// # Errors
    /// As [`Self::open`], and when the decoder it describes is not supported.
    pub fn glance(path: &Path) -> Result<Architecture> {
        let Self { model, .. } = Self::open_within(path, LONGEST_HEADER)?;
        DecoderConfig::from_json(path, model.config.to_string().as_bytes())?;
        Ok(model.architecture)
    }

    fn open_within(path: &Path, longest_header: usize) -> Result<Self> {
        if !path.is_file() {
            return Err(Error::ModelFolderMissing {
                folder: path.to_path_buf(),
            });
        }
        let file = WeightFile::open(path.to_path_buf())?;
        let bytes = file.bytes();
        let beginning = &bytes[..bytes.len().min(longest_header)];
        let header = GgufHeader::parse_beginning(beginning, bytes.len()).map_err(|problem| {
            Error::ModelFileInvalid {
                path: path.to_path_buf(),
                problem,
            }
        })?;
        let numbers = |name: &str| numbers(&header, bytes, name);
        let model = GgufModel::of(path, &header, &numbers)?;
        Ok(Self {
            checkpoint: Checkpoint::of_gguf(file, &header, &model)?,
            header,
            model,
        })
    }
}

/// The numbers of a small tensor; None if it is missing or not in F32.
fn numbers(header: &GgufHeader, file: &[u8], name: &str) -> Option<Vec<f32>> {
    let tensor = header.tensors.iter().find(|tensor| tensor.name == name)?;
    let (numbers, _) = file.get(tensor.bytes.clone())?.as_chunks();
    let is_small = numbers.len() <= MOST_NUMBERS;
    (is_small && tensor.stored == StoredType::F32).then(|| {
        numbers
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect()
    })
}

/// Whether a file begins as every GGUF file does, whatever its name is.
pub fn has_magic(path: &Path) -> bool {
    let mut beginning = [0; MAGIC.len()];
    // Asked before it is opened: a pipe would wait for its writer.
    path.is_file()
        && File::open(path)
            .and_then(|mut file| file.read_exact(&mut beginning))
            .is_ok()
        && beginning == MAGIC
}
