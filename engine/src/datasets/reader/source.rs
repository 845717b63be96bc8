//! Where rows come from, and its bytes as they lie there: counted for progress and hashed for the
//! fingerprint while they pass.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{Error, Result};

/// Where rows come from.
#[derive(Clone, Debug)]
pub enum DataSource {
    /// A file.
    File(PathBuf),
    /// Bytes in memory, like the dataset inside the executable.
    Memory {
        /// What to call it in messages, like `builtin dataset`.
        name: &'static str,
        /// The content, as it would be in a file.
        bytes: Cow<'static, [u8]>,
    },
}

impl DataSource {
    /// The path, or the name in place of one.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Memory { name, .. } => Path::new(name),
        }
    }

    /// Bytes to read in all, as far as the system tells.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::File(path) => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Self::Memory { bytes, .. } => bytes.len() as u64,
        }
    }
}

/// What tells that a file is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::datasets) struct FileStamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl FileStamp {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        Ok(file.metadata()?.into())
    }

    /// Of a file that is not open; none if it is not there.
    pub(in crate::datasets) fn of_path(path: &Path) -> Option<Self> {
        Some(std::fs::metadata(path).ok()?.into())
    }
}

impl From<Metadata> for FileStamp {
    fn from(metadata: Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

/// Said when the stamp at the end is another than at the beginning.
pub(super) const FILE_CHANGED: &str =
    "the file changed while it was read, so rows may be missing or torn";

/// The bytes of a source from front to end.
pub(super) struct RawInput<'a> {
    bytes: Bytes<'a>,
    bytes_read: u64,
    at_end: bool,
    /// `None` once bytes were left out.
    hasher: Option<Box<blake3::Hasher>>,
}

enum Bytes<'a> {
    File { file: File, opened: FileStamp },
    Memory(Cursor<&'a [u8]>),
}

impl<'a> RawInput<'a> {
    pub(super) fn open(source: &'a DataSource) -> Result<Self> {
        let bytes = match source {
            DataSource::File(path) => {
                let file = File::open(path).map_err(Error::io("read", path))?;
                let opened = FileStamp::of(&file).map_err(Error::io("read", path))?;
                Bytes::File { file, opened }
            }
            DataSource::Memory { bytes, .. } => Bytes::Memory(Cursor::new(bytes.as_ref())),
        };
        Ok(Self {
            bytes,
            bytes_read: 0,
            at_end: false,
            hasher: Some(Box::default()),
        })
    }

    /// The first bytes, at most `count`, which are read again afterwards.
    pub(super) fn first_bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut first = Vec::with_capacity(count);
        match &mut self.bytes {
            Bytes::File { file, .. } => {
                file.take(count as u64).read_to_end(&mut first)?;
                file.rewind()?;
            }
            Bytes::Memory(bytes) => first.extend(bytes.get_ref().iter().take(count)),
        }
        Ok(first)
    }

    /// Goes on reading at another place, which gives up the fingerprint.
    pub(super) fn jump(&mut self, offset: u64) -> io::Result<()> {
        match &mut self.bytes {
            Bytes::File { file, .. } => file.seek(SeekFrom::Start(offset))?,
            Bytes::Memory(bytes) => bytes.seek(SeekFrom::Start(offset))?,
        };
        self.bytes_read = offset;
        self.at_end = false;
        self.hasher = None;
        Ok(())
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Whether size or time of the file are others than when it was opened.
    pub(super) fn has_changed(&self) -> bool {
        match &self.bytes {
            Bytes::File { file, opened } => FileStamp::of(file).ok() != Some(*opened),
            Bytes::Memory(_) => false,
        }
    }

    /// The hash of all bytes, when all have passed.
    pub(super) fn fingerprint(&self) -> Option<String> {
        let hasher = self.hasher.as_ref().filter(|_| self.at_end)?;
        Some(hasher.finalize().to_hex().to_string())
    }
}

impl Read for RawInput<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.bytes {
            Bytes::File { file, .. } => file.read(buffer)?,
            Bytes::Memory(bytes) => bytes.read(buffer)?,
        };
        self.bytes_read += count as u64;
        self.at_end |= count == 0 && !buffer.is_empty();
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        Ok(count)
    }
}
