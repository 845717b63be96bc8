//! Folders of comparisons as the window reads them. They may have been copied from anywhere, and other
//! programs may be writing to them: nothing of them is needed to list the others, every reading is
//! bounded.

use std::fs::{DirEntry, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use stepladder_engine::files::{create_atomically, write_json_atomically};
use stepladder_protocol::{CompareCommand, ComparedAnswer};

use super::json;
use super::runs::is_in_use;
use crate::state::compare::stored::{
    CompareAnswer, CompareList, CompareRequest, Entry, EntryState, Opened,
};
use crate::text::visible;
use crate::words::compare as words;
use crate::words::disk as disk_words;

/// Comparisons that are listed.
const MAX_LISTED: usize = 500;
/// Entries of the folder that are looked at.
const MAX_ENTRIES: usize = 20_000;
/// Of `comparison.json`, and of a line of answers.
const MAX_JSON: u64 = 4 << 20;
/// Of a report, and of all answers.
const MAX_REPORT: u64 = 256 << 20;

/// What was asked, as this window wrote it down.
const ASKED: &str = "comparison.json";
const ANSWERS: &str = "answers.jsonl";
const REPORT: &str = "report.json";

/// Does what is asked.
pub fn answer(request: CompareRequest) -> CompareAnswer {
    match request {
        CompareRequest::List { folder, ours } => {
            CompareAnswer::List(Box::new(list(folder, ours.as_deref())))
        }
        CompareRequest::Read(folder) => CompareAnswer::Read {
            found: read(&folder).map(Box::new),
            folder,
        },
        CompareRequest::Remember { folder, asked } => {
            let written = write_json_atomically(&folder.join(ASKED), &asked);
            CompareAnswer::Remembered(
                written.map_err(|error| words::not_remembered(&visible(&error.to_string()))),
            )
        }
        CompareRequest::Copy { from, to } => CompareAnswer::Saved(copy(&from, &to).map(|()| to)),
        CompareRequest::Delete { comparison, folder } => CompareAnswer::Deleted {
            result: delete(&comparison, &folder),
            comparison,
        },
    }
}

/// The first line of the answers.
#[derive(Deserialize)]
struct Header {
    comparison: HeaderOf,
}

#[derive(Deserialize)]
struct HeaderOf {
    variants: Vec<(String, String)>,
}

/// Any other line.
#[derive(Deserialize)]
struct Line {
    question: usize,
    variant: String,
    #[serde(flatten)]
    answer: ComparedAnswer,
}

/// What makes a folder a comparison of ours.
struct Marks {
    asked: Option<Box<CompareCommand>>,
    variants: Option<Vec<String>>,
}

impl Marks {
    fn of(folder: &Path) -> Self {
        Self {
            asked: { json::read(&folder.join(ASKED), MAX_JSON).ok().flatten() }.map(Box::new),
            variants: header(folder),
        }
    }

    fn is_comparison(&self) -> bool {
        self.asked.is_some() || self.variants.is_some()
    }
}

fn header(folder: &Path) -> Option<Vec<String>> {
    let file = File::open(folder.join(ANSWERS)).ok()?;
    let mut line = Vec::new();
    BufReader::new(file.take(MAX_JSON))
        .read_until(b'\n', &mut line)
        .ok()?;
    let header: Header = serde_json::from_slice(&line).ok()?;
    let names = header.comparison.variants.into_iter().map(|(name, _)| name);
    Some(names.collect())
}

fn list(folder: PathBuf, ours: Option<&Path>) -> CompareList {
    let mut list = CompareList {
        folder,
        ..CompareList::default()
    };
    let entries = match std::fs::read_dir(&list.folder) {
        Ok(entries) => entries,
        // Nothing was compared yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return list,
        Err(error) => {
            list.problem = Some(visible(&error.to_string()));
            return list;
        }
    };
    let mut found: Vec<(f64, PathBuf)> = { entries.take(MAX_ENTRIES).filter_map(Result::ok) }
        .filter_map(|entry| changed(&entry))
        .collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    list.left_out = found.len().saturating_sub(MAX_LISTED);
    found.truncate(MAX_LISTED);
    for (changed_at, folder) in found {
        let marks = Marks::of(&folder);
        if !marks.is_comparison() {
            continue;
        }
        let is_ours = ours == Some(folder.as_path());
        let state = if !is_ours && is_in_use(&folder) {
            EntryState::Elsewhere
        } else if folder.join(REPORT).is_file() {
            EntryState::Finished
        } else {
            EntryState::Stopped
        };
        list.entries.push(Entry {
            folder,
            changed_at,
            variants: marks.variants.unwrap_or_default(),
            state,
        });
    }
    list
}

/// A folder, no link, with a file of a comparison; with the time at which the latest was written.
fn changed(entry: &DirEntry) -> Option<(f64, PathBuf)> {
    if !entry.file_type().ok()?.is_dir() {
        return None;
    }
    let path = entry.path();
    let written = [ASKED, ANSWERS, REPORT].iter().filter_map(|name| {
        let modified = std::fs::metadata(path.join(name)).ok()?.modified().ok()?;
        Some(modified.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
    });
    let latest = written.max_by(f64::total_cmp)?;
    Some((latest, path))
}

fn read(folder: &Path) -> Result<Opened, String> {
    let shown = visible(&folder.display().to_string());
    let marks = Marks::of(folder);
    if !marks.is_comparison() {
        return Err(words::no_comparison(&shown));
    }
    let unreadable = |error: io::Error| words::unreadable(&shown, &visible(&error.to_string()));
    let mut opened = Opened {
        asked: marks.asked,
        document: json::read(&folder.join(REPORT), MAX_REPORT).map_err(unreadable)?,
        variants: marks.variants.unwrap_or_default(),
        answers: Vec::new(),
    };
    if opened.document.is_none() {
        opened.answers = answers(folder).map_err(unreadable)?;
    }
    Ok(opened)
}

/// The answers up to the first line that was not written whole.
fn answers(folder: &Path) -> io::Result<Vec<(usize, String, ComparedAnswer)>> {
    let file = match File::open(folder.join(ANSWERS)) {
        Ok(file) => file,
        // Runs are still trained for it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut answers = Vec::new();
    let lines = BufReader::new(file.take(MAX_REPORT)).split(b'\n').skip(1);
    for line in lines {
        let Ok(line) = serde_json::from_slice::<Line>(&line?) else {
            break;
        };
        answers.push((line.question, line.variant, line.answer));
    }
    Ok(answers)
}

/// Whole or not at all.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let not_saved = |problem: String| words::not_saved(&visible(&problem));
    let mut file = File::open(from).map_err(|error| not_saved(error.to_string()))?;
    create_atomically(to, |temporary| {
        io::copy(&mut file, &mut File::create(temporary)?).map(drop)
    })
    .map_err(|error| not_saved(error.to_string()))
}

fn delete(comparison: &Path, folder: &Path) -> Result<(), String> {
    check_deletion(comparison, folder)?;
    trash::delete(comparison).map_err(|error| {
        let shown = visible(&comparison.display().to_string());
        disk_words::not_to_bin(&shown, &visible(&error.to_string()))
    })
}

/// Whether a comparison may be moved to the bin: only one of ours, only one that lies in the folder of
/// comparisons itself, and only while nothing writes to it.
///
/// # Errors
/// A sentence that says why not.
pub fn check_deletion(comparison: &Path, folder: &Path) -> Result<(), String> {
    let shown = |path: &Path| visible(&path.display().to_string());
    let metadata = std::fs::symlink_metadata(comparison)
        .map_err(|error| disk_words::not_found(&shown(comparison), &visible(&error.to_string())))?;
    if metadata.file_type().is_symlink() {
        return Err(disk_words::is_link(&shown(comparison)));
    }
    if !metadata.is_dir() {
        return Err(disk_words::no_folder(&shown(comparison)));
    }
    if !Marks::of(comparison).is_comparison() {
        return Err(words::no_comparison(&shown(comparison)));
    }
    if is_in_use(comparison) {
        return Err(disk_words::in_use(&shown(comparison)));
    }
    let lies_there = { comparison.parent() }
        .and_then(|parent| parent.canonicalize().ok())
        .is_some_and(|parent| folder.canonicalize().ok() == Some(parent));
    match lies_there && comparison.file_name().is_some() {
        true => Ok(()),
        false => Err(disk_words::lies_elsewhere(
            &shown(comparison),
            &shown(folder),
        )),
    }
}
