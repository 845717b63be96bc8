//! Weights on disk, memory-mapped and looked up by the tensor names of a Hugging Face checkpoint,
//! whichever format the files have. A tensor leaves here in the form it was stored in, after its
//! shape was checked.

mod gguf_file;
mod layout;
mod safetensors_folder;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::Tensor;

pub use self::layout::Layout;
pub(super) use self::safetensors_folder::shards;
use super::bitsandbytes;
use super::gguf::{GgufHeader, GgufModel, has_magic};
use super::quantization::Quantization;
use super::stored_type::StoredType;
use crate::ops::frozen_matrix::FrozenMatrix;
use crate::ops::ggml_blocks::GgmlBlocks;
use crate::ops::nf4::Nf4;
use crate::{Error, Result};

/// Every tensor of a model, wherever it is stored.
pub struct Checkpoint {
    origin: PathBuf,
    format: FileFormat,
    files: Vec<WeightFile>,
    tensors: BTreeMap<String, Entry>,
}

/// The kind of a model's weight files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// As Hugging Face publishes models.
    Safetensors,
    /// As llama.cpp does.
    Gguf,
}

impl FileFormat {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Gguf => "gguf",
        }
    }
}

pub(super) struct WeightFile {
    pub(super) path: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    Mapped(memmap2::Mmap),
    Static(&'static [u8]),
    Owned(Vec<u8>),
}

/// Where a tensor lies. Its range was held against the length of its file.
struct Entry {
    /// Index into `files`.
    file: usize,
    stored: StoredType,
    shape: Vec<usize>,
    bytes: Range<usize>,
    layout: Layout,
}

/// A tensor in a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferPart {
    /// Its name.
    pub name: String,
    /// How its numbers are stored.
    pub stored: StoredType,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where it lies.
    pub bytes: Range<usize>,
}

/// What a checkpoint says of one tensor.
pub struct TensorView<'a> {
    /// Its name.
    pub name: &'a str,
    /// The stored type.
    pub stored: &'a StoredType,
    /// The stored shape.
    pub shape: &'a [usize],
    /// The stored bytes.
    pub bytes: &'a [u8],
    /// How its numbers differ from those of a checkpoint.
    pub layout: Layout,
    /// The file it is in.
    pub path: &'a Path,
}

impl WeightFile {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        // SAFETY: the map is only read. If another program changes the file meanwhile, we read
        // other numbers; every size was checked against the map's length, which stays.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io("read", &path))?;
        Ok(Self {
            path,
            bytes: Bytes::Mapped(map),
        })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Static(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
        }
    }
}

impl Checkpoint {
    /// The safetensors files of a Hugging Face folder.
    ///
    /// # Errors
    /// When there are none, a shard is missing, or a file is damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let files = safetensors_folder::files(folder)?
            .into_iter()
            .map(WeightFile::open)
            .collect::<Result<_>>()?;
        Self::of_safetensors(folder.to_path_buf(), files)
    }

    /// A safetensors file inside the executable.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn from_static(origin: &Path, bytes: &'static [u8]) -> Result<Self> {
        let file = WeightFile {
            path: origin.join("model.safetensors"),
            bytes: Bytes::Static(bytes),
        };
        Self::of_safetensors(origin.to_path_buf(), vec![file])
    }

    /// A safetensors file in memory.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn from_bytes(origin: &Path, bytes: Vec<u8>) -> Result<Self> {
        let file = WeightFile {
            path: origin.to_path_buf(),
            bytes: Bytes::Owned(bytes),
        };
        Self::of_safetensors(origin.to_path_buf(), vec![file])
    }

    /// Tensors at these places of one buffer; several may be the same bytes.
    ///
    /// # Errors
    /// When a place lies outside the buffer or is not as long as its tensor.
    pub fn of_parts(origin: &Path, bytes: Vec<u8>, parts: Vec<BufferPart>) -> Result<Self> {
        let tensors = { parts.into_iter() }
            .map(|part| {
                let numbers: usize = part.shape.iter().product();
                let needed = part.stored.block_bytes().zip(part.stored.block_size());
                let needed = needed.map(|(bytes, block)| numbers / block * bytes);
                let found = bytes.get(part.bytes.clone()).map(<[u8]>::len);
                if found.is_none() || found != needed {
                    return Err(Error::ModelFileInvalid {
                        path: origin.to_path_buf(),
                        problem: format!(
                            "tensor {} does not lie at {:?} of {} bytes",
                            part.name,
                            part.bytes,
                            bytes.len()
                        ),
                    });
                }
                let entry = Entry {
                    file: 0,
                    stored: part.stored,
                    shape: part.shape,
                    bytes: part.bytes,
                    layout: Layout::CHECKPOINT,
                };
                Ok((part.name, entry))
            })
            .collect::<Result<_>>()?;
        let file = WeightFile {
            path: origin.to_path_buf(),
            bytes: Bytes::Owned(bytes),
        };
        Ok(Self {
            origin: origin.to_path_buf(),
            format: FileFormat::Safetensors,
            files: vec![file],
            tensors,
        })
    }

    /// A GGUF file whose header was read.
    pub(super) fn of_gguf(
        file: WeightFile,
        header: &GgufHeader,
        model: &GgufModel,
    ) -> Result<Self> {
        Ok(Self {
            origin: file.path.clone(),
            format: FileFormat::Gguf,
            tensors: gguf_file::entries(&file.path, header, model)?,
            files: vec![file],
        })
    }

    fn of_safetensors(origin: PathBuf, files: Vec<WeightFile>) -> Result<Self> {
        let mut tensors: BTreeMap<String, Entry> = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            for (name, entry) in safetensors_folder::entries(file, number)? {
                if let Some(first) = tensors.get(&name) {
                    return Err(Error::ModelFileInvalid {
                        path: file.path.clone(),
                        problem: format!(
                            "tensor {name} is also in {}",
                            files[first.file].path.display()
                        ),
                    });
                }
                tensors.insert(name, entry);
            }
        }
        Ok(Self {
            origin,
            format: FileFormat::Safetensors,
            files,
            tensors,
        })
    }

    /// The folder or file (or the built-in model's name).
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// Whether a tensor of this name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Every tensor, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = TensorView<'_>> {
        self.tensors
            .iter()
            .map(|(name, entry)| self.view(name, entry))
    }

    /// One tensor.
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        let (name, entry) = self.tensors.get_key_value(name)?;
        Some(self.view(name, entry))
    }

    /// What kind of files these are.
    pub fn format(&self) -> FileFormat {
        self.format
    }

    /// Paths and lengths of the files.
    pub fn files(&self) -> impl Iterator<Item = (&Path, u64)> {
        self.files
            .iter()
            .map(|file| (file.path.as_path(), file.bytes().len() as u64))
    }

    /// Bytes of all tensors together.
    pub fn total_bytes(&self) -> u64 {
        self.tensors().map(|tensor| tensor.bytes.len() as u64).sum()
    }

    fn view<'a>(&'a self, name: &'a str, entry: &'a Entry) -> TensorView<'a> {
        let file = &self.files[entry.file];
        TensorView {
            name,
            stored: &entry.stored,
            shape: &entry.shape,
            bytes: &file.bytes()[entry.bytes.clone()],
            layout: entry.layout,
            path: &file.path,
        }
    }

    /// Whether two tensors are stored with the same type, shape and bytes.
    pub fn same_bytes(&self, a: &str, b: &str) -> bool {
        match (self.tensor(a), self.tensor(b)) {
            (Some(a), Some(b)) => (a.stored, a.shape, a.bytes) == (b.stored, b.shape, b.bytes),
            _ => false,
        }
    }

    /// Some of a weight's numbers, spread evenly over it, without loading the whole where that can be
    /// avoided. None when there is no such weight or its type cannot be computed with.
    pub fn sampled(&self, name: &str, samples: usize) -> Option<Vec<f32>> {
        if let Ok(Some((weight, _))) = self.bitsandbytes(name) {
            let numbers = |at: usize| {
                let mut number = [0.0];
                weight.dequantize(at..at + 1, &mut number);
                number[0]
            };
            return Some(spread(weight.elements(), samples).map(numbers).collect());
        }
        let view = self.tensor(name)?;
        let elements = view.shape.iter().product();
        spread(elements, samples)
            .map(|at| view.number(at))
            .collect()
    }

    fn bitsandbytes(&self, name: &str) -> Result<Option<(Nf4, [usize; 2])>> {
        let find = |name: &str| self.tensor(name);
        bitsandbytes::nf4_weight(&self.origin, name, &find)
    }

    /// Loads a tensor of floats in its stored type.
    ///
    /// # Errors
    /// When it is missing, has another shape than `expected`, or is not in F32, F16 or BF16.
    pub fn load(&self, name: &str, expected: &[usize]) -> Result<Tensor> {
        self.expect(name, expected)?.to_tensor()
    }

    /// Loads the weight of a linear map or an embedding; floats may be quantized on the way.
    ///
    /// # Errors
    /// When it is missing, has another shape than `expected`, or a type that cannot be computed with.
    pub fn load_matrix(
        &self,
        name: &str,
        expected: [usize; 2],
        quantization: Quantization,
    ) -> Result<FrozenMatrix> {
        let [rows, columns] = expected;
        if let Some((weight, found)) = self.bitsandbytes(name)? {
            if found != expected {
                return Err(self.other_shape(name, &self.origin, &found, &expected));
            }
            return Ok(FrozenMatrix::nf4(weight, rows, columns)?);
        }
        let view = self.expect(name, &expected)?;
        match view.stored {
            StoredType::Blocks(kind) => {
                let blocks = GgmlBlocks::new(*kind, columns, view.rows())?;
                Ok(FrozenMatrix::blocks(blocks, rows, columns))
            }
            _ => match quantization.double_quantization() {
                None => Ok(FrozenMatrix::dense(&view.to_tensor()?)?),
                Some(double) => Ok(FrozenMatrix::nf4(view.to_nf4(double)?, rows, columns)?),
            },
        }
    }

    fn expect(&self, name: &str, expected: &[usize]) -> Result<TensorView<'_>> {
        let view = self.tensor(name).ok_or_else(|| Error::TensorMissing {
            path: self.origin.clone(),
            name: name.to_owned(),
        })?;
        if view.shape != expected {
            return Err(self.other_shape(name, view.path, view.shape, expected));
        }
        Ok(view)
    }

    fn other_shape(&self, name: &str, path: &Path, found: &[usize], expected: &[usize]) -> Error {
        Error::TensorShape {
            path: path.to_path_buf(),
            name: name.to_owned(),
            found: found.to_vec(),
            expected: expected.to_vec(),
        }
    }
}

/// Indices of `samples` of `elements` numbers, from the first to the last.
fn spread(elements: usize, samples: usize) -> impl Iterator<Item = usize> {
    let last = elements.saturating_sub(1);
    (0..samples.min(elements)).map(move |sample| last * sample / (samples - 1).max(1))
}

/// Where a model's files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// The model inside the executable.
    Builtin,
    /// A Hugging Face folder.
    Folder(PathBuf),
    /// A GGUF file.
    Gguf(PathBuf),
}

impl ModelSource {
    /// `builtin`, or a path. Ollama names its files by their hashes, so what begins like a GGUF file is
    /// one.
    pub fn parse(name: &str) -> Self {
        let path = PathBuf::from(name);
        let ending = path.extension().unwrap_or_default();
        match name {
            "builtin" => Self::Builtin,
            _ if path.is_dir() => Self::Folder(path),
            _ if ending.eq_ignore_ascii_case("gguf") || has_magic(&path) => Self::Gguf(path),
            _ => Self::Folder(path),
        }
    }

    /// The folder or file, or a name to show for the built-in model.
    pub fn origin(&self) -> Cow<'_, Path> {
        match self {
            Self::Builtin => Cow::Borrowed(Path::new("builtin")),
            Self::Folder(path) | Self::Gguf(path) => Cow::Borrowed(path),
        }
    }
}
