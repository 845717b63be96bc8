//! A comparison: several variants of a model, the base and some adapters, answer the same questions,
//! and a report says how long each reasoned and how often it was right.
//!
//! A comparison has a folder: `answers.jsonl` grows answer by answer, so that one that was stopped
//! goes on; `report.json` ([`ComparisonDocument`]), `answers.csv` and `report.html` are written at its
//! end and depend on nothing but what was asked and answered; `times.json` ([`ComparisonTimes`]) holds
//! what was measured.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{FinishReason, JobId, MatchedReport, Method, SamplerSettings, TrainMatched};

/// The name of the model without an adapter.
pub const BASE: &str = "base";

/// A comparison to make, or to go on with if its folder has answers by the same settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareCommand {
    /// The job's name.
    pub job: JobId,
    /// `builtin`, a model folder or a GGUF file.
    pub model: String,
    /// Run folders or adapter folders; at least one, unless runs are trained first. The base answers
    /// first in any case.
    pub adapters: Vec<PathBuf>,
    /// Trains the runs that are compared, instead of taking some that are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_matched: Option<TrainMatched>,
    /// A file or folder of questions, with or without reference answers; `builtin`: the questions
    /// inside the program. None: these for the built-in model, otherwise what the first run held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The variant that the others are compared with: `base` or an adapter's name, which is that of
    /// its run folder.
    #[serde(default = "default_baseline")]
    pub baseline: String,
    /// The folder of the comparison.
    pub out: PathBuf,
    /// Questions to ask at most, the first ones; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// How answers are drawn. Without a seed it is 42, without a limit of tokens 2,048 or what the
    /// context holds.
    #[serde(default)]
    pub settings: SamplerSettings,
    /// A regular expression with one group that finds the final answer, in place of the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_pattern: Option<String>,
    /// Questions that are answered side by side where the device gains by it. Changes no answer.
    #[serde(default = "default_batch_size")]
    pub batch_size: usize,
    /// `auto`, `cpu` or `cuda[:N]`.
    #[serde(default = "default_device")]
    pub device: String,
}

fn default_baseline() -> String {
    BASE.to_owned()
}

fn default_batch_size() -> usize {
    8
}

fn default_device() -> String {
    "auto".to_owned()
}

/// One of those that answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedVariant {
    /// `base`, or the run folder's name.
    pub name: String,
    /// How it was trained; none for the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Numbers in its adapter; 0 for the base.
    pub parameters: u64,
}

/// A comparison has its questions and variants; answers follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparisonStarted {
    /// The folder of the comparison.
    pub out: String,
    /// The device in words: "CPU, 8 threads".
    pub device: String,
    /// Those that answer, the base first. Answers name them by their place here.
    pub variants: Vec<ComparedVariant>,
    /// The variant that the others are compared with.
    pub baseline: String,
    /// Where the questions come from, in words.
    pub question_source: String,
    /// Questions that each of them is asked.
    pub questions: usize,
    /// Questions left out because one of the runs was trained on them.
    pub left_out_trained_on: usize,
    /// Answers that an earlier call gave already; they are told again, like new ones.
    pub kept_answers: usize,
}

/// A question, told before its first answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedQuestion {
    /// Its number, from 1.
    pub number: usize,
    /// What is asked.
    pub question: String,
    /// What it should be answered, as its dataset says it.
    #[serde(default)]
    pub reference: Option<String>,
}

/// An answer as it comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerGiven {
    /// The question's number, from 1.
    pub question: usize,
    /// The variant's place in [`ComparisonStarted::variants`], from 0.
    pub variant: usize,
    /// The answer.
    #[serde(flatten)]
    pub answer: ComparedAnswer,
}

/// How far the variants have come; about ten of these come in a second at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonProgress {
    /// In the order of [`ComparisonStarted::variants`].
    pub variants: Vec<VariantProgress>,
    /// Seconds since the first answer of this call was begun.
    pub elapsed_secs: f64,
    /// Estimated seconds to the end; `null` until the first answer of this call is there.
    pub remaining_secs: Option<f64>,
}

/// How far a variant has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantProgress {
    /// Questions it has answered.
    pub done: usize,
    /// Questions it is asked.
    pub total: usize,
    /// Tokens it says in a second; `null` before its first answer.
    pub tokens_per_second: Option<f64>,
}

/// What one variant said to one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedAnswer {
    /// Everything it said, its trace included.
    pub text: String,
    /// The byte of `text` at which what is not trace begins.
    pub answer_start: usize,
    /// Tokens of reasoning: those up to the closing think marker or, without one, those before the
    /// final answer. Where the reply was cut off this is a lower bound.
    pub reasoning_tokens: usize,
    /// All tokens it said.
    pub total_tokens: usize,
    /// What became of its think block.
    pub trace: TraceState,
    /// Whether it came to an answer.
    pub outcome: AnswerOutcome,
    /// Its final answer, as it was found.
    #[serde(default)]
    pub answer: Option<String>,
    /// Whether that is right.
    pub verdict: AnswerVerdict,
    /// Why it ended.
    pub finish: FinishReason,
    /// The share of its runs of three tokens that are different; `null` where it said less than three.
    pub distinct_3: Option<f64>,
}

impl ComparedAnswer {
    /// The trace as it was said, its markers included.
    pub fn trace_text(&self) -> &str {
        self.text.get(..self.answer_start).unwrap_or_default()
    }

    /// Whether it came to an answer by itself.
    pub fn is_answered(&self) -> bool {
        self.outcome == AnswerOutcome::Answered
    }

    /// Whether that answer is right.
    pub fn is_right(&self) -> bool {
        self.is_answered() && self.verdict == AnswerVerdict::Right
    }

    /// What was said behind the trace.
    pub fn answer_text(&self) -> &str {
        self.text.get(self.answer_start..).unwrap_or(&self.text)
    }
}

/// What became of the think block of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceState {
    /// It was closed and says something.
    Complete,
    /// It was closed and says nothing.
    Empty,
    /// The reply ended within it.
    Unclosed,
    /// There is none, although the chat template knows think blocks.
    Missing,
    /// There is none, and the chat template knows none.
    Unmarked,
}

/// Whether a reply came to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerOutcome {
    /// It ended by itself with an answer.
    Answered,
    /// It ended by itself without one.
    NoAnswer,
    /// It was cut off at the limit.
    Truncated,
}

/// Whether an answer is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerVerdict {
    /// It is the reference.
    Right,
    /// It is not, or there is none.
    Wrong,
    /// There is no reference, or none that an answer can be held against.
    NotJudged,
}

/// What a comparison found. The same questions, variants and settings give the same report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonReport {
    /// Questions that each variant was asked.
    pub questions: usize,
    /// The variant that the others are compared with.
    pub baseline: String,
    /// What each of them did, the base first.
    pub variants: Vec<VariantReport>,
    /// The model, as it was named.
    pub model: String,
    /// Where the questions come from, in words.
    pub question_source: String,
    /// Questions left out because one of the runs was trained on them.
    pub left_out_trained_on: usize,
    /// How answers were drawn.
    pub settings: SamplerSettings,
    /// The regular expression that found the final answers; `null`: the rules did.
    pub answer_pattern: Option<String>,
    /// What the user should know, a sentence each.
    pub notices: Vec<String>,
    /// What the methods did over all seeds, where they were trained alike for this comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<MatchedReport>,
}

/// What a variant did. Lengths are of the replies that came to an answer; what was cut off or gave
/// none is counted beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantReport {
    /// `base`, or the run folder's name.
    pub name: String,
    /// How it was trained; `null` for the base.
    pub method: Option<Method>,
    /// Numbers in its adapter; 0 for the base.
    pub parameters: u64,
    /// The share of the judged questions that it got right; `null` where none was judged.
    pub accuracy: Option<f64>,
    /// Questions it got right.
    pub right: usize,
    /// Questions it got wrong, those without an answer and those cut off included.
    pub wrong: usize,
    /// Questions that could not be judged.
    pub not_judged: usize,
    /// Median of reasoning tokens.
    pub median_reasoning_tokens: Option<f64>,
    /// Mean of reasoning tokens.
    pub mean_reasoning_tokens: Option<f64>,
    /// Replies that ended by themselves with an answer.
    pub answered: usize,
    /// Replies that ended by themselves without one.
    pub no_answer: usize,
    /// Replies cut off at the limit.
    pub truncated: usize,
    /// Replies with an empty trace or none, where the chat template knows traces.
    pub no_trace: usize,
    /// Those whose trace is empty.
    pub empty_trace: usize,
    /// Those without one.
    pub missing_trace: usize,
    /// Mean share of different runs of three tokens in a reply, those cut off included: low where it
    /// repeats itself.
    pub distinct_3: Option<f64>,
    /// All tokens of all replies.
    pub total_tokens: u64,
    /// Reasoning tokens minus the baseline's, over the questions that both answered; `null` for the
    /// baseline, and where there is no such question.
    pub difference: Option<Difference>,
    /// The same over the questions that both got right.
    pub difference_both_right: Option<Difference>,
}

/// A mean of paired differences, with the interval that holds it in 95 % of resamples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The mean.
    pub mean: f64,
    /// The interval's lower end; `null` with less than two pairs.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// Questions it is taken over.
    pub pairs: usize,
}

/// `report.json`: the report, and every answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonDocument {
    /// What was found.
    #[serde(flatten)]
    pub report: ComparisonReport,
    /// The questions in their order.
    pub rows: Vec<ComparedRow>,
}

/// A question with all its answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedRow {
    /// The question.
    #[serde(flatten)]
    pub question: ComparedQuestion,
    /// The answers in the order of the variants.
    pub answers: Vec<ComparedAnswer>,
}

/// `times.json`: what was measured, calls that were stopped included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonTimes {
    /// In the order of the report's variants.
    pub variants: Vec<VariantTimes>,
}

/// How long a variant took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantTimes {
    /// The variant.
    pub name: String,
    /// Seconds until its answers were there, reading the questions included; of those that are given side
    /// by side all together.
    pub elapsed_secs: f64,
    /// Tokens said in a second.
    pub tokens_per_second: Option<f64>,
}
