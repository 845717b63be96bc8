//! What was dropped on the window: models by their look, datasets by name or as text.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use stepladder_engine::datasets::reader::is_dataset_name;

use crate::state::setup::dropped::{Dropped, DroppedKind};

/// Bytes of a file without a known name that are looked at.
const PEEK: u64 = 4096;
/// Entries of a folder among which a model is looked for.
const MAX_ENTRIES: usize = 1000;

/// Says what each is.
pub fn look_at(paths: Vec<PathBuf>) -> Vec<Dropped> {
    let mut found: Vec<Dropped> = Vec::new();
    for path in paths {
        let dropped = look(path);
        // The shards of a model name its folder, each.
        if !found.contains(&dropped) {
            found.push(dropped);
        }
    }
    found
}

fn look(path: PathBuf) -> Dropped {
    if let Some(path) = gguf_in(&path) {
        return Dropped {
            path,
            kind: DroppedKind::Model,
        };
    }
    let kind = kind_of(&path);
    // A weight file stands for the folder of its model.
    let whole = match kind {
        DroppedKind::Model if has_ending(&path, "safetensors") => {
            path.parent().map(Path::to_path_buf)
        }
        _ => None,
    };
    Dropped {
        path: whole.unwrap_or(path),
        kind,
    }
}

fn kind_of(path: &Path) -> DroppedKind {
    if path.is_dir() {
        return match path.join("config.json").is_file() {
            true => DroppedKind::Model,
            false => DroppedKind::Data,
        };
    }
    if !path.is_file() {
        return DroppedKind::Missing;
    }
    let beside = |name: &str| {
        path.parent()
            .is_some_and(|folder| folder.join(name).is_file())
    };
    if has_ending(path, "gguf") || (has_ending(path, "safetensors") && beside("config.json")) {
        DroppedKind::Model
    } else if is_dataset_name(path) || is_text(path) {
        DroppedKind::Data
    } else {
        DroppedKind::Unknown
    }
}

/// The `.gguf` file of a folder that other programs keep one in.
fn gguf_in(folder: &Path) -> Option<PathBuf> {
    if folder.join("config.json").is_file() {
        return None;
    }
    let entries = std::fs::read_dir(folder).ok()?.take(MAX_ENTRIES);
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| has_ending(path, "gguf")).min()
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|own| own.eq_ignore_ascii_case(ending))
}

fn is_text(path: &Path) -> bool {
    let mut begin = Vec::new();
    let read = File::open(path).and_then(|file| file.take(PEEK).read_to_end(&mut begin));
    let is_utf8 = match std::str::from_utf8(&begin) {
        Ok(_) => true,
        // The last character may be cut.
        Err(error) => error.error_len().is_none(),
    };
    read.is_ok() && is_utf8 && !begin.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_data_and_others_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str, bytes: &[u8]| {
            std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            std::fs::write(at(name), bytes).unwrap();
        };
        write("model/config.json", b"{}");
        write("model/a.safetensors", b"\0");
        write("model/b.safetensors", b"\0");
        write("data/a.jsonl", b"{}");
        write("m.GGUF", b"GGUF\0");
        write("lm/q4.gguf", b"GGUF\0");
        write("a.csv", b"a,b\n");
        write("notes", "é and more".as_bytes());
        write("picture.png", b"\x89PNG\r\n\x1a\n\0");
        write("lone.safetensors", b"\0\x01");
        let kind = |name: &str| look_at(vec![at(name)])[0].kind;
        assert_eq!(kind("model"), DroppedKind::Model);
        assert_eq!(kind("m.GGUF"), DroppedKind::Model);
        assert_eq!(kind("data"), DroppedKind::Data);
        assert_eq!(kind("a.csv"), DroppedKind::Data);
        assert_eq!(kind("notes"), DroppedKind::Data);
        assert_eq!(kind("picture.png"), DroppedKind::Unknown);
        assert_eq!(kind("lone.safetensors"), DroppedKind::Unknown);
        assert_eq!(kind("gone"), DroppedKind::Missing);
        let lone = Dropped {
            path: at("lm/q4.gguf"),
            kind: DroppedKind::Model,
        };
        assert_eq!(look_at(vec![at("lm")]), [lone]);
        let shards = look_at(vec![at("model/a.safetensors"), at("model/b.safetensors")]);
        let model = Dropped {
            path: at("model"),
            kind: DroppedKind::Model,
        };
        assert_eq!(shards, [model]);
    }
}
