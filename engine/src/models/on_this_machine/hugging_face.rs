//! The Hugging Face cache: `models--org--name/snapshots/REVISION` holds links to `blobs`, and
//! `refs/main` names the revision that is used.

use std::path::{Path, PathBuf};

use stepladder_protocol::ModelSource;

use super::search::Search;
use super::tree::{self, Root};
use crate::Result;
use crate::files::read_at_most;

/// A revision is a hash.
const REF_BYTES: u64 = 256;
/// Folders below a snapshot: repositories of GGUF files often have one for each quantization.
const DEPTH: usize = 1;

/// Searches the cache.
pub(super) fn search(search: &mut Search<'_>, cache: &Path) -> Result<()> {
    let Some(root) = Root::at(ModelSource::HuggingFace, cache) else {
        return Ok(());
    };
    for repository in search.folders(&root.canonical)? {
        let Some(name) = repository.name.strip_prefix("models--") else {
            continue;
        };
        let name = name.replace("--", "/");
        if let Some(snapshot) = snapshot(search, &repository.path)? {
            tree::below(search, &root, &snapshot, &name, DEPTH)?;
        }
    }
    Ok(())
}

/// The snapshot that `refs/main` names, or else the latest.
fn snapshot(search: &mut Search<'_>, repository: &Path) -> Result<Option<PathBuf>> {
    let snapshots = search.folders(&repository.join("snapshots"))?;
    let main = read_at_most(&repository.join("refs/main"), REF_BYTES).ok();
    let main = main.and_then(|bytes| String::from_utf8(bytes).ok());
    // Only a name that is there is taken, so it can lead nowhere else.
    let named = main.and_then(|main| {
        let mut found = snapshots.iter();
        found.find(|snapshot| snapshot.name == main.trim())
    });
    let changed = |path: &Path| path.metadata().and_then(|found| found.modified()).ok();
    let latest = || { snapshots.iter() }.max_by_key(|snapshot| changed(&snapshot.path));
    Ok(named.or_else(latest).map(|snapshot| snapshot.path.clone()))
}
