//! Models anywhere below a folder: Hugging Face folders and GGUF files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stepladder_protocol::{FoundModel, ModelSource};

use super::described::{self, Files, Found};
use super::search::{Kind, Search};
use crate::Result;

/// A folder that is searched, and no link out of it followed.
pub(super) struct Root {
    pub(super) source: ModelSource,
    /// With its own links resolved.
    pub(super) canonical: PathBuf,
}

impl Root {
    /// None if there is no such folder.
    pub(super) fn at(source: ModelSource, folder: &Path) -> Option<Self> {
        let canonical = folder.canonicalize().ok()?;
        Some(Self { source, canonical })
    }

    /// The file that is at `path` or that a link there leads to, if that lies in this folder.
    pub(super) fn file(&self, path: &Path, kind: Kind) -> Option<Found> {
        match kind {
            Kind::Folder => None,
            Kind::File(bytes) => Some(Found {
                path: path.to_path_buf(),
                bytes,
            }),
            Kind::Link => {
                let path = path.canonicalize().ok()?;
                let metadata = path.metadata().ok()?;
                let is_ours = metadata.is_file() && path.starts_with(&self.canonical);
                is_ours.then_some(Found {
                    bytes: metadata.len(),
                    path,
                })
            }
        }
    }
}

/// Searches a folder and `depth` folders below it. A file is taken too.
pub(super) fn search(
    search: &mut Search<'_>,
    source: ModelSource,
    folder: &Path,
    depth: usize,
) -> Result<()> {
    let Some(root) = Root::at(source, folder) else {
        return Ok(());
    };
    if let Ok(metadata) = root.canonical.metadata()
        && metadata.is_file()
        && is_gguf(&last_part(folder))
    {
        let file = Found {
            path: root.canonical,
            bytes: metadata.len(),
        };
        search.add(described::gguf(last_part(folder), folder, &file, source));
        return Ok(());
    }
    below(search, &root, folder, "", depth)
}

/// Searches a folder that its source calls `name`; where that is empty, its models have the names of
/// their own folders.
pub(super) fn below(
    search: &mut Search<'_>,
    root: &Root,
    folder: &Path,
    name: &str,
    depth: usize,
) -> Result<()> {
    let entries = search.entries(folder)?;
    let files: Files = { entries.iter() }
        .filter_map(|entry| Some((entry.name.clone(), root.file(&entry.path, entry.kind)?)))
        .collect();
    for model in ggufs(root, folder, name, &files) {
        search.add(model);
    }
    let own_name = match name {
        "" => last_part(folder),
        name => name.to_owned(),
    };
    if let Some(model) = described::folder(own_name, folder, &files, root.source) {
        // What lies deeper are other forms of the same model.
        search.add(model);
        return Ok(());
    }
    let folders = entries.iter().filter(|entry| {
        matches!(entry.kind, Kind::Folder) && depth > 0 && !entry.name.starts_with('.')
    });
    for entry in folders {
        let name = joined(name, &entry.name);
        below(search, root, &entry.path, &name, depth - 1)?;
    }
    Ok(())
}

/// The GGUF files of a folder. Those of one model in several parts are one, and what only sees images
/// for another model is none.
fn ggufs(root: &Root, folder: &Path, name: &str, files: &Files) -> Vec<FoundModel> {
    let mut whole: BTreeMap<&str, Found> = BTreeMap::new();
    for (file_name, found) in files {
        if !is_gguf(file_name) || file_name.to_lowercase().contains("mmproj") {
            continue;
        }
        match part(file_name) {
            None => {
                whole.insert(file_name, found.clone());
            }
            // Sorted by name, so the first comes first; its name is the model's.
            Some(base) => match whole
                .iter_mut()
                .find(|(first, _)| part(first) == Some(base))
            {
                None => {
                    whole.insert(file_name, found.clone());
                }
                Some((_, first)) => first.bytes += found.bytes,
            },
        }
    }
    { whole.into_iter() }
        .map(|(file_name, found)| {
            let target = folder.join(file_name);
            described::gguf(joined(name, file_name), &target, &found, root.source)
        })
        .collect()
}

fn joined(name: &str, inside: &str) -> String {
    match name {
        "" => inside.to_owned(),
        name => format!("{name}/{inside}"),
    }
}

fn is_gguf(name: &str) -> bool {
    { Path::new(name).extension() }.is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"))
}

/// What all parts of a model are called, if this is one: `model` of `model-00001-of-00003.gguf`.
fn part(name: &str) -> Option<&str> {
    let (name, _) = name.rsplit_once('.')?;
    let (name, count) = name.rsplit_once("-of-")?;
    let (name, number) = name.rsplit_once('-')?;
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(count) && is_number(number)).then_some(name)
}

fn last_part(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
