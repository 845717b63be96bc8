//! Names of files and folders into sources: folders are opened, and what is no dataset in them is
//! passed over and told.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::container::{is_dataset_name, is_text_name};
use super::source::DataSource;
use crate::foreign_text::visible_excerpt;
use crate::{Error, Result};

/// Folders below folders, at most.
const MAX_DEPTH: usize = 64;

/// What was named, as sources.
#[derive(Clone, Debug, Default)]
pub struct FoundSources {
    /// The files, in the order they were named; those of a folder by their path.
    pub sources: Vec<DataSource>,
    /// Files and links in folders that are no datasets, or hidden.
    pub ignored: Vec<PathBuf>,
}

/// Files and folders as the user named them. A file is taken whatever it is called; of a folder, all
/// files that are called like datasets, in its folders too.
pub fn find_sources(paths: &[impl AsRef<Path>]) -> Result<FoundSources> {
    let mut found = FoundSources::default();
    for path in paths.iter().map(AsRef::as_ref) {
        if path.is_dir() {
            found.open_folder(path)?;
        } else if path.exists() {
            found.sources.push(DataSource::File(path.to_path_buf()));
        } else {
            return Err(Error::DatasetMissing {
                path: path.to_path_buf(),
                nearest: nearest_neighbor(path).map(|name| visible_excerpt(&name, 200)),
            });
        }
    }
    Ok(found)
}

impl FoundSources {
    fn open_folder(&mut self, folder: &Path) -> Result<()> {
        let before = self.sources.len();
        let mut entries = WalkDir::new(folder)
            .max_depth(MAX_DEPTH)
            .sort_by_file_name()
            .into_iter();
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(folder).to_path_buf();
                Error::io("read", path)(error.into())
            })?;
            if entry.depth() > 0 && is_hidden(&entry) {
                if entry.file_type().is_dir() {
                    entries.skip_current_dir();
                }
                self.ignored.push(entry.into_path());
            } else if is_file(&entry) && is_dataset_name(entry.path()) {
                self.sources.push(DataSource::File(entry.into_path()));
            } else if !entry.file_type().is_dir() {
                self.ignored.push(entry.into_path());
            }
        }
        self.pass_over_texts(before);
        if self.sources.len() == before {
            return Err(Error::DatasetEmpty {
                path: folder.to_path_buf(),
                problem: "the folder holds no dataset files".to_owned(),
                hint: "put .jsonl, .json, .csv, .tsv, .parquet, .txt or .md files there, packed as .gz \
                       or .zst or not"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// Texts beside rows are a folder's README and license. Where there are only texts, they are meant.
    fn pass_over_texts(&mut self, before: usize) {
        let found = self.sources.split_off(before);
        let is_text = |source: &DataSource| is_text_name(source.path());
        let (texts, rows): (Vec<_>, Vec<_>) = found.into_iter().partition(is_text);
        if rows.is_empty() {
            self.sources.extend(texts);
        } else {
            self.sources.extend(rows);
            let paths = texts.iter().map(|text| text.path().to_path_buf());
            self.ignored.extend(paths);
        }
    }
}

/// Links to files are files (the Hugging Face cache has no others); links to folders are not opened,
/// so that no walk goes in circles.
fn is_file(entry: &DirEntry) -> bool {
    entry.file_type().is_file() || (entry.path_is_symlink() && entry.path().is_file())
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

/// The file beside a missing one whose name is most like it.
fn nearest_neighbor(path: &Path) -> Option<String> {
    let asked = path.file_name()?.to_string_lossy().into_owned();
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let names = std::fs::read_dir(folder).ok()?.take(10_000).flatten();
    let (likeness, name) = names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .map(|name| (strsim::jaro_winkler(&asked, &name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness > 0.8).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[PathBuf], root: &Path) -> Vec<String> {
        let relative = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
        paths.iter().map(relative).collect()
    }

    #[test]
    fn folders_are_opened_and_strangers_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in [
            "b/two.csv.gz",
            "b/one.PARQUET",
            "a.jsonl",
            "a.png",
            ".git/x.json",
            "LICENSE",
        ] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root, root.join("b/circle")).unwrap();
            std::os::unix::fs::symlink(root.join("a.jsonl"), root.join("linked.jsonl")).unwrap();
        }
        let found = find_sources(&[root]).unwrap();
        let sources: Vec<PathBuf> = found.sources.iter().map(|s| s.path().into()).collect();
        let mut expected = vec!["a.jsonl", "b/one.PARQUET", "b/two.csv.gz"];
        let mut ignored = vec![".git", "LICENSE", "a.png"];
        if cfg!(unix) {
            expected.push("linked.jsonl");
            ignored.push("b/circle");
        }
        assert_eq!(names(&sources, root), expected);
        assert_eq!(names(&found.ignored, root), ignored);
        // A README beside rows is no dataset; texts by themselves are.
        let texts = root.join("texts");
        std::fs::create_dir(&texts).unwrap();
        std::fs::write(texts.join("README.md"), "x").unwrap();
        std::fs::write(texts.join("rows.jsonl"), "x").unwrap();
        let found = find_sources(&[&texts]).unwrap();
        assert_eq!(names(&found.ignored, root), ["texts/README.md"]);
        std::fs::remove_file(texts.join("rows.jsonl")).unwrap();
        assert_eq!(find_sources(&[&texts]).unwrap().sources.len(), 1);
        // What is named is taken, whatever it is called.
        let named = find_sources(&[root.join("LICENSE")]).unwrap();
        assert_eq!((named.sources.len(), named.ignored.len()), (1, 0));
    }

    #[test]
    fn what_is_missing_has_a_neighbor() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train.jsonl"), "").unwrap();
        let error = find_sources(&[folder.path().join("trian.jsonl")]).unwrap_err();
        assert_eq!(error.code(), "dataset_missing");
        assert_eq!(error.hint(), "did you mean train.jsonl?");
        let error = find_sources(&[folder.path().join("nothing/like/it")]).unwrap_err();
        assert!(error.hint().starts_with("check the path"));

        let empty = tempfile::tempdir().unwrap();
        let error = find_sources(&[empty.path()]).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("the folder holds no dataset files")
        );
    }
}
