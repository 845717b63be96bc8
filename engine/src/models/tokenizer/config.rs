//! What `tokenizer_config.json` and `generation_config.json` say about special tokens and sampling.

use std::path::Path;

use serde_json::{Map, Value};

use super::super::chat_template::SpecialTokens;
use crate::{Error, Result};

/// The sampling that `generation_config.json` recommends; `None` where it says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GenerationDefaults {
    /// Whether to sample at all, rather than take the most likely token.
    pub do_sample: Option<bool>,
    /// Divides the logits.
    pub temperature: Option<f64>,
    /// Keeps this many of the likeliest tokens.
    pub top_k: Option<usize>,
    /// Keeps the likeliest tokens up to this probability together.
    pub top_p: Option<f64>,
    /// Keeps tokens at least this likely, relative to the likeliest.
    pub min_p: Option<f64>,
    /// Divides the logits of tokens that occurred.
    pub repetition_penalty: Option<f64>,
}

pub(super) struct GenerationConfig {
    pub(super) eos: Vec<u32>,
    pub(super) defaults: GenerationDefaults,
}

pub(super) fn special_tokens(origin: &Path, bytes: Option<&[u8]>) -> Result<SpecialTokens> {
    let file = ConfigFile::parse(origin, "tokenizer_config.json", bytes)?;
    Ok(SpecialTokens {
        bos: file.token("bos_token")?,
        eos: file.token("eos_token")?,
        pad: file.token("pad_token")?,
        unk: file.token("unk_token")?,
    })
}

pub(super) fn generation(origin: &Path, bytes: Option<&[u8]>) -> Result<GenerationConfig> {
    let file = ConfigFile::parse(origin, "generation_config.json", bytes)?;
    Ok(GenerationConfig {
        eos: file.token_ids("eos_token_id")?,
        defaults: GenerationDefaults {
            do_sample: file.read("do_sample", "true or false", Value::as_bool)?,
            temperature: file.number("temperature")?,
            top_k: file.read("top_k", "a whole number", |value| {
                usize::try_from(value.as_u64()?).ok()
            })?,
            top_p: file.number("top_p")?,
            min_p: file.number("min_p")?,
            repetition_penalty: file.number("repetition_penalty")?,
        },
    })
}

struct ConfigFile<'a> {
    origin: &'a Path,
    name: &'static str,
    fields: Map<String, Value>,
}

impl<'a> ConfigFile<'a> {
    fn parse(origin: &'a Path, name: &'static str, bytes: Option<&[u8]>) -> Result<Self> {
        let fields = match bytes {
            None => Map::new(),
            Some(bytes) => {
                serde_json::from_slice(bytes).map_err(|error| Error::ModelFileInvalid {
                    path: origin.join(name),
                    problem: format!("not a JSON object: {error}"),
                })?
            }
        };
        Ok(Self {
            origin,
            name,
            fields,
        })
    }

    /// A field that may be absent or null, but not of another kind.
    fn read<T>(
        &self,
        field: &str,
        wanted: &str,
        take: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => take(value)
                .map(Some)
                .ok_or_else(|| Error::ModelFileInvalid {
                    path: self.origin.join(self.name),
                    problem: format!("{field}: is not {wanted}"),
                }),
        }
    }

    fn number(&self, field: &str) -> Result<Option<f64>> {
        self.read(field, "a number", Value::as_f64)
    }

    /// A token as text, or as an object with its text in `content`.
    fn token(&self, field: &str) -> Result<Option<String>> {
        self.read(field, "a token", |value| {
            let text = value.as_str().or_else(|| value.get("content")?.as_str());
            text.map(str::to_owned)
        })
    }

    fn token_ids(&self, field: &str) -> Result<Vec<u32>> {
        let id = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let ids = self.read(field, "a token id or a list of them", |value| match value {
            Value::Array(ids) => ids.iter().map(id).collect(),
            one => Some(vec![id(one)?]),
        })?;
        Ok(ids.unwrap_or_default())
    }
}
