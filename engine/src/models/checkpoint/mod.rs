//! Weights on disk, memory-mapped and looked up by the tensor names of a Hugging Face checkpoint,
//! whichever format the files have. A tensor leaves here in the form it was stored in, after its
//! shape was checked.

mod safetensors_folder;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};

use super::quantization::Quantization;
use super::stored_type::StoredType;
use crate::ops::frozen_matrix::FrozenMatrix;
use crate::ops::ggml_blocks::GgmlBlocks;
use crate::ops::nf4::{DoubleQuantization, Nf4};
use crate::{Error, Result};

/// Every tensor of a model, wherever it is stored.
pub struct Checkpoint {
    origin: PathBuf,
    files: Vec<WeightFile>,
    tensors: BTreeMap<String, Entry>,
}

struct WeightFile {
    path: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    Mapped(memmap2::Mmap),
    Static(&'static [u8]),
}

/// Where a tensor lies. Its range was held against the length of its file.
struct Entry {
    /// Index into `files`.
    file: usize,
    stored: StoredType,
    shape: Vec<usize>,
    bytes: Range<usize>,
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
    /// The file it is in.
    pub path: &'a Path,
}

impl WeightFile {
    fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        // SAFETY: the map is only read. If another program changes the file meanwhile, we read
        // other numbers; every size was checked against the map's length, which stays.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io("read", &path))?;
        Ok(Self {
            path,
            bytes: Bytes::Mapped(map),
        })
    }

    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Static(bytes) => bytes,
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
    pub fn format(&self) -> &'static str {
        "safetensors"
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
        let view = self.expect(name, &expected)?;
        match view.stored {
            StoredType::Blocks(kind) => {
                let [rows, columns] = expected;
                let row_bytes = view.bytes.len() / rows.max(1);
                let stored_rows = view.bytes.chunks_exact(row_bytes.max(1));
                let blocks = GgmlBlocks::new(*kind, columns, stored_rows)?;
                Ok(FrozenMatrix::blocks(blocks, rows, columns))
            }
            _ => match quantization.double_quantization() {
                None => Ok(FrozenMatrix::dense(&view.to_tensor()?)?),
                Some(double) => {
                    let [rows, columns] = expected;
                    Ok(FrozenMatrix::nf4(view.to_nf4(double)?, rows, columns)?)
                }
            },
        }
    }

    fn expect(&self, name: &str, expected: &[usize]) -> Result<TensorView<'_>> {
        let view = self.tensor(name).ok_or_else(|| Error::TensorMissing {
            path: self.origin.clone(),
            name: name.to_owned(),
        })?;
        if view.shape != expected {
            return Err(Error::TensorShape {
                path: view.path.to_path_buf(),
                name: name.to_owned(),
                found: view.shape.to_vec(),
                expected: expected.to_vec(),
            });
        }
        Ok(view)
    }
}

impl TensorView<'_> {
    fn float_type(&self) -> Result<DType> {
        match self.stored {
            StoredType::F32 => Ok(DType::F32),
            StoredType::F16 => Ok(DType::F16),
            StoredType::BF16 => Ok(DType::BF16),
            StoredType::Blocks(_) | StoredType::Other(_) => Err(Error::TensorType {
                path: self.path.to_path_buf(),
                name: self.name.to_owned(),
                found: self.stored.name(),
            }),
        }
    }

    /// Quantizes floats straight from the file.
    fn to_nf4(&self, double_quantization: DoubleQuantization) -> Result<Nf4> {
        let width = self.float_type()?.size_in_bytes();
        let widen: fn(&[u8], &mut [f32]) = match self.stored {
            StoredType::F32 => |bytes, out| widen(bytes, out, f32::from_le_bytes),
            StoredType::F16 => |bytes, out| widen(bytes, out, |b| f16::from_le_bytes(b).to_f32()),
            _ => |bytes, out| widen(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
        };
        let read = |range: Range<usize>, out: &mut [f32]| {
            widen(&self.bytes[range.start * width..range.end * width], out);
        };
        let elements = self.bytes.len() / width;
        Nf4::quantize(elements, read, double_quantization).map_err(|problem| {
            Error::ModelFileInvalid {
                path: self.path.to_path_buf(),
                problem: format!("tensor {}: {problem}", self.name),
            }
        })
    }

    fn to_tensor(&self) -> Result<Tensor> {
        let dtype = self.float_type()?;
        let tensor = Tensor::from_raw_buffer(self.bytes, dtype, self.shape, &Device::Cpu)?;
        Ok(tensor)
    }
}

fn widen<const N: usize>(bytes: &[u8], out: &mut [f32], read: impl Fn([u8; N]) -> f32) {
    for (out, number) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *out = read(*number);
    }
}

/// Where a model's files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// The model inside the executable.
    Builtin,
    /// A Hugging Face folder.
    Folder(PathBuf),
}

impl ModelSource {
    /// `builtin`, or a path.
    pub fn parse(name: &str) -> Self {
        if name == "builtin" {
            Self::Builtin
        } else {
            Self::Folder(PathBuf::from(name))
        }
    }

    /// The folder, or a name to show for the built-in model.
    pub fn origin(&self) -> Cow<'_, Path> {
        match self {
            Self::Builtin => Cow::Borrowed(Path::new("builtin")),
            Self::Folder(folder) => Cow::Borrowed(folder),
        }
    }
}
