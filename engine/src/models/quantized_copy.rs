//! A copy of a model's weights with its blocks in NF4, kept on disk on request: the next load reads a
//! quarter of their bytes and does not quantize them again. The file is what bitsandbytes would have
//! saved, so it is read like any other model; which model it is a copy of is in its folder's name.
//! bitsandbytes leaves embedding and head as they are, and so does the copy: one serves a head in
//! four bits, which is quantized on loading as it would be from the model itself, and one that is not.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::View;

use super::bitsandbytes;
use super::checkpoint::{Checkpoint, FileFormat, TensorView};
use super::fingerprint::BaseFingerprint;
use super::loading::{Loading, Told};
use super::quantization::Quantization;
use super::stored_type::StoredType;
use crate::files::create_atomically;
use crate::{Error, Result};

/// The copy in `folder` of this checkpoint, made if it is not there yet or is damaged.
///
/// # Errors
/// When the model is a GGUF file, holds what cannot be quantized, or the copy cannot be written; and
/// [`Error::Stopped`] when it is told to end while the copy is made.
pub fn open_or_make(
    checkpoint: &Checkpoint,
    fingerprint: &BaseFingerprint,
    blocks: Quantization,
    folder: &Path,
    told: Told<'_>,
) -> Result<Checkpoint> {
    if checkpoint.format() == FileFormat::Gguf {
        return Err(Error::ConfigInvalid {
            field: "quantized_copy",
            problem: "a GGUF file is used as it is".to_owned(),
            hint: "leave --quantized-copy out".to_owned(),
        });
    }
    let copy = folder.join(name(fingerprint, blocks));
    if let Ok(found) = Checkpoint::open(&copy) {
        return Ok(found);
    }
    std::fs::create_dir_all(&copy).map_err(Error::io("create", &copy))?;
    write(checkpoint, blocks, &copy.join("model.safetensors"), told)?;
    Checkpoint::open(&copy)
}

/// The same model in the same form has the same name.
fn name(fingerprint: &BaseFingerprint, blocks: Quantization) -> PathBuf {
    let content: String = fingerprint.content.chars().take(16).collect();
    let form = match blocks {
        Quantization::Nf4DoubleQuantized => "nf4-double",
        Quantization::Nf4 | Quantization::AsStored => "nf4",
    };
    PathBuf::from(format!("{content}-{form}"))
}

fn write(checkpoint: &Checkpoint, blocks: Quantization, path: &Path, told: Told<'_>) -> Result<()> {
    let loading = Loading::begin(checkpoint, told)?;
    let mut parts = Vec::new();
    for tensor in checkpoint.tensors() {
        match blocks.double_quantization() {
            Some(double) if is_linear(&tensor) => {
                let weight = tensor.to_nf4(double)?;
                let stored = bitsandbytes::parts(tensor.name, &weight, tensor.shape);
                parts.extend(stored.into_iter().map(|(name, part)| (name, part.into())));
            }
            _ => parts.push((tensor.name.to_owned(), Stored::as_it_is(&tensor)?)),
        }
        loading.loaded(tensor.bytes.len())?;
    }
    create_atomically(path, |temporary| {
        safetensors::serialize_to_file(parts, None, temporary).map_err(|error| match error {
            safetensors::SafeTensorError::IoError(error) => error,
            other => std::io::Error::other(other),
        })
    })
}

/// The linear maps inside the blocks, and nothing else: embeddings and head stay as they are.
fn is_linear(tensor: &TensorView<'_>) -> bool {
    tensor.name.contains(".layers.")
        && tensor.name.ends_with(".weight")
        && tensor.shape.len() == 2
        && matches!(
            tensor.stored,
            StoredType::F32 | StoredType::F16 | StoredType::BF16
        )
}

/// A tensor to be written.
struct Stored<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Stored<'a> {
    fn as_it_is(tensor: &TensorView<'a>) -> Result<Self> {
        let dtype = match tensor.stored {
            StoredType::F32 => Dtype::F32,
            StoredType::F16 => Dtype::F16,
            StoredType::BF16 => Dtype::BF16,
            other => {
                return Err(Error::TensorType {
                    path: tensor.path.to_path_buf(),
                    name: tensor.name.to_owned(),
                    found: other.name(),
                });
            }
        };
        Ok(Self {
            dtype,
            shape: tensor.shape.to_vec(),
            bytes: Cow::Borrowed(tensor.bytes),
        })
    }
}

impl From<bitsandbytes::Part> for Stored<'_> {
    fn from(part: bitsandbytes::Part) -> Self {
        Self {
            dtype: part.dtype,
            shape: part.shape,
            bytes: Cow::Owned(part.bytes),
        }
    }
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
