//! What a dataset holds, and each shown example as the model will see it.

use serde::{Deserialize, Serialize};

/// A dataset at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetPreview {
    /// Its files, in reading order.
    pub files: Vec<DatasetFile>,
    /// Examples that can be trained on.
    pub examples: usize,
    /// Rows left out.
    pub skipped: usize,
    /// The first of the rows left out, with their reasons.
    pub skipped_rows: Vec<SkippedRow>,
    /// Lengths in tokens, when a model was given.
    pub lengths: Option<TokenLengths>,
    /// The first examples, as many as were asked for.
    pub shown: Vec<ExamplePreview>,
}

/// One file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetFile {
    /// Its path, or `builtin`.
    pub path: String,
    /// The format that was recognized: "messages", "alpaca", ...
    pub format: String,
    /// Examples in it that can be trained on.
    pub examples: usize,
}

/// A row that is not trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedRow {
    /// The file.
    pub path: String,
    /// 1-based line.
    pub line: usize,
    /// Why it is left out.
    pub reason: String,
}

/// Tokens per example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenLengths {
    /// Tokens of the shortest example.
    pub shortest: usize,
    /// Tokens of the example in the middle.
    pub median: usize,
    /// Tokens of the longest example.
    pub longest: usize,
    /// Tokens of all examples.
    pub total: usize,
    /// Tokens of all examples that the loss is taken over.
    pub trained: usize,
}

/// One example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExamplePreview {
    /// The file.
    pub path: String,
    /// 1-based line.
    pub line: usize,
    /// Its tokens; `None` without a model.
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
}
