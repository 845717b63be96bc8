//! Tokenizers read from GGUF files against the tokenizer.json that each file was made from: the same
//! ids, text, special tokens and chat template. What the witness took from the original is in
//! `golden.json`; the original itself is beside it for more texts than that.

mod switches;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stepladder_engine::models::chat_template::{
    ChatTemplate, Dialog, GenerationPrompt, Message, Role, find_source,
};
use stepladder_engine::models::gguf::{GgufHeader, TokenizerDocuments, documents};
use stepladder_engine::models::tokenizer::{SpecialTokenText, Tokenizer};
use stepladder_tests::golden_path;

const STYLES: [&str; 12] = [
    "llama3",
    "qwen2",
    "gpt2",
    "smollm",
    "mistral-nemo",
    "phi4-mini",
    "tinyllama",
    "mistral-v3",
    "phi3",
    "llama-unscored",
    "gemma",
    "gemma3",
];

struct Style {
    name: &'static str,
    folder: PathBuf,
    golden: Value,
    documents: TokenizerDocuments,
}

impl Style {
    fn load(name: &'static str) -> Self {
        let folder = golden_path("gguf_tokenizers").join(name);
        let golden = std::fs::read(folder.join("golden.json")).unwrap();
        let file = std::fs::read(folder.join("vocabulary.gguf")).unwrap();
        let header = GgufHeader::parse(&file).unwrap();
        Self {
            name,
            golden: serde_json::from_slice(&golden).unwrap(),
            documents: documents(&header.metadata).unwrap(),
            folder,
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        STYLES.into_iter().map(Self::load)
    }

    fn tokenizer(&self) -> Tokenizer {
        tokenizer(&self.documents)
    }

    /// The tokenizer.json that the file was made from.
    fn original(&self) -> Tokenizer {
        let json = std::fs::read(self.folder.join("tokenizer.json")).unwrap();
        Tokenizer::from_parts(&self.folder, &json, None, None, &[]).unwrap()
    }

    fn cases(&self) -> impl Iterator<Item = &Value> {
        let texts = self.golden["texts"].as_array().unwrap();
        assert!(texts.len() > 50);
        texts.iter().chain([&self.golden["rendered"]])
    }

    /// How many texts another tokenizer tokenizes differently.
    fn differing(&self, other: &Tokenizer) -> usize {
        let differs = |case: &&Value| {
            let text = case["text"].as_str().unwrap();
            other.encode(text).unwrap().ids != ids(&case["ids"])
        };
        self.cases().filter(differs).count()
    }
}

fn tokenizer(documents: &TokenizerDocuments) -> Tokenizer {
    Tokenizer::from_parts(
        Path::new("model.gguf"),
        &documents.tokenizer,
        Some(&documents.tokenizer_config),
        documents.generation_config.as_deref(),
        &[],
    )
    .unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn texts_become_the_same_tokens_and_come_back() {
    for style in Style::all() {
        let tokenizer = style.tokenizer();
        for case in style.cases() {
            let name = style.name;
            let text = case["text"].as_str().unwrap();
            let expected = ids(&case["ids"]);
            assert_eq!(
                tokenizer.encode(text).unwrap().ids,
                expected,
                "{name} {text:?}"
            );
            for (field, special) in [
                ("decoded", SpecialTokenText::Keep),
                ("decoded_without_special_tokens", SpecialTokenText::Skip),
            ] {
                let decoded = tokenizer.decode(&expected, special).unwrap();
                assert_eq!(
                    decoded,
                    case[field].as_str().unwrap(),
                    "{name} {text:?} {field}"
                );
            }
        }
    }
}

#[test]
fn every_token_has_its_place_and_its_text() {
    for style in Style::all() {
        let (ours, original) = (style.tokenizer(), style.original());
        let size = style.golden["vocabulary_size"].as_u64().unwrap();
        assert_eq!(ours.vocabulary_size() as u64, size, "{}", style.name);
        for id in 0..ours.vocabulary_size() as u32 {
            assert_eq!(
                ours.token_text(id),
                original.token_text(id),
                "{} {id}",
                style.name
            );
            for special in [SpecialTokenText::Keep, SpecialTokenText::Skip] {
                let decoded = |tokenizer: &Tokenizer| tokenizer.decode(&[id], special).unwrap();
                assert_eq!(decoded(&ours), decoded(&original), "{} {id}", style.name);
            }
        }
    }
}

#[test]
fn merges_are_the_same_and_in_the_same_order() {
    for style in Style::all() {
        let merges = |json: &[u8]| {
            let document: Value = serde_json::from_slice(json).unwrap();
            document["model"]["merges"].as_array().unwrap().clone()
        };
        let original = std::fs::read(style.folder.join("tokenizer.json")).unwrap();
        let (ours, original) = (merges(&style.documents.tokenizer), merges(&original));
        assert!(original.len() > 200);
        assert_eq!(ours, original, "{}", style.name);
    }
}

/// Texts put together at random from what is hard about texts.
#[test]
fn texts_that_nobody_thought_of_become_the_same_tokens() {
    for style in Style::all() {
        let (ours, original) = (style.tokenizer(), style.original());
        let texts: Vec<&str> = style
            .cases()
            .map(|case| case["text"].as_str().unwrap())
            .collect();
        let characters: Vec<char> = texts.iter().flat_map(|text| text.chars()).collect();
        let mut state = 1_u64;
        let mut below = |limit: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % limit
        };
        for _ in 0..400 {
            let mut text = String::new();
            for _ in 0..below(6) {
                let from = below(characters.len());
                let to = (from + below(25)).min(characters.len());
                text.extend(&characters[from..to]);
                text.push_str(&" ".repeat(below(3)));
            }
            let (found, expected) = (ours.encode(&text), original.encode(&text));
            assert_eq!(found.unwrap(), expected.unwrap(), "{} {text:?}", style.name);
        }
    }
}

#[test]
fn special_tokens_are_the_same() {
    for style in Style::all() {
        let tokenizer = style.tokenizer();
        let special = tokenizer.special_tokens();
        for (field, found) in [
            ("bos_token", &special.bos),
            ("eos_token", &special.eos),
            ("unk_token", &special.unk),
            ("pad_token", &special.pad),
        ] {
            let expected = style.golden["special"][field].as_str();
            assert_eq!(found.as_deref(), expected, "{} {field}", style.name);
        }
        // The one that the file names comes first.
        let stop_tokens = tokenizer.stop_tokens();
        let eos = special.eos.as_deref().unwrap();
        assert_eq!(Some(stop_tokens[0]), tokenizer.token_id(eos));
        let mut sorted = stop_tokens.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, ids(&style.golden["stop_tokens"]), "{}", style.name);
        let document: Value = serde_json::from_slice(&style.documents.tokenizer).unwrap();
        let marked: BTreeSet<u32> = document["added_tokens"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|token| token["special"] == true)
            .map(|token| token["id"].as_u64().unwrap() as u32)
            .collect();
        let expected = ids(&style.golden["special_ids"]).into_iter().collect();
        assert_eq!(marked, expected, "{}", style.name);
    }
}

#[test]
fn conversations_render_to_the_same_text_and_tokens() {
    for style in Style::all() {
        let origin = Path::new("model.gguf");
        let tokenizer = style.tokenizer();
        let source = find_source(origin, Some(&style.documents.tokenizer_config), None).unwrap();
        assert_eq!(source, style.golden["chat_template"].as_str().unwrap());
        let template =
            ChatTemplate::new(origin, &source, tokenizer.special_tokens().clone()).unwrap();
        let messages: Vec<Message> = style.golden["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| {
                let text = |field: &str| message[field].as_str().unwrap();
                Message::new(
                    Role::from_name(text("role")).unwrap(),
                    text("content").to_owned(),
                )
            })
            .collect();
        let rendered = template
            .render(&Dialog::new(&messages), GenerationPrompt::Assistant)
            .unwrap();
        assert_eq!(rendered, style.golden["rendered"]["text"].as_str().unwrap());
        let tokens = tokenizer.encode(&rendered).unwrap().ids;
        assert_eq!(
            tokens,
            ids(&style.golden["rendered"]["ids"]),
            "{}",
            style.name
        );
        if let Some(bos) = &tokenizer.special_tokens().bos
            && bos != "<|im_start|>"
        {
            let bos = tokenizer.token_id(bos).unwrap();
            let count = tokens.iter().filter(|id| **id == bos).count();
            assert!(count <= 1, "{}: {count} times", style.name);
        }
    }
}
