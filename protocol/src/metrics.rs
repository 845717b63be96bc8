//! The figures of a run: the rows of a run folder's `metrics.jsonl`, which are also the `step` and
//! `evaluation` events of a live run.
//!
//! JSON has no NaN and no infinity, so a figure that may stop being finite is an `Option`: `null`
//! says that it was not a number.

use serde::{Deserialize, Serialize};

use crate::chat::FinishReason;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum MetricsRow {
    /// An optimizer update.
    Step(StepRow),
    /// An evaluation on the held-out examples.
    Evaluation(EvaluationRow),
}

/// Figures of one optimizer update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// 1-based number of the update.
    pub step: usize,
    /// Mean cross-entropy per target token, in nats.
    pub loss: Option<f64>,
    /// Learning rate used by this update.
    pub learning_rate: Option<f64>,
    /// L2 norm of all gradients before clipping.
    pub gradient_norm: Option<f64>,
    /// Tokens per second over this update, padding not counted.
    pub tokens_per_second: Option<f64>,
    /// Tokens in this update, padding not counted.
    pub tokens: usize,
    /// Tokens of this update that the loss is taken over.
    pub target_tokens: usize,
    /// Seconds since the run started, earlier parts of a resumed run included.
    pub elapsed_secs: Option<f64>,
    /// Estimated seconds to the end.
    pub remaining_secs: Option<f64>,
    /// Most memory in use at once during this update, as the plan counts it: without what the
    /// program held before the model was loaded. `null` where it is not measured.
    #[serde(default)]
    pub peak_bytes: Option<u64>,
}

/// One evaluation on the held-out examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRow {
    /// Updates made so far.
    pub step: usize,
    /// Mean cross-entropy per target token, in nats.
    pub loss: Option<f64>,
    /// Whether this is the lowest so far.
    pub best: bool,
}

/// What the model said to a held-out prompt, a line of a run folder's `samples.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRow {
    /// Updates made so far.
    pub step: usize,
    /// Which of the prompts, from 0; they stay the same during a run.
    pub number: usize,
    /// What was asked.
    pub prompt: String,
    /// What the model said; cut off after 128 tokens.
    pub answer: String,
    /// What the dataset says.
    pub reference: String,
    /// Tokens of the answer; none in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<usize>,
    /// How many of them are reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<usize>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<FinishReason>,
}

/// The figure if JSON can carry it.
pub fn finite(figure: f64) -> Option<f64> {
    figure.is_finite().then_some(figure)
}
