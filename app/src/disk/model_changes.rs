//! What the window changes of models: whether they are there. Only those that are Stepladder's own.

use std::path::{Path, PathBuf};

use crate::text::visible;
use crate::words::disk as words;

/// Files of a folder that are looked at for the other parts of a model.
const MAX_ENTRIES: usize = 10_000;

/// Moves a model to the system's bin. Only a model, and only one that lies in the folder of models that
/// is ours.
///
/// # Errors
/// A sentence that says why not.
pub fn delete(model: &Path, folder: &Path) -> Result<(), String> {
    let files = check_deletion(model, folder)?;
    trash::delete_all(files).map_err(|error| {
        let shown = visible(&model.display().to_string());
        words::not_to_bin(&shown, &visible(&error.to_string()))
    })
}

/// What goes to the bin with a model: its folder, or its file with the other parts of it; none of them
/// a link, all of them strictly inside `folder` once every link on the way is resolved.
///
/// # Errors
/// A sentence that says why nothing may.
pub fn check_deletion(model: &Path, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let shown = |path: &Path| visible(&path.display().to_string());
    let elsewhere = || words::lies_elsewhere(&shown(model), &shown(folder));
    let metadata = std::fs::symlink_metadata(model)
        .map_err(|error| words::not_found(&shown(model), &visible(&error.to_string())))?;
    if metadata.is_symlink() {
        return Err(words::is_link(&shown(model)));
    }
    // A path that ends in `..` names no entry of the folder.
    let (Some(_), Ok(root), Ok(inside)) = (
        model.file_name(),
        folder.canonicalize(),
        model.canonicalize(),
    ) else {
        return Err(elsewhere());
    };
    if inside == root || !inside.starts_with(&root) {
        return Err(elsewhere());
    }
    if metadata.is_dir() && inside.join("config.json").is_file() {
        Ok(vec![inside])
    } else if metadata.is_file() && is_gguf(&inside) {
        Ok(parts(inside))
    } else {
        Err(words::no_model(&shown(model)))
    }
}

fn is_gguf(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"))
}

/// All files of a model that may be one of several: `m-00001-of-00003.gguf` and those beside it.
fn parts(file: PathBuf) -> Vec<PathBuf> {
    let (Some(whole), Some(folder)) = (part_of(&file), file.parent()) else {
        return vec![file];
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut found: Vec<PathBuf> = { entries.take(MAX_ENTRIES).filter_map(Result::ok) }
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .filter(|path| part_of(path).as_ref() == Some(&whole))
        .collect();
    found.sort();
    match found.contains(&file) {
        true => found,
        false => vec![file],
    }
}

/// The name that all parts of a model have, and how many there are.
fn part_of(file: &Path) -> Option<(String, String)> {
    let name = file.file_stem()?.to_str()?;
    let (name, count) = name.rsplit_once("-of-")?;
    let (name, number) = name.rsplit_once('-')?;
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_gguf(file) && is_number(count) && is_number(number))
        .then(|| (name.to_owned(), count.to_owned()))
}
