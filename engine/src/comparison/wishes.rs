//! What a comparison is asked, what it tells, and how it ends.

use std::path::PathBuf;

use stepladder_protocol::{
    AnswerGiven, ComparedQuestion, ComparisonProgress, ComparisonReport, ComparisonStarted,
    SamplerSettings,
};

use super::matched::MatchedSet;
use crate::datasets::load::LoadProgress;
use crate::models::loading::LoadedBytes;

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// `builtin`, a model folder or a GGUF file.
    pub model: String,
    /// Run folders or adapter folders.
    pub adapters: Vec<PathBuf>,
    /// The runs among them that were trained for this comparison; all of them, if any.
    pub matched: Option<Box<MatchedSet>>,
    /// Questions; none: the built-in ones for the built-in model, else what the first run held out.
    pub data: Option<String>,
    /// The name of the variant that the others are compared with.
    pub baseline: String,
    /// The folder of the comparison.
    pub out: PathBuf,
    /// Questions at most.
    pub limit: Option<usize>,
    /// How answers are drawn.
    pub settings: SamplerSettings,
    /// What finds final answers in place of the rules.
    pub answer_pattern: Option<String>,
    /// Questions that are answered side by side.
    pub batch_size: usize,
}

/// What is told while it is made.
#[derive(Clone, Debug)]
pub enum News {
    /// The user should know this.
    Notice(String),
    /// Datasets are read.
    Reading(LoadProgress),
    /// A backbone is loaded.
    Loading(LoadedBytes),
    /// Questions and variants are known.
    Started(ComparisonStarted),
    /// A question, before its first answer.
    Question(ComparedQuestion),
    /// An answer.
    Answer(Box<AnswerGiven>),
    /// How far it has come.
    Progress(ComparisonProgress),
}

/// How a comparison ended that did not fail.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Every question is answered.
    Finished(Box<ComparisonReport>),
    /// It was stopped; so many answers are kept.
    Stopped {
        /// Answers in the folder.
        answers: usize,
    },
}
