//! A GGUF file's tokenizer as the documents of a Hugging Face folder, so that one tokenizer and one
//! chat template serve both. Where llama.cpp and the model's own tokenizer.json tokenize differently,
//! the tokenizer.json is followed: it is what the model was trained with.

mod byte_level;
mod document;
mod score_ranked;
mod special;
mod split_regex;
#[cfg(test)]
mod tests;
mod vocabulary;

use special::SpecialIds;
use vocabulary::Vocabulary;

use super::metadata::Metadata;
use crate::foreign_text::visible_excerpt;

/// The keys that are read here, as they stand in the file.
mod keys {
    pub(super) const MODEL: &str = "tokenizer.ggml.model";
    pub(super) const PRE: &str = "tokenizer.ggml.pre";
    pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
    pub(super) const TOKEN_TYPES: &str = "tokenizer.ggml.token_type";
    pub(super) const SCORES: &str = "tokenizer.ggml.scores";
    pub(super) const MERGES: &str = "tokenizer.ggml.merges";
    pub(super) const ADD_SPACE_PREFIX: &str = "tokenizer.ggml.add_space_prefix";
    pub(super) const CHAT_TEMPLATE: &str = "tokenizer.chat_template";
    /// Followed by the name of a template for some other purpose.
    pub(super) const NAMED_CHAT_TEMPLATE: &str = "tokenizer.chat_template.";
}

/// The files of a Hugging Face folder that tell of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerDocuments {
    /// `tokenizer.json`
    pub tokenizer: Vec<u8>,
    /// `tokenizer_config.json`: special tokens, whether they are added, the chat template.
    pub tokenizer_config: Vec<u8>,
    /// `generation_config.json`: what ends an answer; none if the file names nothing.
    pub generation_config: Option<Vec<u8>>,
}

/// Families whose tokenizers have a habit that no key of the file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// The first and the second.
    Gemma,
    Gemma3,
    Phi,
    Other,
}

impl Family {
    fn read(metadata: &Metadata) -> Result<Self, String> {
        let architecture = metadata.text("general.architecture")?.unwrap_or_default();
        Ok(if architecture.starts_with("gemma3") {
            Self::Gemma3
        } else if architecture.starts_with("gemma") {
            Self::Gemma
        } else if architecture == "phi3" {
            Self::Phi
        } else {
            Self::Other
        })
    }

    fn is_gemma(self) -> bool {
        matches!(self, Self::Gemma | Self::Gemma3)
    }
}

/// Translates the keys `tokenizer.*`.
///
/// # Errors
/// When they are missing, contradict each other or name what is not known here; the key is named.
pub fn documents(metadata: &Metadata) -> Result<TokenizerDocuments, String> {
    let model = metadata
        .text(keys::MODEL)?
        .ok_or_else(|| format!("{} is missing", keys::MODEL))?;
    let score_ranked = match model {
        "gpt2" => false,
        "llama" => true,
        other => {
            return Err(format!(
                "{} is \"{}\", supported are gpt2, llama",
                keys::MODEL,
                visible_excerpt(other, 40)
            ));
        }
    };
    let family = Family::read(metadata)?;
    let mut vocabulary = Vocabulary::read(metadata)?;
    if score_ranked {
        score_ranked::restore(&mut vocabulary, family);
    } else {
        byte_level::restore(&mut vocabulary, metadata)?;
    }
    let special = SpecialIds::read(metadata, &vocabulary)?;
    special.mark(&mut vocabulary);
    let document = if score_ranked {
        let unknown = special.unknown_text(&vocabulary);
        score_ranked::document(metadata, &vocabulary, family, unknown)?
    } else {
        byte_level::document(metadata, &vocabulary, family)?
    };
    let tokenizer = serde_json::to_vec(&document).map_err(|error| error.to_string())?;
    Ok(TokenizerDocuments {
        tokenizer,
        tokenizer_config: special.tokenizer_config(metadata, &vocabulary)?,
        generation_config: special.generation_config(),
    })
}
