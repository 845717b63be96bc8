//! Flags of `compare` that train what is compared.

use clap::Args;
use stepladder_protocol::TrainMatched;

use super::common::at_least_one;
use super::train_options::absolute;

/// Flags of `compare --train-matched`. What it excludes has to be named with each: clap waives a
/// requirement that something present conflicts with.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Training methods alike")]
pub struct MatchedOptions {
    /// Train Ladder, xLadder and QLoRA alike, with as many parameters as each other, then compare them;
    /// stopped, the same command with --out goes on
    #[arg(long, conflicts_with_all = ["adapter", "baseline"])]
    pub train_matched: bool,
    /// A file or folder that they are trained on; may be given several times [default: builtin]
    #[arg(
        long,
        value_name = "D",
        requires = "train_matched",
        conflicts_with = "adapter"
    )]
    train_data: Vec<String>,
    /// Runs of each method, with the seeds 42, 43 and so on [default: 3]
    #[arg(long, value_name = "N", value_parser = at_least_one, requires = "train_matched", conflicts_with = "adapter")]
    seeds: Option<usize>,
    /// Steps of each run [default: those of three passes over the data]
    #[arg(long, value_name = "N", value_parser = at_least_one, requires = "train_matched", conflicts_with = "adapter")]
    steps: Option<usize>,
    /// A third of the steps, and 100 questions
    #[arg(long, requires = "train_matched", conflicts_with = "adapter")]
    quick: bool,
}

impl MatchedOptions {
    /// What is to be trained, if anything.
    pub fn wanted(&self) -> Option<TrainMatched> {
        let defaults = TrainMatched::default();
        self.train_matched.then(|| TrainMatched {
            data: match &self.train_data[..] {
                [] => defaults.data,
                named => named.iter().cloned().map(absolute).collect(),
            },
            seeds: self.seeds.unwrap_or(defaults.seeds),
            steps: self.steps,
            quick: self.quick,
        })
    }
}
