//! Weights on disk: one or several safetensors files, memory-mapped, looked up by tensor name. A
//! tensor leaves here in the type it was stored in, after its shape was checked.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Metadata, SafeTensors};

use crate::{Error, Result};

/// Every tensor of a model, wherever it is stored.
pub struct Checkpoint {
    origin: PathBuf,
    files: Vec<TensorFile>,
    /// Tensor name -> index into `files`.
    index: BTreeMap<String, usize>,
}

struct TensorFile {
    path: PathBuf,
    bytes: Bytes,
    metadata: Metadata,
    /// Where the tensors' bytes begin.
    data_start: usize,
}

enum Bytes {
    Mapped(memmap2::Mmap),
    Static(&'static [u8]),
}

/// What a checkpoint says of one tensor.
pub struct TensorView<'a> {
    /// Its name.
    pub name: &'a str,
    /// The stored type.
    pub dtype: safetensors::Dtype,
    /// The stored shape.
    pub shape: &'a [usize],
    /// The stored bytes.
    pub bytes: &'a [u8],
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Static(bytes) => bytes,
        }
    }
}

impl TensorFile {
    fn new(path: PathBuf, bytes: Bytes) -> Result<Self> {
        let (header, metadata) = SafeTensors::read_metadata(bytes.as_slice()).map_err(|error| {
            Error::ModelFileInvalid {
                path: path.clone(),
                problem: format!("not a complete safetensors file ({error})"),
            }
        })?;
        Ok(Self {
            path,
            bytes,
            metadata,
            data_start: header + 8,
        })
    }

    fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        // SAFETY: the map is only read. If another program changes the file meanwhile, we read
        // other numbers; every size was checked against the map's length, which stays.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io("read", &path))?;
        Self::new(path, Bytes::Mapped(map))
    }
}

impl Checkpoint {
    /// The safetensors files of a Hugging Face folder.
    ///
    /// # Errors
    /// When there are none, a shard is missing, or a file is damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let index_path = folder.join("model.safetensors.index.json");
        let names = if index_path.is_file() {
            shards_of_index(&index_path)?
        } else {
            vec!["model.safetensors".to_owned()]
        };
        let mut files = Vec::new();
        for name in names {
            let path = folder.join(&name);
            if !path.is_file() {
                return Err(Error::ModelFileMissing {
                    folder: folder.to_path_buf(),
                    file: name,
                });
            }
            files.push(TensorFile::open(path)?);
        }
        Self::from_files(folder.to_path_buf(), files)
    }

    /// A safetensors file inside the executable.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn from_static(origin: &Path, bytes: &'static [u8]) -> Result<Self> {
        let path = origin.join("model.safetensors");
        let file = TensorFile::new(path, Bytes::Static(bytes))?;
        Self::from_files(origin.to_path_buf(), vec![file])
    }

    fn from_files(origin: PathBuf, files: Vec<TensorFile>) -> Result<Self> {
        let mut index = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            for name in file.metadata.offset_keys() {
                if let Some(first) = index.insert(name.clone(), number) {
                    return Err(Error::ModelFileInvalid {
                        path: file.path.clone(),
                        problem: format!(
                            "tensor {name} is also in {}",
                            files[first].path.display()
                        ),
                    });
                }
            }
        }
        Ok(Self {
            origin,
            files,
            index,
        })
    }

    /// The folder (or the built-in model's name).
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// Whether a tensor of this name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// Every tensor, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = TensorView<'_>> {
        self.index
            .iter()
            .filter_map(|(name, &file)| self.view(name, file))
    }

    /// Bytes of all tensors together.
    pub fn total_bytes(&self) -> u64 {
        self.tensors().map(|tensor| tensor.bytes.len() as u64).sum()
    }

    fn view<'a>(&'a self, name: &'a str, file: usize) -> Option<TensorView<'a>> {
        let file = self.files.get(file)?;
        let info = file.metadata.info(name)?;
        let (start, end) = info.data_offsets;
        let bytes = file
            .bytes
            .as_slice()
            .get(file.data_start + start..file.data_start + end)?;
        Some(TensorView {
            name,
            dtype: info.dtype,
            shape: &info.shape,
            bytes,
        })
    }

    /// Whether two tensors are stored with the same type, shape and bytes.
    pub fn same_bytes(&self, a: &str, b: &str) -> bool {
        let find = |name: &str| {
            let (key, &file) = self.index.get_key_value(name)?;
            self.view(key, file)
        };
        match (find(a), find(b)) {
            (Some(a), Some(b)) => (a.dtype, a.shape, a.bytes) == (b.dtype, b.shape, b.bytes),
            _ => false,
        }
    }

    /// Loads a tensor in its stored type.
    ///
    /// # Errors
    /// When it is missing, has another shape than `expected`, or is not in F32, F16 or BF16.
    pub fn load(&self, name: &str, expected: &[usize]) -> Result<Tensor> {
        let missing = || Error::TensorMissing {
            path: self.origin.clone(),
            name: name.to_owned(),
        };
        let (key, &number) = self.index.get_key_value(name).ok_or_else(missing)?;
        let view = self.view(key, number).ok_or_else(missing)?;
        let path = || self.files[number].path.clone();
        if view.shape != expected {
            return Err(Error::TensorShape {
                path: path(),
                name: name.to_owned(),
                found: view.shape.to_vec(),
                expected: expected.to_vec(),
            });
        }
        let Some(dtype) = float_type(view.dtype) else {
            return Err(Error::TensorType {
                path: path(),
                name: name.to_owned(),
                found: format!("{:?}", view.dtype),
            });
        };
        Ok(Tensor::from_raw_buffer(
            view.bytes,
            dtype,
            view.shape,
            &Device::Cpu,
        )?)
    }
}

/// The types that weights may be stored in.
pub(super) fn float_type(dtype: safetensors::Dtype) -> Option<DType> {
    match dtype {
        safetensors::Dtype::F32 => Some(DType::F32),
        safetensors::Dtype::F16 => Some(DType::F16),
        safetensors::Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}

/// File names of a `model.safetensors.index.json`, each once, sorted.
fn shards_of_index(path: &Path) -> Result<Vec<String>> {
    let invalid = |problem: String| Error::ModelFileInvalid {
        path: path.to_path_buf(),
        problem,
    };
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    let index: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
    let map = index
        .get("weight_map")
        .and_then(|map| map.as_object())
        .ok_or_else(|| invalid("weight_map is missing or not an object".to_owned()))?;
    let mut names = std::collections::BTreeSet::new();
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
