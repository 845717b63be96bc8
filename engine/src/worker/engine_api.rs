//! The parts of the engine that jobs call, as far as they do not exist yet. Each answers that it
//! is missing.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

fn missing<T>(part: &'static str) -> Result<T> {
    Err(Error::ConfigInvalid {
        field: part,
        problem: "is not part of this build yet".to_owned(),
        hint: "use a newer version of Stepladder".to_owned(),
    })
}

/// Training.
pub mod training {
    use super::*;
    use crate::training::{progress::Progress, stop_flag::StopFlag};
    use stepladder_protocol::RunConfig;

    /// Which run folder to work in.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum RunTarget {
        /// A new one.
        Fresh(PathBuf),
        /// Go on with this one.
        Resume(PathBuf),
    }

    /// How a run ended.
    #[derive(Clone, Debug)]
    pub struct RunOutcome {
        /// The run folder.
        pub run: PathBuf,
        /// Whether all steps were made; false after a stop on request.
        pub finished: bool,
        /// Updates made.
        pub step: usize,
        /// Lowest loss on the held-out examples.
        pub best_evaluation_loss: Option<f64>,
        /// Most bytes in use at once.
        pub measured_peak_bytes: u64,
    }

    /// Trains.
    pub fn start(
        _config: &RunConfig,
        _target: RunTarget,
        _progress: &mut dyn Progress,
        _stop: &StopFlag,
    ) -> Result<RunOutcome> {
        missing("train")
    }
}

/// Generation.
pub mod generation {
    use super::*;
    use crate::training::stop_flag::StopFlag;

    /// How tokens are drawn; what is absent is as the model recommends.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct SamplerSettings {
        /// Divides the logits; 0 takes the likeliest token.
        pub temperature: Option<f64>,
        /// Keeps the likeliest tokens.
        pub top_k: Option<usize>,
        /// Keeps the likeliest tokens up to this probability.
        pub top_p: Option<f64>,
        /// Drops tokens below this share of the likeliest one.
        pub min_p: Option<f64>,
        /// Divides the logits of tokens already said.
        pub repetition_penalty: Option<f64>,
        /// Seed of the draw.
        pub seed: Option<u64>,
        /// Length limit of a reply.
        pub max_tokens: Option<usize>,
    }

    /// A stretch of a reply. All texts joined are the reply exactly as the model said it.
    #[derive(Clone, Debug)]
    pub struct ChatPiece<'a> {
        /// The text.
        pub text: &'a str,
        /// Whether it is reasoning, the markers around it included.
        pub is_reasoning: bool,
    }

    /// Why a reply ended.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum FinishReason {
        /// The model ended it.
        Stop,
        /// It reached its limit.
        Length,
        /// The stop flag was raised.
        Cancelled,
    }

    /// Figures of a reply.
    #[derive(Clone, Debug)]
    pub struct ReplyStats {
        /// Tokens of reasoning.
        pub reasoning_tokens: usize,
        /// All tokens.
        pub total_tokens: usize,
        /// Why it ended.
        pub finish: FinishReason,
        /// Rate of saying tokens.
        pub tokens_per_second: f64,
    }

    /// What is loaded.
    #[derive(Clone, Debug)]
    pub struct SessionInfo {
        /// The model's name.
        pub model: String,
        /// The adapter's method.
        pub adapter: Option<String>,
        /// The model's context length.
        pub context_length: usize,
        /// What the user should know.
        pub notices: Vec<String>,
    }

    /// A loaded model with its adapter.
    #[derive(Debug)]
    pub struct ChatSession(());

    impl ChatSession {
        /// Loads.
        pub fn open(_model: &str, _adapter: Option<&Path>) -> Result<Self> {
            missing("chat")
        }

        /// What is loaded.
        pub fn info(&self) -> SessionInfo {
            SessionInfo {
                model: String::new(),
                adapter: None,
                context_length: 0,
                notices: Vec::new(),
            }
        }

        /// Answers the last of the messages, given as role and content.
        pub fn reply(
            &self,
            _messages: &[(&str, &str)],
            _settings: &SamplerSettings,
            _stop: &StopFlag,
            _on_text: &mut dyn FnMut(ChatPiece<'_>),
        ) -> Result<ReplyStats> {
            missing("chat")
        }
    }
}

/// What `inspect` says.
pub mod describe {
    use super::*;
    use stepladder_protocol::{DatasetPreview, ModelInfo};

    /// A model, without loading its weights.
    pub fn model(_name: &str) -> Result<ModelInfo> {
        missing("inspect")
    }

    /// A dataset, and its first `show` examples as the model sees them.
    pub fn dataset(_name: &str, _model: Option<&str>, _show: usize) -> Result<DatasetPreview> {
        missing("inspect")
    }
}
