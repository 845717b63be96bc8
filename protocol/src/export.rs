//! What adapters can be exported as: which method gives which format, in one place.

use serde::{Deserialize, Serialize};

use crate::Method;

/// A format to export an adapter in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// A folder of Stepladder's own, with a loader for transformers in one Python file.
    Adapter,
    /// A folder as Hugging Face's PEFT saves and loads it.
    Peft,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Adapter, Self::Peft];

    /// As it is written in flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adapter => "adapter",
            Self::Peft => "peft",
        }
    }

    /// What it is for.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Adapter => "Stepladder, or transformers with the Python file that comes with it",
            Self::Peft => "PEFT, and whatever loads its LoRA folders",
        }
    }

    /// The methods whose adapters can be exported so. A side network cannot be merged into its base
    /// model, nor become a LoRA.
    pub fn methods(self) -> &'static [Method] {
        match self {
            Self::Adapter => &[Method::Ladder, Method::Xladder],
            Self::Peft => &[Method::Qlora, Method::Lora],
        }
    }

    /// Whether this method gives it.
    pub fn is_given_by(self, method: Method) -> bool {
        self.methods().contains(&method)
    }
}

/// An adapter that was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportReport {
    /// The format.
    pub format: ExportFormat,
    /// The folder that was written.
    pub path: String,
    /// The files in it.
    pub files: Vec<String>,
    /// How it is used elsewhere, in a line of code or a command.
    pub usage: String,
    /// What the user should know, such as that it was trained beside weights in four bits.
    #[serde(default)]
    pub notices: Vec<String>,
}
