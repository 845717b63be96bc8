//! Training methods alike before they are compared: Ladder, xLadder and QLoRA on the same data, for the
//! same steps, over the same seeds, with as many parameters as each other. It is part of a comparison
//! ([`crate::CompareCommand::train_matched`]): its runs lie in the comparison's folder, under `runs`, and are
//! what it compares.

use serde::{Deserialize, Serialize};

use crate::{Method, Switch};

/// What is trained before it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainMatched {
    /// What all of them are trained on: `builtin`, or files and folders.
    pub data: Vec<String>,
    /// Runs of each method, with the seeds 42, 43 and so on.
    pub seeds: usize,
    /// Steps of each run; none: three passes over the data.
    pub steps: Option<usize>,
    /// A third of the steps, and a hundred questions unless another limit is set.
    pub quick: bool,
}

impl Default for TrainMatched {
    fn default() -> Self {
        Self {
            data: vec!["builtin".to_owned()],
            seeds: 3,
            steps: None,
            quick: false,
        }
    }
}

/// What is trained alike, told once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchedRuns {
    /// The runs in the order in which they are made. One step of each method follows, with activations
    /// kept where its runs recompute them and the other way round, for its memory.
    pub runs: Vec<MatchedRun>,
    /// Steps of each; `null`: as many as its passes over the data take.
    pub steps: Option<usize>,
    /// Whether all methods train as many parameters as each other, to a thousandth.
    pub parameters_match: bool,
}

/// One of these runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchedRun {
    /// Its folder's name, and the variant's: `xladder-seed-42`.
    pub name: String,
    /// How it is trained.
    pub method: Method,
    /// Seed of all that is random in it.
    pub seed: u64,
    /// Numbers in its adapter.
    pub parameters: u64,
    /// Side networks: backbone layers that feed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taps: Vec<usize>,
    /// Low-rank additions: width of the bottleneck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// Peak learning rate.
    pub learning_rate: f64,
}

/// Which of the runs is under way; events about runs are about this one until the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedRunBegun {
    /// Its place in [`MatchedRuns::runs`], from 0.
    pub run: usize,
    /// Whether an earlier call finished it, so that nothing is trained.
    pub was_finished: bool,
}

/// What methods did that were trained alike, over all their seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchedReport {
    /// What was trained on.
    pub data: Vec<String>,
    /// Steps of each run.
    pub steps: usize,
    /// Whether all methods trained as many parameters as each other, to a thousandth.
    pub parameters_match: bool,
    /// In the order in which they are listed.
    pub methods: Vec<MethodReport>,
    /// Each method held against each other.
    pub pairs: Vec<MethodPair>,
}

/// What one method did. Intervals resample seeds and questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodReport {
    /// The method.
    pub method: Method,
    /// Names of its variants, a run each.
    pub runs: Vec<String>,
    /// Numbers in each of its adapters.
    pub parameters: u64,
    /// Side networks: backbone layers that feed them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taps: Vec<usize>,
    /// Low-rank additions: width of the bottleneck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Share of the judged questions that were answered right.
    pub accuracy: Option<Interval>,
    /// Mean of reasoning tokens over the replies that came to an answer.
    pub reasoning_tokens: Option<Interval>,
    /// Reasoning tokens minus the base's, over the questions that both answered.
    pub difference: Option<Interval>,
    /// The same over the questions that both got right.
    pub difference_both_right: Option<Interval>,
    /// Replies cut off at the limit, of all its runs.
    pub truncated: usize,
    /// Replies with an empty trace or none, of all its runs.
    pub no_trace: usize,
    /// Lowest loss on held-out examples of each run.
    pub best_evaluation_loss: Vec<Option<f64>>,
    /// Most memory that training took: as it was trained, then with activations kept instead of
    /// recomputed, or the other way round.
    pub peaks: Vec<MethodPeak>,
}

/// Memory of training with one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodPeak {
    /// Whether activations were recomputed.
    pub recompute: Switch,
    /// Most bytes in use at once, of all its runs; `null` where it is not measured.
    pub measured_bytes: Option<u64>,
    /// The same as it was planned.
    pub estimated_bytes: u64,
}

/// One method minus another, run by run of the same seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodPair {
    /// The method.
    pub method: Method,
    /// What it is held against.
    pub against: Method,
    /// Share of right answers.
    pub accuracy: Option<Interval>,
    /// Reasoning tokens, over the questions that both answered.
    pub reasoning_tokens: Option<Interval>,
    /// The same over the questions that both got right.
    pub reasoning_tokens_both_right: Option<Interval>,
}

/// A mean over seeds and questions, with the interval that holds it in 95 % of resamples of both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// The interval's lower end; `null` with less than two questions.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// Replies, or pairs of replies, that it is taken over.
    pub replies: usize,
}
