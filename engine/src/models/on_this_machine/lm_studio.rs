//! LM Studio: `models/PUBLISHER/REPOSITORY/*.gguf` in its home, or in the folder that its settings
//! name.

use std::path::{Path, PathBuf};

use serde_json::Value;
use stepladder_protocol::ModelSource;

use super::search::Search;
use super::tree;
use crate::Result;
use crate::files::read_at_most;

/// Settings are a few kilobytes.
const SETTINGS_BYTES: u64 = 1 << 20;
/// Publisher, repository, and a folder inside.
const DEPTH: usize = 3;

/// Searches one of its homes.
pub(super) fn search(search: &mut Search<'_>, home: &Path) -> Result<()> {
    let mut folders = vec![home.join("models")];
    folders.extend(downloads_folder(home).filter(|folder| *folder != folders[0]));
    for folder in folders {
        tree::search(search, ModelSource::LmStudio, &folder, DEPTH)?;
    }
    Ok(())
}

/// Where the user had it keep its downloads.
fn downloads_folder(home: &Path) -> Option<PathBuf> {
    let text = read_at_most(&home.join("settings.json"), SETTINGS_BYTES).ok()?;
    let settings: Value = serde_json::from_slice(&text).ok()?;
    let folder = PathBuf::from(settings.get("downloadsFolder")?.as_str()?);
    folder.is_absolute().then_some(folder)
}
