//! Ollama: `manifests/REGISTRY/NAMESPACE/NAME/TAG` names blobs by their hashes, and the one that is a
//! model is a GGUF file without that ending.

use std::path::Path;

use serde::Deserialize;
use stepladder_protocol::ModelSource;

use super::described;
use super::search::{Entry, Kind, Search};
use super::tree::Root;
use crate::Result;
use crate::files::read_at_most;

/// A manifest names a handful of layers.
const MANIFEST_BYTES: u64 = 1 << 20;
const MODEL: &str = "application/vnd.ollama.image.model";
/// Whose names are shown without it.
const REGISTRY: &str = "registry.ollama.ai";
const NAMESPACE: &str = "library";

/// What matters of a manifest.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
}

/// Searches a folder of models.
pub(super) fn search(search: &mut Search<'_>, models: &Path) -> Result<()> {
    let Some(root) = Root::at(ModelSource::Ollama, models) else {
        return Ok(());
    };
    for registry in search.folders(&root.canonical.join("manifests"))? {
        for namespace in search.folders(&registry.path)? {
            for name in search.folders(&namespace.path)? {
                for tag in search.entries(&name.path)? {
                    let shown = shown(&registry.name, &namespace.name, &name.name, &tag.name);
                    manifest(search, &root, &tag, shown);
                }
            }
        }
    }
    Ok(())
}

/// The model of a manifest.
fn manifest(search: &mut Search<'_>, root: &Root, tag: &Entry, name: String) {
    let Some(file) = root.file(&tag.path, tag.kind) else {
        return;
    };
    let manifest = read_at_most(&file.path, MANIFEST_BYTES)
        .ok()
        .and_then(|text| serde_json::from_slice::<Manifest>(&text).ok());
    let Some(manifest) = manifest else {
        return search.notice(format!("{} is no manifest of Ollama", tag.path.display()));
    };
    let mut layers = manifest.layers.iter();
    // One without a model runs elsewhere.
    let Some(layer) = layers.find(|layer| layer.media_type == MODEL) else {
        return;
    };
    let blob = hash(&layer.digest).map(|hash| root.canonical.join(format!("blobs/sha256-{hash}")));
    let Some(blob) = blob else {
        return search.notice(format!("{} names a blob by no hash", tag.path.display()));
    };
    let kind = { std::fs::symlink_metadata(&blob).ok() }.and_then(|found| Kind::of(&found));
    match kind.and_then(|kind| root.file(&blob, kind)) {
        Some(file) => search.add(described::gguf(name, &blob, &file, root.source)),
        None => search.notice(format!("{name} of Ollama is not downloaded whole")),
    }
}

/// The hash of a digest. Nothing else becomes part of a path.
fn hash(digest: &str) -> Option<&str> {
    let hash = digest.strip_prefix("sha256:")?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then_some(hash)
}

/// As Ollama calls it.
fn shown(registry: &str, namespace: &str, name: &str, tag: &str) -> String {
    match (registry, namespace) {
        (REGISTRY, NAMESPACE) => format!("{name}:{tag}"),
        (REGISTRY, namespace) => format!("{namespace}/{name}:{tag}"),
        (registry, namespace) => format!("{registry}/{namespace}/{name}:{tag}"),
    }
}
