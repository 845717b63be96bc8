//! How a dataset is read: what its rows are, what is made of them, and what of that is trained.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Switch;

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataFormat {
    /// Recognized, for each file.
    #[default]
    Auto,
    /// `messages`: turns with `role` and `content`, tools beside them.
    Messages,
    /// `conversations`: turns with `from` and `value`.
    Sharegpt,
    /// `instruction`, `input`, `output`.
    Alpaca,
    /// `prompt`, `completion`.
    PromptCompletion,
    /// `question`, `answer`, perhaps `reasoning`.
    QuestionAnswer,
    /// `chosen` beside `rejected`, of which the chosen side is trained on.
    Preference,
    /// `text`: no turns, every token is trained on.
    Text,
}

impl DataFormat {
    /// Every format but `Auto`.
    pub const ALL: [Self; 7] = [
        Self::Messages,
        Self::Sharegpt,
        Self::Alpaca,
        Self::PromptCompletion,
        Self::QuestionAnswer,
        Self::Preference,
        Self::Text,
    ];

    /// As it is written in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Messages => "messages",
            Self::Sharegpt => "sharegpt",
            Self::Alpaca => "alpaca",
            Self::PromptCompletion => "prompt_completion",
            Self::QuestionAnswer => "question_answer",
            Self::Preference => "preference",
            Self::Text => "text",
        }
    }
}

/// The tokens of a conversation that the loss is taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossOn {
    /// What the assistant says, in every turn.
    #[default]
    Responses,
    /// Every token but the first.
    Everything,
    /// What the assistant says in its last turn.
    LastTurn,
}

/// What becomes of think blocks, whichever way a dataset writes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traces {
    /// Told as the model's chat template tells them.
    #[default]
    Keep,
    /// Left out.
    Drop,
    /// Kept, and an empty one where there is none, as the template opens an answer without thinking.
    InsertEmpty,
}

/// What becomes of an example that is longer than the context length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TooLong {
    /// Its end is cut off.
    CutRight,
    /// Its beginning is cut off.
    CutLeft,
    /// It is left out.
    Drop,
    /// It becomes several examples, one behind the other.
    Split,
}

/// How a dataset becomes examples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataOptions {
    /// How its rows are written.
    pub format: DataFormat,
    /// Columns by hand: a column of the files and the format's field that it stands for, or the
    /// other way round.
    pub map: BTreeMap<String, String>,
    /// `auto` (the model's own chat template), the name of one that comes with Stepladder, or a file.
    pub template: String,
    /// What the loss is taken over.
    pub loss_on: LossOn,
    /// What becomes of think blocks.
    pub traces: Traces,
    /// Whether the loss is taken over think blocks too.
    pub loss_on_traces: Switch,
    /// What becomes of examples that are too long; `None`: text is split, all else cut on the right.
    pub too_long: Option<TooLong>,
    /// Lay several short examples of a step into one row, each seeing itself alone.
    pub packing: Switch,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self {
            format: DataFormat::Auto,
            map: BTreeMap::new(),
            template: "auto".to_owned(),
            loss_on: LossOn::Responses,
            traces: Traces::Keep,
            loss_on_traces: Switch::On,
            too_long: None,
            packing: Switch::Off,
        }
    }
}
