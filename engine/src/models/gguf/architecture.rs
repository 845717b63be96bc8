//! The architectures of GGUF files that can be read. llama.cpp's names are coarser than Hugging
//! Face's: `llama` is Llama, Mistral and everything shaped like them.

use std::path::Path;

use super::header::GgufHeader;
use crate::{Error, Result};

/// A value of `general.architecture`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Llama, Mistral (without its window), SmolLM ...
    Llama,
    /// Qwen2, Qwen2.5.
    Qwen2,
    /// Qwen3, the dense ones.
    Qwen3,
    /// Gemma 2.
    Gemma2,
    /// The language model of Gemma 3.
    Gemma3,
    /// Phi-3, Phi-3.5, Phi-4.
    Phi3,
}

impl Architecture {
    /// The key that names it.
    pub const KEY: &'static str = "general.architecture";

    /// Every one, in the order of messages.
    pub const ALL: [Self; 6] = [
        Self::Llama,
        Self::Qwen2,
        Self::Qwen3,
        Self::Gemma2,
        Self::Gemma3,
        Self::Phi3,
    ];

    /// The name in the file, which is also the first part of its keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Gemma2 => "gemma2",
            Self::Gemma3 => "gemma3",
            Self::Phi3 => "phi3",
        }
    }

    /// Gemma 2 or 3.
    pub fn is_gemma(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3)
    }

    /// What a file says of itself; `path` is for messages only.
    ///
    /// # Errors
    /// When it does not say, or names an architecture that is not supported.
    pub fn of(path: &Path, header: &GgufHeader) -> Result<Self> {
        let invalid = |problem: String| Error::ModelFileInvalid {
            path: path.to_path_buf(),
            problem,
        };
        let name = header.metadata.text(Self::KEY).map_err(invalid)?;
        let name = name.ok_or_else(|| invalid(format!("{} is missing", Self::KEY)))?;
        let known = Self::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| Error::ModelUnsupported {
            path: path.to_path_buf(),
            field: Self::KEY,
            found: name.to_owned(),
            supported: Self::ALL.map(Self::name).to_vec(),
        })
    }
}
