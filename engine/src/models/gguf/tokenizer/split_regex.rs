//! How text is cut into pieces before byte pairs are merged. The file gives only a name,
//! `tokenizer.ggml.pre`; what stands here for a name is what the tokenizer.json of the models that
//! carry it has, not llama.cpp's reading of it, which differs in scripts with combining marks.

use serde_json::{Value, json};

use super::keys;
use crate::foreign_text::visible_excerpt;

/// Everything that follows from the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// `None`: GPT-2's expression, which is built into the byte-level step.
    expression: Option<&'static str>,
    /// Every digit is a piece of its own.
    single_digits: bool,
    /// Composed characters, as Qwen has it.
    composed: bool,
    /// A piece that is a token is taken as it is, even where no merges lead to it.
    pub(super) ignore_merges: bool,
}

const GPT2: Split = Split {
    expression: None,
    single_digits: false,
    composed: false,
    ignore_merges: false,
};

const LLAMA3: Split = Split {
    expression: Some(concat!(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )),
    ignore_merges: true,
    ..GPT2
};

const QWEN2: Split = Split {
    expression: Some(concat!(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )),
    composed: true,
    ..GPT2
};

const SMOLLM: Split = Split {
    single_digits: true,
    ..GPT2
};

const TEKKEN: Split = Split {
    expression: Some(concat!(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|",
        r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )),
    ignore_merges: true,
    ..GPT2
};

const GPT4O: Split = Split {
    expression: Some(concat!(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
        r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )),
    ..GPT2
};

/// `default` is what a converter writes that knows no better; GPT-2's expression is what a
/// tokenizer.json has that says nothing.
const KNOWN: [(&str, Split); 7] = [
    ("default", GPT2),
    ("gpt-2", GPT2),
    ("gpt-4o", GPT4O),
    ("llama-bpe", LLAMA3),
    ("qwen2", QWEN2),
    ("smollm", SMOLLM),
    ("tekken", TEKKEN),
];

impl Split {
    /// The one of that name.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        match KNOWN.iter().find(|(known, _)| *known == name) {
            Some((_, split)) => Ok(*split),
            None => Err(format!(
                "{} is \"{}\", supported are {}",
                keys::PRE,
                visible_excerpt(name, 40),
                KNOWN.map(|(known, _)| known).join(", ")
            )),
        }
    }

    /// `normalizer` of a tokenizer.json.
    pub(super) fn normalizer(self) -> Value {
        if self.composed {
            json!({"type": "NFC"})
        } else {
            Value::Null
        }
    }

    /// `pre_tokenizer` of a tokenizer.json.
    pub(super) fn pre_tokenizer(self) -> Value {
        let byte_level = json!({
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": self.expression.is_none(),
        });
        let first = if let Some(expression) = self.expression {
            json!({
                "type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated",
                "invert": false,
            })
        } else if self.single_digits {
            json!({"type": "Digits", "individual_digits": true})
        } else {
            return byte_level;
        };
        json!({"type": "Sequence", "pretokenizers": [first, byte_level]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones() {
        assert_eq!(
            Split::named("viking").unwrap_err(),
            "tokenizer.ggml.pre is \"viking\", supported are default, gpt-2, gpt-4o, llama-bpe, \
             qwen2, smollm, tekken"
        );
    }

    #[test]
    fn every_expression_is_understood() {
        for (name, split) in KNOWN {
            let text = split.pre_tokenizer().to_string();
            let parsed: Result<tokenizers::PreTokenizerWrapper, _> = serde_json::from_str(&text);
            assert!(parsed.is_ok(), "{name}: {parsed:?}");
        }
    }
}
