//! The model's tokenizer: text to token ids with the place of each token in the text, and back.
//!
//! Text always comes from a chat template, which prints the special tokens itself; so none are ever
//! added here, and truncation, padding and post-processing of the file are switched off. Offsets are
//! bytes of the text that was passed in, also where a normalizer changed it on the way.

mod config;
mod stream;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use config::GenerationDefaults;
pub use stream::StreamDecoder;

use super::chat_template::SpecialTokens;
use crate::foreign_text::visible_excerpt;
use crate::{Error, Result};

/// Whether special tokens appear in decoded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialTokenText {
    /// Every token as its text.
    Keep,
    /// Special tokens leave no trace.
    Skip,
}

/// Token ids with the bytes of the text that each stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Byte range of each token; several tokens that make up one character share its range.
    pub offsets: Vec<(usize, usize)>,
}

/// A tokenizer with what the model's configuration says about its special tokens.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    path: PathBuf,
    inner: Arc<tokenizers::Tokenizer>,
    vocabulary_size: usize,
    special: SpecialTokens,
    stop_tokens: Vec<u32>,
    /// What the tokenizer's file adds before a text.
    document_start: Vec<u32>,
    generation_defaults: GenerationDefaults,
}

impl Tokenizer {
    /// Builds the tokenizer from the bytes of its files. `origin` is the model's folder or file,
    /// for messages; `model_config_eos` is `eos_token_id` of the model's `config.json`.
    pub fn from_parts(
        origin: &Path,
        tokenizer_json: &[u8],
        tokenizer_config: Option<&[u8]>,
        generation_config: Option<&[u8]>,
        model_config_eos: &[u32],
    ) -> Result<Self> {
        let path = origin.join("tokenizer.json");
        let (inner, document_start) =
            parse(tokenizer_json).map_err(|problem| Error::ModelFileInvalid {
                path: path.clone(),
                problem,
            })?;
        let vocabulary = inner.get_vocab(true);
        let vocabulary_size = vocabulary
            .values()
            .max()
            .map_or(0, |largest| *largest as usize + 1);
        if vocabulary_size == 0 {
            let problem = "model.vocab: holds no tokens".to_owned();
            return Err(Error::ModelFileInvalid { path, problem });
        }
        let mut special = config::special_tokens(origin, tokenizer_config)?;
        let generation = config::generation(origin, generation_config)?;
        let named_eos = special
            .eos
            .as_deref()
            .and_then(|text| inner.token_to_id(text));
        let mut stop_tokens = Vec::new();
        for id in generation
            .eos
            .iter()
            .chain(&named_eos)
            .chain(model_config_eos)
        {
            if !stop_tokens.contains(id) {
                stop_tokens.push(*id);
            }
        }
        if special.eos.is_none() {
            special.eos = stop_tokens.first().and_then(|id| inner.id_to_token(*id));
        }
        Ok(Self {
            path,
            inner: Arc::new(inner),
            vocabulary_size,
            special,
            stop_tokens,
            document_start,
            generation_defaults: generation.defaults,
        })
    }

    /// The tokens of a text. Special tokens in the text become their ids; none are added.
    pub fn encode(&self, text: &str) -> Result<Encoded> {
        let encoding = guarded(|| self.inner.encode(text, false))
            .map_err(|problem| self.invalid(format!("cannot encode a text: {problem}")))?;
        Ok(Encoded {
            ids: encoding.get_ids().to_vec(),
            offsets: encoding.get_offsets().to_vec(),
        })
    }

    /// The text of tokens. Ids that the vocabulary does not have leave no trace.
    pub fn decode(&self, ids: &[u32], special: SpecialTokenText) -> Result<String> {
        guarded(|| self.inner.decode(ids, special == SpecialTokenText::Skip))
            .map_err(|problem| self.invalid(format!("cannot decode tokens: {problem}")))
    }

    /// A decoder for tokens that arrive one by one.
    pub fn stream(&self, special: SpecialTokenText) -> StreamDecoder<'_> {
        StreamDecoder::new(self, special)
    }

    /// The largest token id plus one, added tokens included.
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary_size
    }

    /// The id of a token given as the vocabulary writes it.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// A token as the vocabulary writes it.
    pub fn token_text(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The tokens that end a turn, from generation_config.json, tokenizer_config.json and the
    /// model's config.json, in that order.
    pub fn stop_tokens(&self) -> &[u32] {
        &self.stop_tokens
    }

    /// The same tokenizer for a use in which further tokens end a turn.
    #[must_use]
    pub fn stopping_also_at(&self, tokens: &[u32]) -> Self {
        let mut tokenizer = self.clone();
        let further = tokens.iter().filter(|id| !self.stop_tokens.contains(id));
        tokenizer.stop_tokens.extend(further);
        tokenizer
    }

    /// The model's folder or file, for messages.
    pub fn model(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// The token that begins a sequence, if there is one.
    pub fn bos_token(&self) -> Option<u32> {
        self.token_id(self.special.bos.as_deref()?)
    }

    /// The tokens that the tokenizer puts before a text that stands for itself.
    pub fn document_start(&self) -> &[u32] {
        &self.document_start
    }

    /// The token that ends a text that stands for itself.
    pub fn document_end(&self) -> Option<u32> {
        self.token_id(self.special.eos.as_deref()?)
    }

    /// The special tokens as text, for the chat template.
    pub fn special_tokens(&self) -> &SpecialTokens {
        &self.special
    }

    /// How the model's makers sample from it.
    pub fn generation_defaults(&self) -> &GenerationDefaults {
        &self.generation_defaults
    }

    fn invalid(&self, problem: String) -> Error {
        Error::ModelFileInvalid {
            path: self.path.clone(),
            problem,
        }
    }
}

/// The tokenizer, which adds nothing to a text, and the tokens that its file adds before one.
fn parse(tokenizer_json: &[u8]) -> Result<(tokenizers::Tokenizer, Vec<u32>), String> {
    let mut inner = guarded(|| tokenizers::Tokenizer::from_bytes(tokenizer_json))
        .map_err(|problem| format!("not a tokenizer: {problem}"))?;
    inner
        .with_truncation(None)
        .map_err(|error| format!("truncation: {error}"))?;
    inner.with_padding(None);
    let told = guarded(|| inner.encode("a", true))
        .map_err(|problem| format!("cannot encode a text: {problem}"))?;
    let tokens = told.get_ids().iter().zip(told.get_special_tokens_mask());
    let document_start = tokens
        .take_while(|(_, special)| **special == 1)
        .map(|(id, _)| *id)
        .collect();
    // Besides adding special tokens it would cut spaces off the offsets.
    inner.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
    Ok((inner, document_start))
}

/// Runs the library on foreign data: an error or a panic of it becomes a problem in words.
fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(visible_excerpt(&error.to_string(), 300)),
        Err(_) => Err("the tokenizer is inconsistent".to_owned()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
