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
    /// Control tokens that end a turn or a text, known by what they are called.
    ends: Vec<u32>,
}

/// A converter seldom writes which token ends a turn: of Gemma and Phi-3 the file names the one that
/// ends a text only. generation_config.json of their folders lists both, and so it does for the other
/// families that have one of these.
const ENDS: [&str; 8] = [
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|im_end|>",
    "<|end|>",
    "<|endoftext|>",
    "<end_of_turn>",
    "<eos>",
];

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
            ends: vocabulary
                .used()
                .filter(|(_, token)| token.kind == Kind::Control)
                .filter(|(_, token)| ENDS.contains(&token.text.as_str()))
                .map(|(id, _)| id)
                .collect(),
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
        if let Some(template) = chat_template(metadata)? {
            config.insert("chat_template".to_owned(), template);
        }
        Ok(Value::Object(config).to_string().into_bytes())
    }

    /// `generation_config.json`: what the file names, the end of a text first, then what is known.
    pub(super) fn generation_config(&self) -> Option<Vec<u8>> {
        let mut ends: Vec<u32> = Vec::new();
        let named = [self.eos, self.eot, self.eom];
        for id in named.into_iter().flatten().chain(self.ends.iter().copied()) {
            if !ends.contains(&id) {
                ends.push(id);
            }
        }
        let config = json!({"eos_token_id": ends});
        (!ends.is_empty()).then(|| config.to_string().into_bytes())
    }
}

/// `chat_template` of a tokenizer_config.json: a text, or a list of named ones if the file has several.
fn chat_template(metadata: &Metadata) -> Result<Option<Value>, String> {
    let default = metadata.text(keys::CHAT_TEMPLATE)?;
    let mut named = Vec::new();
    for (key, _) in metadata.iter() {
        if let Some(name) = key.strip_prefix(keys::NAMED_CHAT_TEMPLATE) {
            named.push(json!({"name": name, "template": metadata.text(key)?}));
        }
    }
    if named.is_empty() {
        return Ok(default.map(|text| json!(text)));
    }
    named.extend(default.map(|text| json!({"name": "default", "template": text})));
    Ok(Some(Value::Array(named)))
}
