//! Byte-level byte pair encoding, `tokenizer.ggml.model = "gpt2"`: every byte has a printable
//! character, and the file lists the merges in their order.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::metadata::Metadata;
use super::document::{Document, Ids, Model, added_tokens};
use super::split_regex::Split;
use super::vocabulary::{Kind, Vocabulary};
use super::{Family, keys};
use crate::foreign_text::visible_excerpt;

/// The tokenizer.json.
pub(super) fn document<'a>(
    metadata: &'a Metadata,
    vocabulary: &'a Vocabulary,
    family: Family,
) -> Result<Document<'a>, String> {
    let split = Split::named(metadata.text(keys::PRE)?.ok_or_else(|| {
        // Every name splits differently, and a wrong guess would train on other tokens unnoticed.
        format!(
            "{} is missing: the file is too old to say how its tokenizer splits text",
            keys::PRE
        )
    })?)?;
    let ids = vocabulary.ids()?;
    let merges = merges(metadata, &ids)?;
    Ok(Document {
        version: "1.0",
        added_tokens: added_tokens(vocabulary, |text| {
            family == Family::Phi && swallows_whitespace(text)
        }),
        normalizer: split.normalizer(),
        pre_tokenizer: split.pre_tokenizer(),
        post_processor: Value::Null,
        decoder: json!({
            "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
        }),
        model: Model {
            kind: "BPE",
            unk_token: None,
            fuse_unk: false,
            byte_fallback: false,
            ignore_merges: split.ignore_merges,
            vocab: Ids::new(ids),
            merges,
        },
    })
}

/// Brings the kinds of tokens back to what the original had: the converter makes control tokens of all
/// that look like `<|this|>`, but the marks that Qwen puts into code are text.
pub(super) fn restore(vocabulary: &mut Vocabulary, metadata: &Metadata) -> Result<(), String> {
    const MARKS: [&str; 6] = [
        "<|fim_prefix|>",
        "<|fim_middle|>",
        "<|fim_suffix|>",
        "<|fim_pad|>",
        "<|repo_name|>",
        "<|file_sep|>",
    ];
    if metadata.text(keys::PRE)? == Some("qwen2") {
        for token in &mut vocabulary.tokens {
            if token.kind == Kind::Control && MARKS.contains(&token.text.as_str()) {
                token.kind = Kind::UserDefined;
            }
        }
    }
    Ok(())
}

/// The tokens of Phi-4-mini that a turn is made of; its tools' tokens keep what follows them.
fn swallows_whitespace(text: &str) -> bool {
    ["<|assistant|>", "<|end|>", "<|user|>", "<|system|>"].contains(&text)
}

fn merges<'a>(
    metadata: &'a Metadata,
    ids: &HashMap<&str, u32>,
) -> Result<Vec<(&'a str, &'a str)>, String> {
    let key = keys::MERGES;
    let lines = metadata
        .texts(key)?
        .ok_or_else(|| format!("{key} is missing"))?;
    let mut joined = String::new();
    let pair = |(number, line): (usize, &'a String)| {
        let wrong = |problem: &str| {
            format!(
                "{key}: {number}, \"{}\", {problem}",
                visible_excerpt(line, 60)
            )
        };
        let (left, right) = line
            .split_once(' ')
            .filter(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains(' '))
            .ok_or_else(|| wrong("is not two tokens with a space between"))?;
        joined.clear();
        joined.push_str(left);
        joined.push_str(right);
        if [left, right, &joined]
            .iter()
            .all(|token| ids.contains_key(token))
        {
            Ok((left, right))
        } else {
            Err(wrong("joins what is no token, or into none"))
        }
    };
    lines.iter().enumerate().map(pair).collect()
}
