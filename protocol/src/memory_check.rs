//! The memory plan held against measurements: what `estimate --check` asks and answers.

use serde::{Deserialize, Serialize};

use crate::{JobId, Method, Optimizer, Quantize, Switch, TapDtype};

/// A request to train random models for a step each, and to measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckCommand {
    /// The job's name.
    pub job: JobId,
    /// `auto` or `cpu`.
    #[serde(default = "default_device")]
    pub device: String,
    /// So many of the first cells, which are the smallest; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<usize>,
}

fn default_device() -> String {
    "auto".to_owned()
}

/// One model trained in one way, its memory planned and measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckedCell {
    /// Which cell it is, counted from 1.
    pub number: usize,
    /// Cells to measure in all.
    pub of: usize,
    /// The share of the work, from 0 to 1, that is done with it.
    pub done: f64,
    /// What was trained.
    pub method: Method,
    /// Blocks of the model.
    pub layers: usize,
    /// Width of its hidden states.
    pub d_model: usize,
    /// Tokens it knows.
    pub vocabulary: usize,
    /// Numbers in it.
    pub parameters: u64,
    /// How its linear maps were kept.
    pub quantize: Quantize,
    /// Whether its head was kept in four bits.
    pub quantize_head: Switch,
    /// Whether activations were recomputed.
    pub recompute: Switch,
    /// Whether taps were made again instead of kept.
    pub recompute_taps: Switch,
    /// The type of kept taps.
    pub tap_dtype: TapDtype,
    /// How the adapter was updated.
    pub optimizer: Optimizer,
    /// Tokens per sequence.
    pub context: usize,
    /// Sequences of the micro-batch.
    pub batch_size: usize,
    /// Bytes at the peak, as planned.
    pub estimated_bytes: u64,
    /// Bytes at the peak, as measured.
    pub measured_bytes: u64,
    /// Bytes of the model among those planned.
    pub estimated_weights_bytes: u64,
    /// Bytes of the model as measured.
    pub measured_weights_bytes: u64,
    /// Planned minus measured, as a share of the measured.
    pub error: f64,
    /// The same of everything but the model.
    pub error_without_weights: f64,
    /// What happens at the peak, as planned.
    pub peak_moment: String,
    /// Whether the cell is of the half that the plan's one fitted constant was fitted on.
    pub fitted: bool,
}

/// How far plan and measurement were apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckSummary {
    /// Cells measured.
    pub cells: usize,
    /// Cells whose model took at most half of the measured peak.
    pub weights_at_most_half: usize,
    /// Of all cells.
    pub all: CheckErrors,
    /// Of the half that the constant was fitted on: those with even numbers.
    pub fitted: CheckErrors,
    /// Of the other half.
    pub others: CheckErrors,
}

/// Absolute errors of some cells, as shares of the measured; zero where there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckErrors {
    /// How many.
    pub cells: usize,
    /// Mean error of the whole.
    pub mean: f64,
    /// Largest error of the whole.
    pub largest: f64,
    /// Mean error of everything but the model.
    pub mean_without_weights: f64,
    /// Largest error of everything but the model.
    pub largest_without_weights: f64,
}
