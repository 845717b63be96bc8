//! `answers.jsonl`: the settings of a comparison in its first line, then an answer a line, as they
//! come. A comparison that was stopped, killed or ran out of disk goes on behind its last whole line.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stepladder_protocol::{ComparedAnswer, SamplerSettings};

use crate::files::remove_temporary_files;
use crate::{Error, Result};

/// The file's name.
pub const ANSWERS: &str = "answers.jsonl";
const LOCK: &str = ".lock";
/// What a comparison writes at its end.
pub const RESULTS: [&str; 4] = ["report.json", "answers.csv", "report.html", "times.json"];

/// Everything that answers depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The model, as it was named.
    pub model: String,
    /// Recognizes its weights.
    pub weights: String,
    /// Names of the variants, and what recognizes each.
    pub variants: Vec<(String, String)>,
    /// Recognizes the questions with their references.
    pub questions: String,
    /// How answers are drawn.
    pub sampling: SamplerSettings,
    /// What finds final answers.
    pub answer_pattern: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    comparison: Settings,
}

/// An answer with what it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// The question's number, from 1.
    pub question: usize,
    /// The variant's name.
    pub variant: String,
    /// Seconds it took.
    pub elapsed_secs: f64,
    /// The answer.
    #[serde(flatten)]
    pub answer: ComparedAnswer,
}

/// The file, locked for writing.
pub struct AnswerFile {
    path: PathBuf,
    file: File,
    /// Held while the comparison is made.
    _lock: File,
}

impl AnswerFile {
    /// Opens the file of a folder, or makes both, and reads the answers that are there.
    ///
    /// # Errors
    /// When the folder holds answers by other settings or is in use, or the disk refuses.
    pub fn open(folder: &Path, settings: &Settings) -> Result<(Self, Vec<StoredAnswer>)> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let path = folder.join(ANSWERS);
        refuse_foreign(folder)?;
        let lock = lock(folder)?;
        remove_temporary_files(folder)?;
        let bytes = match path.exists() {
            true => std::fs::read(&path).map_err(Error::io("read", &path))?,
            false => Vec::new(),
        };
        let mut lines = Lines::new(&bytes);
        match lines.next() {
            Some(first) => check(folder, &path, first, settings)?,
            None => lines.whole = 0,
        }
        let mut answers = Vec::new();
        let mut whole = lines.whole;
        while let Some(line) = lines.next() {
            // What stands behind a line that cannot be read is asked again.
            let Ok(answer) = serde_json::from_slice(line) else {
                break;
            };
            answers.push(answer);
            whole = lines.whole;
        }
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let mut file = options.open(&path).map_err(Error::io("write", &path))?;
        file.set_len(whole as u64)
            .and_then(|()| file.seek(SeekFrom::End(0)).map(drop))
            .map_err(Error::io("write", &path))?;
        let mut opened = Self {
            path,
            file,
            _lock: lock,
        };
        if whole == 0 {
            opened.write(&Header {
                comparison: settings.clone(),
            })?;
        }
        Ok((opened, answers))
    }

    /// Adds an answer.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append(&mut self, answer: &StoredAnswer) -> Result<()> {
        self.write(answer)
    }

    fn write(&mut self, line: &impl Serialize) -> Result<()> {
        let mut bytes = serde_json::to_vec(line)
            .map_err(|error| Error::io("write", &self.path)(std::io::Error::other(error)))?;
        bytes.push(b'\n');
        { self.file.write_all(&bytes) }.map_err(Error::io("write", &self.path))
    }

    /// Makes what was added durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<()> {
        self.file
            .sync_data()
            .map_err(Error::io("write", &self.path))
    }
}

/// Lines that end in a line break; what is behind the last of them was not written whole.
struct Lines<'a> {
    bytes: &'a [u8],
    /// Bytes of the lines given so far.
    whole: usize,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, whole: 0 }
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.whole..];
        let end = memchr::memchr(b'\n', rest)?;
        self.whole += end + 1;
        Some(&rest[..end])
    }
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let lock = File::create(&path).map_err(Error::io("create", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::RunInUse {
            path: folder.to_path_buf(),
        }),
        Err(TryLockError::Error(source)) => Err(Error::io("lock", &path)(source)),
    }
}

fn refused(folder: &Path, problem: String, hint: &str) -> Error {
    Error::ConfigInvalid {
        field: "out",
        problem: format!("{} {problem}", folder.display()),
        hint: hint.to_owned(),
    }
}

/// A folder whose files are not ours is left alone.
pub(super) fn refuse_foreign(folder: &Path) -> Result<()> {
    if folder.join(ANSWERS).exists() {
        return Ok(());
    }
    let foreign = { RESULTS.iter().chain(&["run.json"]) }.find(|name| folder.join(name).exists());
    foreign.map_or(Ok(()), |name| {
        let problem = format!("holds {name}, and no comparison");
        Err(refused(folder, problem, "name another folder with --out"))
    })
}

/// Holds the first line against what is asked now.
fn check(folder: &Path, path: &Path, first: &[u8], settings: &Settings) -> Result<()> {
    let Ok(Header { comparison }) = serde_json::from_slice(first) else {
        let problem = format!("holds {}, which is not a comparison's", path.display());
        return Err(refused(folder, problem, "name another folder with --out"));
    };
    let Some(what) = difference(&comparison, settings) else {
        return Ok(());
    };
    Err(refused(
        folder,
        format!("holds answers by other settings: {what}"),
        "ask as before to go on, or name another folder with --out",
    ))
}

/// The first setting that is another one, in words.
fn difference(old: &Settings, new: &Settings) -> Option<String> {
    let fields = |settings: &Settings| match serde_json::to_value(settings) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (fields(old), fields(new));
    let (name, now) = new
        .iter()
        .find(|(name, value)| old.get(*name) != Some(value))?;
    Some(match name.as_str() {
        "weights" => "the model has other weights".to_owned(),
        "questions" => "the questions are others".to_owned(),
        "variants" => "the adapters are others".to_owned(),
        _ => {
            let before = old.get(name).unwrap_or(&Value::Null);
            format!("{} was {before} and is {now}", name.replace('_', " "))
        }
    })
}

/// Answers by question (from 0) and variant; of several to the same the first.
pub fn by_place(
    stored: Vec<StoredAnswer>,
    variants: &[String],
    questions: usize,
) -> HashMap<(usize, usize), StoredAnswer> {
    let mut found = HashMap::new();
    for answer in stored {
        let variant = variants.iter().position(|name| *name == answer.variant);
        if let (Some(variant), 1..) = (variant, answer.question)
            && answer.question <= questions
        {
            found
                .entry((answer.question - 1, variant))
                .or_insert(answer);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::{AnswerOutcome, AnswerVerdict, FinishReason, TraceState};

    fn settings(seed: u64) -> Settings {
        Settings {
            model: "builtin".to_owned(),
            weights: "w".to_owned(),
            variants: vec![("base".to_owned(), "a".to_owned())],
            questions: "q".to_owned(),
            sampling: SamplerSettings {
                seed: Some(seed),
                temperature: Some(0.1),
                ..SamplerSettings::default()
            },
            answer_pattern: None,
        }
    }

    fn answer(question: usize) -> StoredAnswer {
        StoredAnswer {
            question,
            variant: "base".to_owned(),
            elapsed_secs: 0.1,
            answer: ComparedAnswer {
                text: "line\nbreak \u{2028}".to_owned(),
                answer_start: 0,
                reasoning_tokens: 1,
                total_tokens: 2,
                trace: TraceState::Missing,
                outcome: AnswerOutcome::Answered,
                answer: None,
                verdict: AnswerVerdict::NotJudged,
                finish: FinishReason::Stop,
                distinct_3: Some(1.0 / 3.0),
            },
        }
    }

    #[test]
    fn answers_survive_and_a_torn_line_is_asked_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new/comparison");
        let (mut file, before) = AnswerFile::open(&folder, &settings(1)).unwrap();
        assert!(before.is_empty());
        file.append(&answer(1)).unwrap();
        file.append(&answer(2)).unwrap();
        let in_use = AnswerFile::open(&folder, &settings(1)).err().unwrap();
        assert_eq!(in_use.code(), "run_in_use");
        drop(file);
        let path = folder.join(ANSWERS);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        let (mut file, kept) = AnswerFile::open(&folder, &settings(1)).unwrap();
        assert_eq!(kept, [answer(1)]);
        file.append(&answer(2)).unwrap();
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        // A header that was not written whole is written again.
        std::fs::write(&path, &whole[..20]).unwrap();
        let (file, kept) = AnswerFile::open(&folder, &settings(1)).unwrap();
        assert!(kept.is_empty());
        drop(file);
        assert!(AnswerFile::open(&folder, &settings(1)).is_ok());
    }

    #[test]
    fn other_settings_and_foreign_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(AnswerFile::open(folder.path(), &settings(1)).unwrap());
        let error = AnswerFile::open(folder.path(), &settings(2)).err().unwrap();
        assert!(error.to_string().contains("sampling was"), "{error}");
        assert!(error.hint().contains("--out"));
        let other = Settings {
            questions: "r".to_owned(),
            ..settings(1)
        };
        let error = AnswerFile::open(folder.path(), &other).err().unwrap();
        assert!(
            error.to_string().contains("the questions are others"),
            "{error}"
        );

        let foreign = tempfile::tempdir().unwrap();
        std::fs::write(foreign.path().join("report.html"), "mine").unwrap();
        let error = AnswerFile::open(foreign.path(), &settings(1))
            .err()
            .unwrap();
        assert!(error.to_string().contains("report.html"), "{error}");
        assert_eq!(std::fs::read_dir(foreign.path()).unwrap().count(), 1);
        std::fs::write(foreign.path().join("report.html"), "mine").unwrap();
        std::fs::write(foreign.path().join(ANSWERS), "{\"prompt\":\"x\"}\n").unwrap();
        assert!(AnswerFile::open(foreign.path(), &settings(1)).is_err());
    }

    #[test]
    fn answers_find_their_place() {
        let found = by_place(
            vec![answer(1), answer(1), answer(0), answer(9)],
            &["base".to_owned()],
            3,
        );
        assert_eq!(found.keys().collect::<Vec<_>>(), [&(0, 0)]);
    }
}
