//! What a tokenizer.json is made of, written without copying a vocabulary of a quarter of a million
//! tokens into a tree first.

use std::collections::HashMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::vocabulary::{Kind, Vocabulary};

/// A whole tokenizer.json.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    pub(super) version: &'static str,
    pub(super) added_tokens: Vec<AddedToken<'a>>,
    pub(super) normalizer: Value,
    pub(super) pre_tokenizer: Value,
    /// Always null: what it would add, the chat template prints.
    pub(super) post_processor: Value,
    pub(super) decoder: Value,
    pub(super) model: Model<'a>,
}

/// A token that is found in the text before anything else happens.
#[derive(Serialize)]
pub(super) struct AddedToken<'a> {
    id: u32,
    content: &'a str,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

/// The byte pairs.
#[derive(Serialize)]
pub(super) struct Model<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) unk_token: Option<&'a str>,
    pub(super) fuse_unk: bool,
    pub(super) byte_fallback: bool,
    pub(super) ignore_merges: bool,
    pub(super) vocab: Ids<'a>,
    pub(super) merges: Vec<(&'a str, &'a str)>,
}

/// Ids by text, written in the order of the ids so that the same file gives the same bytes.
pub(super) struct Ids<'a>(pub(super) Vec<(&'a str, u32)>);

impl<'a> Ids<'a> {
    /// From the look-up that the merges were made with.
    pub(super) fn new(ids: HashMap<&'a str, u32>) -> Self {
        let mut sorted: Vec<_> = ids.into_iter().collect();
        sorted.sort_unstable_by_key(|(_, id)| *id);
        Self(sorted)
    }
}

impl Serialize for Ids<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// Control tokens and user-defined ones. `swallows` says after which of them whitespace vanishes.
pub(super) fn added_tokens(
    vocabulary: &Vocabulary,
    swallows: impl Fn(&str) -> bool,
) -> Vec<AddedToken<'_>> {
    vocabulary
        .used()
        .filter_map(|(id, token)| {
            let special = match token.kind {
                Kind::Control | Kind::Unknown => true,
                Kind::UserDefined => false,
                Kind::Normal | Kind::Unused | Kind::Byte => return None,
            };
            Some(AddedToken {
                id,
                content: &token.text,
                single_word: false,
                lstrip: false,
                rstrip: swallows(&token.text),
                // The converter wrote their texts as they stand in a text, not as they are stored.
                normalized: false,
                special,
            })
        })
        .collect()
}
