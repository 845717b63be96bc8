//! Which questions are asked: those of their source that no compared run was trained on, as many as
//! were wished for, and what the user should know of the choice.

use std::collections::HashSet;
use std::ops::ControlFlow;

use stepladder_protocol::{DataOptions, RunConfig};

use super::extraction::{AnswerRules, Reference};
use super::questions::{self, Question, answered_keys};
use super::variants::Variant;
use crate::datasets::conversation::Sample;
use crate::datasets::load::LoadProgress;
use crate::datasets::samples::samples;
use crate::models::model::ModelFiles;
use crate::training::run_rows::RunRows;
use crate::{Error, Result};

/// What a selection is made of.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// The model as it was named.
    pub model: &'a str,
    /// A file or folder of questions.
    pub data: Option<&'a str>,
    /// Questions at most.
    pub limit: Option<usize>,
}

/// The questions, and how they were chosen.
#[derive(Debug, Default)]
pub struct Selection {
    /// What is asked.
    pub questions: Vec<Question>,
    /// Recognizes all questions that could be asked, whatever the limit: more of them may be asked later.
    pub fingerprint: String,
    /// Where they come from, in words.
    pub source: String,
    /// How many were left out because a run was trained on them.
    pub left_out: usize,
    /// What the user should know.
    pub notices: Vec<String>,
}

/// Whoever listens while datasets are read.
type Listener<'a> = &'a mut dyn FnMut(LoadProgress) -> ControlFlow<()>;

/// What the compared runs were trained on.
#[derive(Default)]
struct TrainedOn {
    /// The keys of the questions that they learned the answers of.
    keys: HashSet<u64>,
    /// Runs on the same data are read once.
    read: Vec<(DataOfRun, RunRows)>,
    notices: Vec<String>,
}

/// What decides which rows a run is trained on.
#[derive(PartialEq)]
struct DataOfRun {
    data: Vec<String>,
    options: DataOptions,
    held_out_bits: u64,
    context: Option<usize>,
    fingerprints: Vec<String>,
}

impl DataOfRun {
    fn of(config: &RunConfig) -> Self {
        Self {
            data: config.data.clone(),
            options: config.data_options.clone(),
            held_out_bits: config.held_out_fraction.to_bits(),
            context: config.context,
            fingerprints: config.data_fingerprints.clone(),
        }
    }
}

/// Chooses.
///
/// # Errors
/// When there are no questions, or none is left; when references were given that no answer could
/// equal; [`Error::Stopped`] when the listener ends it.
pub fn select(
    wish: Wish<'_>,
    files: &ModelFiles,
    variants: &[Variant],
    rules: &AnswerRules,
    progress: Listener<'_>,
) -> Result<Selection> {
    // What is wrong with a file of questions is said before datasets are read.
    let from_file = match (wish.data, wish.model) {
        (Some(data), _) => Some(questions::from_files(data)?),
        (None, "builtin") => Some(questions::builtin()?),
        (None, _) => None,
    };
    if let (Some(file), Some(_)) = (&from_file, wish.data) {
        refuse_unmatchable(&file.questions, wish.data.unwrap_or_default(), rules)?;
    }
    let trained = TrainedOn::of(variants, files, progress)?;
    let mut selection = Selection {
        notices: trained.notices.clone(),
        ..Selection::default()
    };
    let found = match from_file {
        Some(file) => {
            if file.skipped > 0 {
                let rows = file.skipped;
                selection
                    .notices
                    .push(format!("{rows} rows of {} hold no question", file.name));
            }
            selection.source = file.name;
            file.questions
        }
        None => {
            let (first, questions) = trained.held_out(variants, progress)?;
            selection.source = format!("what the run {first} held out");
            questions
        }
    };
    let before = found.len();
    let is_new = |question: &Question| !trained.keys.contains(&question.key);
    selection.questions = found.into_iter().filter(is_new).collect();
    selection.left_out = before - selection.questions.len();
    if selection.questions.is_empty() {
        return Err(Error::DatasetEmpty {
            path: selection.source.into(),
            problem: match before {
                0 => "holds no questions".to_owned(),
                _ => format!("the compared runs were trained on all of its {before} questions"),
            },
            hint: "name a file of other questions with --data".to_owned(),
        });
    }
    selection.fingerprint = fingerprint(&selection.questions);
    selection
        .questions
        .truncate(wish.limit.unwrap_or(usize::MAX));
    selection
        .notices
        .extend(unjudged_in_words(&selection.questions, rules));
    Ok(selection)
}

fn fingerprint(questions: &[Question]) -> String {
    let mut hasher = blake3::Hasher::new();
    for question in questions {
        for text in [
            &question.text(),
            question.reference.as_deref().unwrap_or_default(),
        ] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// References that no answer could equal are a mistake in a file that the user made.
fn refuse_unmatchable(questions: &[Question], data: &str, rules: &AnswerRules) -> Result<()> {
    let mut references = questions
        .iter()
        .filter_map(|q| q.reference.as_deref())
        .peekable();
    let first = references.peek().copied().unwrap_or_default();
    if first.is_empty()
        || references.any(|text| Reference::of(text, rules) != Reference::Unmatchable)
    {
        return Ok(());
    }
    Err(Error::DatasetEmpty {
        path: data.into(),
        problem: format!(
            "none of its reference answers can be matched: each is longer than a final answer; the \
             first begins {:?}",
            crate::foreign_text::visible_excerpt(first, 40)
        ),
        hint:
            "write final answers alone, such as 42 or Paris; or name the part of them that counts \
               with --answer-pattern; or leave the column out to compare lengths alone"
                .to_owned(),
    })
}

fn unjudged_in_words(questions: &[Question], rules: &AnswerRules) -> Option<String> {
    let all = questions.len();
    let unjudged = questions.iter().filter(|question| {
        let reference = { question.reference.as_deref() }.map(|text| Reference::of(text, rules));
        reference.is_none_or(|reference| reference == Reference::Unmatchable)
    });
    match unjudged.count() {
        0 => None,
        number if number == all => Some(
            "no question has a reference answer that could be matched; nothing is judged right or wrong"
                .to_owned(),
        ),
        number => Some(format!(
            "{number} of {all} questions have no reference answer that could be matched; their answers \
             are not judged"
        )),
    }
}

impl TrainedOn {
    fn of(variants: &[Variant], files: &ModelFiles, progress: Listener<'_>) -> Result<Self> {
        let mut trained = Self::default();
        for variant in variants.iter().filter(|variant| variant.adapter.is_some()) {
            let Some(config) = &variant.run else {
                trained.notices.push(format!(
                    "{} has no run.json, so it is not known which questions it was trained on",
                    variant.name
                ));
                continue;
            };
            trained.add(&variant.name, config, files, progress)?;
        }
        Ok(trained)
    }

    fn add(
        &mut self,
        name: &str,
        config: &RunConfig,
        files: &ModelFiles,
        progress: Listener<'_>,
    ) -> Result<()> {
        let data = DataOfRun::of(config);
        if self.read.iter().any(|(known, _)| *known == data) {
            return Ok(());
        }
        let rows = match RunRows::read(config, files, progress) {
            Ok(rows) => rows,
            Err(Error::Stopped) => return Err(Error::Stopped),
            // The dataset may be gone; the adapter can be compared all the same.
            Err(error) => {
                self.notices.push(format!(
                    "the data of {name} cannot be read ({error}), so it is not known which questions it \
                     was trained on"
                ));
                return Ok(());
            }
        };
        if let Some(path) = &rows.changed {
            self.notices.push(format!(
                "{} is no longer what {name} was trained on; questions of the old file may be asked",
                path.file_name().unwrap_or(path.as_os_str()).display()
            ));
        }
        let keys = &mut self.keys;
        let mut take = |sample: Sample| {
            if rows.training.contains(&sample.stable_hash()) {
                answered_keys(&sample, keys);
            }
        };
        samples(&rows.sources, &rows.options, &mut take, progress)?;
        self.read.push((data, rows));
        Ok(())
    }

    /// The questions that the first run held out, and its name.
    fn held_out(
        &self,
        variants: &[Variant],
        progress: Listener<'_>,
    ) -> Result<(String, Vec<Question>)> {
        let nothing = |name: &str, problem: String| Error::DatasetEmpty {
            path: name.into(),
            problem,
            hint: "name a file of questions with --data".to_owned(),
        };
        let Some(first) = variants.iter().find(|variant| variant.adapter.is_some()) else {
            return Err(nothing("the comparison", "has no run".to_owned()));
        };
        let known = { first.run.as_ref() }.and_then(|config| {
            let data = DataOfRun::of(config);
            self.read.iter().find(|(known, _)| *known == data)
        });
        let Some((_, rows)) = known else {
            let why = self.notices.first().cloned().unwrap_or_default();
            let problem = format!("there are no questions: {why}");
            return Err(nothing(&first.name, problem));
        };
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut take = |sample: Sample| {
            let hash = sample.stable_hash();
            if let (true, Sample::Chat(chat)) = (rows.held_out.contains(&hash), sample)
                && let Some(question) = Question::of_chat(chat)
                && seen.insert(question.key)
            {
                found.push(question);
            }
        };
        samples(&rows.sources, &rows.options, &mut take, progress)?;
        match found.is_empty() {
            true => Err(nothing(
                &first.name,
                "the run held out no question".to_owned(),
            )),
            false => Ok((first.name.clone(), found)),
        }
    }
}
