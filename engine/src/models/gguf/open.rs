//! A GGUF file opened: its header read, its weights found.

use std::path::Path;

use super::config::GgufModel;
use super::header::GgufHeader;
use crate::models::checkpoint::{Checkpoint, WeightFile};
use crate::models::stored_type::StoredType;
use crate::{Error, Result};

/// Numbers in a tensor that belongs to the configuration, at most: one for each frequency of a head.
const MOST_NUMBERS: usize = 1 << 16;

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
        if !path.is_file() {
            return Err(Error::ModelFolderMissing {
                folder: path.to_path_buf(),
            });
        }
        let file = WeightFile::open(path.to_path_buf())?;
        let header =
            GgufHeader::parse(file.bytes()).map_err(|problem| Error::ModelFileInvalid {
                path: path.to_path_buf(),
                problem,
            })?;
        let numbers = |name: &str| numbers(&header, file.bytes(), name);
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
