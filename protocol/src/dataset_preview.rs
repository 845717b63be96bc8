//! What a dataset holds, what became of its rows, and each shown example as the model will see it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::DataFormat;

/// A dataset at a glance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatasetPreview {
    /// Whether every row was read; a first look comes before that, with what it has seen.
    pub complete: bool,
    /// Its files, in reading order.
    pub files: Vec<DatasetFile>,
    /// Files of a folder that are no datasets.
    pub ignored: Vec<String>,
    /// Rows that are not blank.
    pub rows: usize,
    /// Examples that can be trained on.
    pub examples: usize,
    /// Rows left out, and parts of rows.
    pub skipped: usize,
    /// The first of them, with their reasons.
    pub skipped_rows: Vec<SkippedRow>,
    /// How many for each reason, most first.
    pub skipped_reasons: Vec<ReasonCount>,
    /// Rows that say the same as an earlier one.
    pub duplicates: usize,
    /// The held-out part, when a model was given.
    pub held_out: Option<HeldOut>,
    /// Lengths in tokens, when a model was given.
    pub lengths: Option<TokenLengths>,
    /// Think blocks, when a model was given.
    pub traces: Option<TraceCounts>,
    /// What the user should know, one sentence each.
    pub notices: Vec<String>,
    /// The first examples, as many as were asked for.
    pub shown: Vec<ExamplePreview>,
}

/// One file of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatasetFile {
    /// Its path, or `builtin`.
    pub path: String,
    /// What kind of file it is: "JSONL", "CSV", ...
    pub container: String,
    /// Its length.
    #[serde(default)]
    pub bytes: u64,
    /// How its rows are written; `auto` if it has none.
    pub format: DataFormat,
    /// How sure that is, from 0 to 1.
    pub confidence: f32,
    /// Why, in a sentence that names the columns.
    pub reason: String,
    /// The column that each field of the format is read from.
    pub columns: BTreeMap<String, String>,
    /// The columns of its first rows, in their order; of very many the first.
    #[serde(default)]
    pub found_columns: Vec<String>,
    /// Rows in it.
    pub rows: usize,
    /// Examples in it that can be trained on.
    pub examples: usize,
    /// BLAKE3 of its bytes, when it was read to its end.
    pub fingerprint: Option<String>,
    /// Why reading ended before the end of the file.
    pub ended: Option<String>,
}

/// A row that is not trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedRow {
    /// The file.
    pub path: String,
    /// 1-based line, or the row's number where a file has no lines.
    pub line: usize,
    /// Why it is left out.
    pub reason: String,
    /// What to do about it, if anything can be.
    pub hint: String,
}

/// Rows left out for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// The reason, without what differs from row to row.
    pub reason: String,
    /// Rows.
    pub rows: usize,
}

/// Tokens per example, before anything is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLengths {
    /// The context length that examples are made to fit.
    pub context: usize,
    /// Tokens of the shortest example.
    pub shortest: usize,
    /// Tokens of the example in the middle.
    pub median: usize,
    /// Tokens that 90 of 100 examples do not exceed.
    pub p90: usize,
    /// The same for 95.
    pub p95: usize,
    /// The same for 99.
    pub p99: usize,
    /// Tokens of the longest example.
    pub longest: usize,
    /// Tokens of all examples, as they are trained on.
    pub total: usize,
    /// Those of them that the loss is taken over.
    pub trained: usize,
    /// Examples that are cut.
    pub cut: usize,
    /// Examples that are split.
    pub split: usize,
    /// Examples left out because they are too long.
    pub too_long: usize,
    /// Examples by length, in ranges of equal width.
    pub histogram: Vec<LengthRange>,
}

/// Examples whose lengths lie in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LengthRange {
    /// The least length.
    pub from: usize,
    /// The greatest.
    pub to: usize,
    /// Examples.
    pub examples: usize,
}

/// Examples that are evaluated on and never trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldOut {
    /// How many.
    pub examples: usize,
    /// Those of them that nearly repeat one that is trained on.
    pub near_duplicates: usize,
    /// The first of these, as `file:line`, and what it repeats.
    pub first_near_duplicate: Option<(String, String)>,
}

/// Think blocks of a dataset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceCounts {
    /// The assistant's turns.
    pub answers: usize,
    /// Those with a trace that says something.
    pub with_trace: usize,
    /// Those with an empty one.
    pub empty: usize,
    /// Those with one that is opened and never closed.
    pub unclosed: usize,
    /// Whether the model may think before it answers.
    pub model_thinks: bool,
}

/// One example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExamplePreview {
    /// The row's number in the whole dataset, from 1.
    #[serde(default)]
    pub row: usize,
    /// The file.
    pub path: String,
    /// 1-based line, or the row's number where a file has no lines.
    pub line: usize,
    /// Its tokens before anything is cut; `None` without a model.
    pub tokens: Option<usize>,
    /// The text in order, split where its use changes. Without a model: one segment per message.
    pub segments: Vec<Segment>,
}

/// What training does with a stretch of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenUse {
    /// The loss is taken over it.
    Trained,
    /// It is read but not trained on.
    Context,
    /// It does not fit the context length.
    CutOff,
}

/// A stretch of text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The text.
    pub text: String,
    /// What training does with it.
    pub used: TokenUse,
    /// Its first token in the example; `None` without a model.
    pub first_token: Option<usize>,
    /// How many tokens it is; `None` without a model.
    pub tokens: Option<usize>,
}

/// How far the reading of a dataset has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadingProgress {
    /// Rows so far.
    pub rows: usize,
    /// Bytes so far.
    pub bytes_read: u64,
    /// Bytes in all.
    pub bytes_total: u64,
    /// Bytes per second, over the whole reading.
    pub bytes_per_second: f64,
}
