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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn model(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("config.json"), "{}").unwrap();
        path
    }

    #[test]
    fn only_models_strictly_inside_our_folder_may_be_deleted() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("models");
        let good = model(&folder, "org/good");
        let canonical = good.canonicalize().unwrap();
        assert_eq!(check_deletion(&good, &folder), Ok(vec![canonical]));
        let outside = model(home.path(), "outside");
        // Whatever else lies there is not the window's to delete.
        model(home.path(), "models");
        fs::create_dir(folder.join("bare")).unwrap();
        fs::write(folder.join("notes.txt"), "").unwrap();
        for path in [
            outside.clone(),
            folder.clone(),
            folder.join("org"),
            folder.join("bare"),
            folder.join("notes.txt"),
            folder.join("gone"),
            folder.join("org/.."),
            folder.join("org/good/.."),
            folder.join("../outside"),
            folder.join("org/../../outside"),
            home.path().to_path_buf(),
        ] {
            let refused = delete(&path, &folder);
            assert!(refused.is_err(), "{}", path.display());
        }
        assert!(delete(&good, &home.path().join("no such folder")).is_err());
        assert!(outside.join("config.json").is_file());
        assert!(good.is_dir() && folder.join("notes.txt").is_file());
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere() {
        use std::os::unix::fs::symlink;

        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("models");
        let inside = model(&folder, "inside");
        let elsewhere = home.path().join("elsewhere");
        let target = model(&elsewhere, "target");
        fs::write(elsewhere.join("m.gguf"), "GGUF").unwrap();
        symlink(&target, folder.join("link")).unwrap();
        symlink(&elsewhere, folder.join("out")).unwrap();
        symlink(elsewhere.join("m.gguf"), folder.join("m.gguf")).unwrap();
        symlink(&inside, folder.join("beside")).unwrap();
        for path in ["link", "out/target", "out/m.gguf", "m.gguf", "beside"] {
            assert!(delete(&folder.join(path), &folder).is_err(), "{path}");
        }
        assert!(target.is_dir() && elsewhere.join("m.gguf").is_file());
        // The folder of models itself may lie on another disk.
        let other = home.path().join("other");
        symlink(&folder, &other).unwrap();
        assert!(check_deletion(&other.join("inside"), &folder).is_ok());
        assert!(check_deletion(&folder.join("inside"), &other).is_ok());
    }

    #[test]
    fn all_parts_of_a_model_go_together() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().canonicalize().unwrap();
        let write = |name: &str| {
            fs::write(folder.join(name), "GGUF").unwrap();
            folder.join(name)
        };
        let parts = [
            write("m-00001-of-00002.gguf"),
            write("m-00002-of-00002.gguf"),
        ];
        write("m-00001-of-00003.gguf");
        write("n-00001-of-00002.gguf");
        let alone = write("m.gguf");
        assert_eq!(check_deletion(&parts[0], &folder), Ok(parts.to_vec()));
        assert_eq!(check_deletion(&alone, &folder), Ok(vec![alone]));
    }

    #[test]
    fn what_is_refused_is_said_visibly() {
        let home = tempfile::tempdir().unwrap();
        let problem = delete(&home.path().join("a\u{202e}b"), home.path()).unwrap_err();
        assert!(!problem.contains('\u{202e}'), "{problem:?}");
    }
}
