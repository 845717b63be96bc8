//! What a training run tells while it goes: a trait, so that training knows nothing of protocol
//! messages, terminals or windows.

use std::path::Path;

use crate::datasets::load::LoadProgress;
use stepladder_protocol::{EvaluationRow, RunMemory, SampleRow, StepRow, finite};

/// The stage a run is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading the backbone's weights.
    LoadingModel,
    /// Reading, rendering and tokenizing the dataset.
    LoadingData,
    /// The longest micro-batch, an evaluation and a checkpoint, tried before the first step.
    Rehearsing,
    /// Optimizer updates.
    Training,
    /// Loss on held-out examples.
    Evaluating,
    /// Writing a checkpoint.
    Checkpointing,
}

/// How far a stage has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageProgress {
    /// The stage.
    pub phase: Phase,
    /// What is done of it: bytes of weights, examples evaluated, parts of the rehearsal.
    pub done: u64,
    /// What there is of it.
    pub total: u64,
}

/// Sizes of a run, known before its first step.
#[derive(Clone, Debug)]
pub struct RunStarted {
    /// What it computes on, in words.
    pub device: String,
    /// Optimizer updates in the whole run.
    pub total_steps: usize,
    /// The step the run continues after (0 for a fresh run).
    pub first_step: usize,
    /// Examples trained on.
    pub training_examples: usize,
    /// Examples held out.
    pub held_out_examples: usize,
    /// Numbers in the adapter.
    pub trainable_parameters: usize,
    /// Numbers in the backbone.
    pub backbone_parameters: usize,
}

/// Figures of one optimizer update.
#[derive(Clone, Debug)]
pub struct StepMetrics {
    /// 1-based number of the update.
    pub step: usize,
    /// Mean cross-entropy per target token, in nats.
    pub loss: f64,
    /// Learning rate used by this update.
    pub learning_rate: f64,
    /// L2 norm of all gradients before clipping.
    pub gradient_norm: f64,
    /// Tokens (targets and context, without padding) per second, over this update.
    pub tokens_per_second: f64,
    /// Tokens (targets and context, without padding) in this update.
    pub tokens: usize,
    /// Target tokens in this update.
    pub target_tokens: usize,
    /// Seconds since the run started, earlier parts of a resumed run included.
    pub elapsed_secs: f64,
    /// Estimated seconds to the end.
    pub remaining_secs: f64,
    /// Most memory in use at once during this update, where it is measured.
    pub peak_bytes: Option<u64>,
}

/// One evaluation on the held-out examples.
#[derive(Clone, Debug)]
pub struct EvaluationMetrics {
    /// Updates made so far.
    pub step: usize,
    /// Mean cross-entropy per target token, in nats.
    pub loss: f64,
    /// Whether this is the lowest so far.
    pub best: bool,
}

/// The figures as the row of `metrics.jsonl`, which is also the live event.
impl From<&StepMetrics> for StepRow {
    fn from(metrics: &StepMetrics) -> Self {
        Self {
            step: metrics.step,
            loss: finite(metrics.loss),
            learning_rate: finite(metrics.learning_rate),
            gradient_norm: finite(metrics.gradient_norm),
            tokens_per_second: finite(metrics.tokens_per_second),
            tokens: metrics.tokens,
            target_tokens: metrics.target_tokens,
            elapsed_secs: finite(metrics.elapsed_secs),
            remaining_secs: finite(metrics.remaining_secs),
            peak_bytes: metrics.peak_bytes,
        }
    }
}

/// As for [`StepRow`].
impl From<&EvaluationMetrics> for EvaluationRow {
    fn from(metrics: &EvaluationMetrics) -> Self {
        Self {
            step: metrics.step,
            loss: finite(metrics.loss),
            best: metrics.best,
        }
    }
}

/// Receives the news of a run.
pub trait Progress {
    /// The run entered a stage.
    fn phase(&mut self, phase: Phase);
    /// A stage has come this far.
    fn stage(&mut self, so_far: StageProgress);
    /// The dataset was read this far.
    fn reading(&mut self, so_far: &LoadProgress);
    /// Everything is loaded; steps follow.
    fn started(&mut self, started: &RunStarted);
    /// The worst step was rehearsed.
    fn memory(&mut self, memory: &RunMemory);
    /// An update was made.
    fn step(&mut self, metrics: &StepMetrics);
    /// An evaluation was made.
    fn evaluation(&mut self, metrics: &EvaluationMetrics);
    /// The model answered a held-out prompt.
    fn sample(&mut self, _: &SampleRow) {}
    /// A checkpoint lies complete on disk.
    fn checkpoint(&mut self, path: &Path);
    /// Something the user should know, in one sentence.
    fn notice(&mut self, text: &str);
}
