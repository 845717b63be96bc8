//! SentencePiece's byte pair encoding, `tokenizer.ggml.model = "llama"`: every token has a score, and
//! of two neighbors those are merged first whose token has the highest. A tokenizer.json has a list
//! of merges instead, which is rebuilt here as transformers' converter does: every way to cut a token
//! into two tokens is a merge, ranked by the token's score.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::metadata::Metadata;
use super::document::{Document, Ids, Model, added_tokens};
use super::vocabulary::{Kind, Vocabulary, same_length};
use super::{Family, keys};

/// What a space is written as.
const SPACE_MARK: &str = "\u{2581}";

/// Cutting a token everywhere takes time that grows with the square of its length.
const LONGEST_TOKEN: usize = 1024;

/// The tokenizer.json.
pub(super) fn document<'a>(
    metadata: &'a Metadata,
    vocabulary: &'a Vocabulary,
    family: Family,
    unknown: Option<&'a str>,
) -> Result<Document<'a>, String> {
    let key = keys::SCORES;
    let scores = metadata
        .floats(key)?
        .ok_or_else(|| format!("{key} is missing"))?;
    same_length(key, scores.len(), vocabulary.len())?;
    if let Some(id) = scores.iter().position(|score| !score.is_finite()) {
        return Err(format!("{key}: token {id} has {}", scores[id]));
    }
    if let Some((id, token)) = vocabulary
        .used()
        .find(|(_, token)| token.text.len() > LONGEST_TOKEN)
    {
        return Err(format!(
            "{}: token {id} has {} bytes, expected at most {LONGEST_TOKEN}",
            keys::TOKENS,
            token.text.len()
        ));
    }
    let ids = vocabulary.ids()?;
    let merges = merges(vocabulary, scores, &ids, Ties::of(family));
    let space = Space::read(metadata, vocabulary, family)?;
    Ok(Document {
        version: "1.0",
        added_tokens: added_tokens(vocabulary, |text| {
            family == Family::Phi && swallows_whitespace(text)
        }),
        normalizer: space.normalizer(),
        pre_tokenizer: space.pre_tokenizer(),
        post_processor: Value::Null,
        decoder: space.decoder(),
        model: Model {
            kind: "BPE",
            unk_token: unknown,
            fuse_unk: true,
            byte_fallback: true,
            ignore_merges: false,
            vocab: Ids::new(ids),
            merges,
        },
    })
}

/// Brings the list of tokens back to what the original had, where llama.cpp's converter changed it.
pub(super) fn restore(vocabulary: &mut Vocabulary, family: Family) {
    for token in &mut vocabulary.tokens {
        // Runs of spaces, which the converter unmarks so that they are found in a text as it is.
        if token.kind == Kind::UserDefined && token.text.bytes().all(|byte| byte == b' ') {
            token.text = SPACE_MARK.repeat(token.text.len());
        }
        if family.is_gemma() && token.kind == Kind::Control && is_text_to_gemma(&token.text) {
            token.kind = Kind::UserDefined;
        }
    }
    // transformers writes Gemma's byte 9 as the tab that it is, unless there is a tab besides.
    if family.is_gemma() && !vocabulary.tokens.iter().any(|token| token.text == "\t") {
        let mut tokens = vocabulary.tokens.iter_mut();
        if let Some(token) = tokens.find(|token| token.text == "<0x09>") {
            token.text = "\t".to_owned();
        }
    }
}

/// The converter makes control tokens of these for their looks; Gemma's tokenizer.json does not.
fn is_text_to_gemma(token: &str) -> bool {
    token.starts_with("<unused") || ["<mask>", "<2mass>", "[@BOS@]"].contains(&token)
}

/// After Phi-3's special tokens whitespace vanishes, which no key of the file says.
fn swallows_whitespace(text: &str) -> bool {
    !["<unk>", "<s>", "<|endoftext|>"].contains(&text)
}

/// Where a space is put that is not in the text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    Nowhere,
    /// Before the text and before what follows an added token.
    EveryPart,
    /// Before the text only.
    Start,
}

impl Space {
    fn read(metadata: &Metadata, vocabulary: &Vocabulary, family: Family) -> Result<Self, String> {
        let usual = !family.is_gemma();
        if !metadata.flag(keys::ADD_SPACE_PREFIX)?.unwrap_or(usual) {
            return Ok(Self::Nowhere);
        }
        // The key does not tell these two apart. Mistral's third tokenizer, the first whose
        // instruction marks are tokens, is the one published with the newer scheme.
        let mistral_3 = vocabulary
            .tokens
            .iter()
            .any(|token| token.kind == Kind::Control && token.text == "[INST]");
        Ok(if mistral_3 {
            Self::Start
        } else {
            Self::EveryPart
        })
    }

    fn normalizer(self) -> Value {
        let mark = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE_MARK});
        match self {
            Self::Nowhere => mark,
            Self::EveryPart => json!({
                "type": "Sequence",
                "normalizers": [{"type": "Prepend", "prepend": SPACE_MARK}, mark],
            }),
            Self::Start => Value::Null,
        }
    }

    fn pre_tokenizer(self) -> Value {
        match self {
            Self::Nowhere | Self::EveryPart => Value::Null,
            Self::Start => json!({
                "type": "Metaspace", "replacement": SPACE_MARK, "prepend_scheme": "first",
                "split": false,
            }),
        }
    }

    fn decoder(self) -> Value {
        let mut steps = vec![
            json!({"type": "Replace", "pattern": {"String": SPACE_MARK}, "content": " "}),
            json!({"type": "ByteFallback"}),
            json!({"type": "Fuse"}),
        ];
        if self != Self::Nowhere {
            steps.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
        }
        json!({"type": "Sequence", "decoders": steps})
    }
}

/// Which merge comes first of those whose tokens have one score: the cuts of one token, and the tokens
/// that SentencePiece does not rank.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ties {
    /// The token with the smaller id, and of its cuts the one with the smaller ids. This is how
    /// every tokenizer.json was written until the summer of 2024, up to Gemma 2. It also mends files
    /// whose tokens all have one score, made where there was no SentencePiece model to take it from:
    /// ids are in the order of training.
    ById,
    /// The longest left part, then the longest right part, wherever it is. So it is since, in Gemma 3.
    ByLength,
}

impl Ties {
    fn of(family: Family) -> Self {
        match family {
            Family::Gemma3 => Self::ByLength,
            Family::Gemma | Family::Phi | Family::Other => Self::ById,
        }
    }
}

/// One way to make a token of two.
struct Merge<'a> {
    left: &'a str,
    right: &'a str,
    score: f32,
    /// Characters, not bytes, left and right.
    lengths: (usize, usize),
}

fn merges<'a>(
    vocabulary: &'a Vocabulary,
    scores: &[f32],
    ids: &HashMap<&str, u32>,
    ties: Ties,
) -> Vec<(&'a str, &'a str)> {
    let mut merges = Vec::with_capacity(vocabulary.len() * 2);
    let mut cuts = Vec::new();
    for (id, token) in vocabulary.used() {
        let score = match token.kind {
            // Found in the text as they are, never merged.
            Kind::Control | Kind::Unknown | Kind::Unused => continue,
            // SentencePiece's own; the converter writes -1000.
            Kind::UserDefined => 0.0,
            Kind::Normal | Kind::Byte => scores[id as usize],
        };
        let length = token.text.chars().count();
        cuts.clear();
        for (left_length, (at, _)) in token.text.char_indices().enumerate().skip(1) {
            let (left, right) = token.text.split_at(at);
            if let (Some(left_id), Some(right_id)) = (ids.get(left), ids.get(right)) {
                cuts.push((*left_id, *right_id, left, right, left_length));
            }
        }
        cuts.sort_unstable_by_key(|(left_id, right_id, ..)| (*left_id, *right_id));
        merges.extend(cuts.iter().map(|&(_, _, left, right, left_length)| Merge {
            left,
            right,
            score,
            lengths: (left_length, length - left_length),
        }));
    }
    // Stable: what ties stays in the order of the ids. Scores are finite, and 0 and -0 are one score:
    // the first token that SentencePiece learned has -0.
    merges.sort_by(|a, b| {
        let by_score = b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal);
        match ties {
            Ties::ById => by_score,
            Ties::ByLength => by_score.then_with(|| b.lengths.cmp(&a.lengths)),
        }
    });
    merges
        .iter()
        .map(|merge| (merge.left, merge.right))
        .collect()
}
