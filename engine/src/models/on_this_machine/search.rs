//! A search under way: what was found, and how much more may be looked at.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use stepladder_protocol::{FoundModel, ModelList, ModelSource};

use crate::{Error, Result};

/// Entries of folders that are looked at, in the whole search.
const MOST_ENTRIES: usize = 200_000;
/// Models that are told.
const MOST_MODELS: usize = 2_000;
/// Notices that are told.
const MOST_NOTICES: usize = 20;

/// What was found so far.
pub(super) struct Search<'a> {
    list: ModelList,
    entries_left: usize,
    go_on: &'a dyn Fn() -> ControlFlow<()>,
}

/// Something in a folder.
pub(super) struct Entry {
    /// Its name.
    pub(super) name: String,
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it is, links not followed.
    pub(super) kind: Kind,
}

/// What an entry is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A folder.
    Folder,
    /// A file of so many bytes.
    File(u64),
    /// A link to whatever.
    Link,
}

impl Kind {
    /// A pipe or a device is nobody's model.
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        match metadata.file_type() {
            kind if kind.is_dir() => Some(Self::Folder),
            kind if kind.is_file() => Some(Self::File(metadata.len())),
            kind if kind.is_symlink() => Some(Self::Link),
            _ => None,
        }
    }
}

impl<'a> Search<'a> {
    /// Nothing found yet.
    pub(super) fn new(go_on: &'a dyn Fn() -> ControlFlow<()>) -> Self {
        Self {
            list: ModelList::default(),
            entries_left: MOST_ENTRIES,
            go_on,
        }
    }

    /// A model was found. One that two searches find is told by the first.
    pub(super) fn add(&mut self, model: FoundModel) {
        let mut told = self.list.models.iter();
        let is_told =
            told.any(|known| known.target == model.target && known.source != model.source);
        match self.list.models.len() {
            _ if is_told => {}
            MOST_MODELS => self.notice(format!(
                "more than {MOST_MODELS} models; the others are left out"
            )),
            _ => self.list.models.push(model),
        }
    }

    /// Something the user should know.
    pub(super) fn notice(&mut self, text: String) {
        let notices = &mut self.list.notices;
        if notices.len() < MOST_NOTICES && !notices.contains(&text) {
            notices.push(text);
        }
    }

    /// What a folder holds, sorted by name; nothing if there is no such folder.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the search is to end.
    pub(super) fn entries(&mut self, folder: &Path) -> Result<Vec<Entry>> {
        if (self.go_on)().is_break() {
            return Err(Error::Stopped);
        }
        let read = match std::fs::read_dir(folder) {
            Ok(read) => read,
            Err(error) => {
                if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
                    self.notice(format!("{} cannot be read: {error}", folder.display()));
                }
                return Ok(Vec::new());
            }
        };
        let mut entries = Vec::new();
        for entry in read {
            if self.entries_left == 0 {
                self.notice(format!(
                    "more than {MOST_ENTRIES} files were looked at; the search ended in {}",
                    folder.display()
                ));
                break;
            }
            self.entries_left -= 1;
            let known = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)));
            let (path, metadata) = match known {
                Ok(known) => known,
                Err(error) => {
                    self.notice(format!("{} cannot be read: {error}", folder.display()));
                    continue;
                }
            };
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                self.notice(format!("{} has a name that is not UTF-8", path.display()));
                continue;
            };
            if let Some(kind) = Kind::of(&metadata) {
                entries.push(Entry {
                    name: name.to_owned(),
                    kind,
                    path,
                });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// The folders in a folder, links left out.
    ///
    /// # Errors
    /// As [`Self::entries`].
    pub(super) fn folders(&mut self, folder: &Path) -> Result<Vec<Entry>> {
        let mut entries = self.entries(folder)?;
        entries.retain(|entry| matches!(entry.kind, Kind::Folder));
        Ok(entries)
    }

    /// All that was found: the built-in model, then by source and name.
    pub(super) fn finish(mut self) -> ModelList {
        let order = |model: &FoundModel| {
            let is_builtin = model.source == ModelSource::Builtin;
            (!is_builtin, model.source, model.name.clone())
        };
        self.list.models.sort_by_cached_key(order);
        self.list
    }
}
