//! Flags for how tokens of a reply are drawn, shared by the verbs that let a model answer. Seed and
//! length have other defaults with each, and are theirs.

use clap::Args;
use stepladder_protocol::SamplerSettings;

use super::common::{at_least_one, not_negative, positive, share};

/// How likely tokens are chosen.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Sampling")]
pub struct SamplerOptions {
    /// 0 always takes the likeliest token, higher is more varied [default: the model's]
    #[arg(long, value_name = "X", value_parser = not_negative)]
    temperature: Option<f64>,
    /// Choose among the N likeliest tokens [default: the model's]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    top_k: Option<usize>,
    /// Choose among the likeliest tokens that together reach this probability [default: the model's]
    #[arg(long, value_name = "X", value_parser = share)]
    top_p: Option<f64>,
    /// Leave out tokens less likely than this share of the likeliest one [default: the model's]
    #[arg(long, value_name = "X", value_parser = share)]
    min_p: Option<f64>,
    /// Above 1: say less often what was said already [default: the model's]
    #[arg(long, value_name = "X", value_parser = positive)]
    repetition_penalty: Option<f64>,
}

impl SamplerOptions {
    /// With the seed and the length that a verb has.
    pub fn settings(&self, seed: Option<u64>, max_tokens: Option<usize>) -> SamplerSettings {
        SamplerSettings {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            seed,
            max_tokens,
        }
    }
}
