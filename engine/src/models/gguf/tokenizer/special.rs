//! The tokens that the file names by id, and the two documents that name them by text and by id.

use serde_json::{Map, Value, json};

use super::super::metadata::Metadata;
use super::keys;
use super::vocabulary::{Kind, Vocabulary};

/// Ids that are in the vocabulary.
#[derive(Debug)]
pub(super) struct SpecialIds {
    bos: Option<u32>,
    eos: Option<u32>,
    /// Ends a turn.
    eot: Option<u32>,
    /// Ends a message that awaits a tool's answer.
    eom: Option<u32>,
    unknown: Option<u32>,
    padding: Option<u32>,
}

impl SpecialIds {
    /// Reads all of them.
    pub(super) fn read(metadata: &Metadata, vocabulary: &Vocabulary) -> Result<Self, String> {
        let id = |name: &str| {
            let key = format!("tokenizer.ggml.{name}_token_id");
            match metadata.size(&key)? {
                Some(id) if id >= vocabulary.len() => Err(format!(
                    "{key} is {id}, but {} has {} tokens",
                    keys::TOKENS,
                    vocabulary.len()
                )),
                // Beyond u32 there is no size either.
                id => Ok(id.and_then(|id| u32::try_from(id).ok())),
            }
        };
        Ok(Self {
            bos: id("bos")?,
            eos: id("eos")?,
            eot: id("eot")?,
            eom: id("eom")?,
            unknown: id("unknown")?,
            padding: id("padding")?,
        })
    }

    /// Makes control tokens of them where the file has them as ordinary text or as fillers, so that
    /// a template can print them.
    pub(super) fn mark(&self, vocabulary: &mut Vocabulary) {
        let ids = [
            self.bos,
            self.eos,
            self.eot,
            self.eom,
            self.unknown,
            self.padding,
        ];
        for id in ids.into_iter().flatten() {
            if let Some(token) = vocabulary.tokens.get_mut(id as usize)
                && matches!(token.kind, Kind::Normal | Kind::Unused)
            {
                token.kind = Kind::Control;
            }
        }
    }

    /// What stands for unknown text: the one the file names, else the one of that type.
    pub(super) fn unknown_text<'a>(&self, vocabulary: &'a Vocabulary) -> Option<&'a str> {
        let typed = || {
            let mut tokens = vocabulary.tokens.iter();
            let token = tokens.find(|token| token.kind == Kind::Unknown)?;
            Some(token.text.as_str())
        };
        self.unknown
            .and_then(|id| vocabulary.text(id))
            .or_else(typed)
    }

    /// `tokenizer_config.json`
    pub(super) fn tokenizer_config(
        &self,
        metadata: &Metadata,
        vocabulary: &Vocabulary,
    ) -> Result<Vec<u8>, String> {
        let mut config = Map::new();
        let unknown = self.unknown_text(vocabulary);
        let text = |id: Option<u32>| id.and_then(|id| vocabulary.text(id));
        for (field, text) in [
            ("bos_token", text(self.bos)),
            ("eos_token", text(self.eos)),
            ("unk_token", unknown),
            ("pad_token", text(self.padding)),
        ] {
            config.insert(field.to_owned(), json!(text));
        }
        for field in ["add_bos_token", "add_eos_token"] {
            if let Some(flag) = metadata.flag(&format!("tokenizer.ggml.{field}"))? {
                config.insert(field.to_owned(), json!(flag));
            }
        }
        if let Some(template) = metadata.text(keys::CHAT_TEMPLATE)? {
            config.insert("chat_template".to_owned(), json!(template));
        }
        Ok(Value::Object(config).to_string().into_bytes())
    }

    /// `generation_config.json`, with the same ids that the model's configuration gets.
    pub(super) fn generation_config(&self) -> Option<Vec<u8>> {
        let mut ends: Vec<u32> = Vec::new();
        for id in [self.eos, self.eot, self.eom].into_iter().flatten() {
            if !ends.contains(&id) {
                ends.push(id);
            }
        }
        let config = json!({"eos_token_id": ends});
        (!ends.is_empty()).then(|| config.to_string().into_bytes())
    }
}
