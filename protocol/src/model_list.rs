//! The models that lie on a machine.

use serde::{Deserialize, Serialize};

/// Models that were found, and what was odd about the search.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelList {
    /// The models; the built-in one first, then by source and name.
    pub models: Vec<FoundModel>,
    /// Sentences for the user: a folder that cannot be read, a list that was cut short.
    pub notices: Vec<String>,
}

/// A model on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundModel {
    /// As its source calls it: `Qwen/Qwen3-0.6B`, `llama3.2:3b`, a file name.
    pub name: String,
    /// What `--model` takes: `builtin`, a folder, a file.
    pub target: String,
    /// Where it was found.
    pub source: ModelSource,
    /// `safetensors` or `GGUF`.
    pub file_format: String,
    /// Bytes of its weight files on disk.
    pub bytes: u64,
    /// `model_type`, if its configuration or header tells.
    pub architecture: Option<String>,
    /// Why it cannot be trained, if that is plain already: an architecture or a quantization that is
    /// not supported.
    pub problem: Option<String>,
}

/// Whose folder a model lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSource {
    /// Inside the program.
    Builtin,
    /// Stepladder's own folder; it may be deleted from here.
    Stepladder,
    /// A folder the user named.
    Folder,
    /// The Hugging Face cache.
    HuggingFace,
    /// LM Studio.
    LmStudio,
    /// Ollama.
    Ollama,
}
