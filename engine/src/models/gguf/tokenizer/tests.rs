//! What a file must not say, and what follows from the little that it must.

use serde_json::{Value as Json, json};

use super::super::metadata::{Array, Metadata, Value};
use super::{TokenizerDocuments, documents};
use crate::models::chat_template::find_source;

fn texts(texts: &[&str]) -> Value {
    Value::Array(Array::Texts(
        texts.iter().map(|text| (*text).to_owned()).collect(),
    ))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn integers(numbers: &[i64]) -> Value {
    Value::Array(Array::Integers(numbers.to_vec()))
}

fn floats(numbers: &[f32]) -> Value {
    Value::Array(Array::Floats(numbers.to_vec()))
}

struct Fixture(Metadata);

impl Fixture {
    fn byte_level() -> Self {
        Self(Metadata::default())
            .with("model", text("gpt2"))
            .with("pre", text("qwen2"))
            .with("tokens", texts(&["a", "b", "ab", "<end>"]))
            .with("merges", texts(&["a b"]))
    }

    fn score_ranked() -> Self {
        Self(Metadata::default())
            .with("model", text("llama"))
            .with("tokens", texts(&["<unk>", "a", "b", "ab", "\u{2581}"]))
            .with("scores", floats(&[0.0, -2.0, -3.0, -1.0, -4.0]))
            .with("token_type", integers(&[2, 1, 1, 1, 1]))
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.0.0.insert(format!("tokenizer.ggml.{key}"), value);
        self
    }

    fn without(mut self, key: &str) -> Self {
        self.0.0.remove(&format!("tokenizer.ggml.{key}"));
        self
    }

    fn documents(&self) -> TokenizerDocuments {
        documents(&self.0).unwrap()
    }

    fn problem(&self) -> String {
        documents(&self.0).unwrap_err()
    }

    fn tokenizer(&self) -> Json {
        serde_json::from_slice(&self.documents().tokenizer).unwrap()
    }

    fn config(&self) -> Json {
        serde_json::from_slice(&self.documents().tokenizer_config).unwrap()
    }
}

#[test]
fn missing_keys_are_named() {
    for key in ["model", "tokens", "pre", "merges"] {
        let problem = Fixture::byte_level().without(key).problem();
        let expected = format!("tokenizer.ggml.{key} is missing");
        assert!(problem.starts_with(&expected), "{problem}");
    }
    assert_eq!(
        Fixture::score_ranked().without("scores").problem(),
        "tokenizer.ggml.scores is missing"
    );
}

#[test]
fn another_kind_of_tokenizer_is_refused() {
    assert_eq!(
        Fixture::byte_level().with("model", text("t5")).problem(),
        "tokenizer.ggml.model is \"t5\", supported are gpt2, llama"
    );
}

#[test]
fn lists_must_go_together() {
    assert_eq!(
        Fixture::byte_level().with("tokens", texts(&[])).problem(),
        "tokenizer.ggml.tokens holds no tokens"
    );
    assert_eq!(
        Fixture::byte_level()
            .with("token_type", integers(&[1]))
            .problem(),
        "tokenizer.ggml.token_type has 1 values, but tokenizer.ggml.tokens has 4"
    );
    assert_eq!(
        Fixture::score_ranked()
            .with("scores", floats(&[0.0; 6]))
            .problem(),
        "tokenizer.ggml.scores has 6 values, but tokenizer.ggml.tokens has 5"
    );
    assert_eq!(
        Fixture::score_ranked()
            .with("scores", floats(&[0.0, f32::NAN, 0.0, 0.0, 0.0]))
            .problem(),
        "tokenizer.ggml.scores: token 1 has NaN"
    );
    assert_eq!(
        Fixture::byte_level()
            .with("token_type", integers(&[1, 1, 1, 7]))
            .problem(),
        "tokenizer.ggml.token_type: token 3 is of type 7, expected 1 to 6"
    );
}

#[test]
fn a_text_has_one_id() {
    assert_eq!(
        Fixture::byte_level()
            .with("tokens", texts(&["a", "b", "ab", "a"]))
            .problem(),
        "tokenizer.ggml.tokens: tokens 0 and 3 are both \"a\""
    );
}

#[test]
fn ids_must_be_in_the_list() {
    for key in ["bos", "eos", "eot", "eom", "unknown", "padding"] {
        let key = format!("{key}_token_id");
        assert_eq!(
            Fixture::byte_level()
                .with(&key, Value::Integer(4))
                .problem(),
            format!("tokenizer.ggml.{key} is 4, but tokenizer.ggml.tokens has 4 tokens")
        );
    }
}

#[test]
fn merges_must_be_of_tokens() {
    for line in ["ab", " ab", "ab ", "a b c"] {
        assert_eq!(
            Fixture::byte_level()
                .with("merges", texts(&["a b", line]))
                .problem(),
            format!("tokenizer.ggml.merges: 1, \"{line}\", is not two tokens with a space between")
        );
    }
    for line in ["b a", "a c"] {
        assert_eq!(
            Fixture::byte_level()
                .with("merges", texts(&[line]))
                .problem(),
            format!("tokenizer.ggml.merges: 0, \"{line}\", joins what is no token, or into none")
        );
    }
}

#[test]
fn a_wrong_type_of_value_is_told() {
    assert_eq!(
        Fixture::byte_level()
            .with("tokens", integers(&[1]))
            .problem(),
        "tokenizer.ggml.tokens is a list of 1, expected a list of texts"
    );
    assert_eq!(
        Fixture::byte_level()
            .with("add_bos_token", Value::Integer(1))
            .problem(),
        "tokenizer.ggml.add_bos_token is 1, expected true or false"
    );
}

#[test]
fn named_tokens_are_special_and_told_as_text() {
    let fixture = Fixture::byte_level()
        .with("eos_token_id", Value::Integer(3))
        .with("eot_token_id", Value::Integer(3))
        .with("add_bos_token", Value::Bool(false));
    assert_eq!(
        fixture.tokenizer()["added_tokens"],
        json!([{
            "id": 3, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        }])
    );
    assert_eq!(
        fixture.config(),
        json!({
            "bos_token": null, "eos_token": "<end>", "unk_token": null, "pad_token": null,
            "add_bos_token": false,
        })
    );
    let generation = fixture.documents().generation_config.unwrap();
    let generation: Json = serde_json::from_slice(&generation).unwrap();
    assert_eq!(generation, json!({"eos_token_id": [3]}));
    assert_eq!(Fixture::byte_level().documents().generation_config, None);
}

#[test]
fn what_ends_a_turn_is_known_by_its_name_if_no_key_tells() {
    let fixture = Fixture::score_ranked()
        .with(
            "tokens",
            texts(&["<unk>", "<eos>", "<end_of_turn>", "<|end|>", "a"]),
        )
        .with("token_type", integers(&[2, 3, 3, 1, 1]))
        .with("eos_token_id", Value::Integer(1));
    let generation = fixture.documents().generation_config.unwrap();
    let generation: Json = serde_json::from_slice(&generation).unwrap();
    // The other one is ordinary text in this file.
    assert_eq!(generation, json!({"eos_token_id": [1, 2]}));
}

#[test]
fn named_templates_are_listed_beside_the_default_one() {
    let mut fixture = Fixture::byte_level();
    let keys = [
        ("tokenizer.chat_template.tool_use", "tools"),
        ("tokenizer.chat_template", "usual"),
    ];
    let mut found = Vec::new();
    for (key, template) in keys {
        fixture.0.0.insert(key.to_owned(), text(template));
        let config = fixture.documents().tokenizer_config;
        let origin = std::path::Path::new("model.gguf");
        found.push(find_source(origin, Some(&config), None).unwrap());
    }
    // A single one is taken whatever its name.
    assert_eq!(found, ["tools", "usual"]);
    let key = "tokenizer.chat_template.tool_use";
    fixture.0.0.insert(key.to_owned(), Value::Integer(1));
    assert_eq!(fixture.problem(), format!("{key} is 1, expected a text"));
}

#[test]
fn zero_and_minus_zero_are_one_score() {
    let fixture = Fixture::score_ranked()
        .with("tokens", texts(&["<unk>", "a", "b", "ab", "ba"]))
        .with("scores", floats(&[0.0, -5.0, -6.0, -0.0, 0.0]))
        .with("token_type", integers(&[2, 1, 1, 1, 4]));
    assert_eq!(
        fixture.tokenizer()["model"]["merges"],
        json!([["a", "b"], ["b", "a"]])
    );
}

#[test]
fn equal_scores_are_ranked_by_id_and_in_gemma_3_by_length() {
    let mut fixture = Fixture::score_ranked()
        .with("tokens", texts(&["<unk>", "a", "aa", "aaa"]))
        .with("scores", floats(&[-1000.0; 4]))
        .with("token_type", integers(&[2, 1, 1, 1]));
    assert_eq!(
        fixture.tokenizer()["model"]["merges"],
        json!([["a", "a"], ["a", "aa"], ["aa", "a"]])
    );
    let key = "general.architecture".to_owned();
    fixture.0.0.insert(key, text("gemma3"));
    assert_eq!(
        fixture.tokenizer()["model"]["merges"],
        json!([["aa", "a"], ["a", "aa"], ["a", "a"]])
    );
}

#[test]
fn every_cut_into_two_tokens_is_a_merge_and_higher_scores_come_first() {
    let fixture = Fixture::score_ranked()
        .with("tokens", texts(&["<unk>", "a", "aa", "aaa", "b", "ab"]))
        .with("scores", floats(&[0.0, -5.0, -2.0, -3.0, -6.0, -1.0]))
        .with("token_type", integers(&[2, 1, 1, 1, 1, 1]));
    assert_eq!(
        fixture.tokenizer()["model"]["merges"],
        json!([["a", "b"], ["a", "a"], ["a", "aa"], ["aa", "a"]])
    );
}

#[test]
fn the_unknown_token_is_the_named_one_or_the_one_of_that_type() {
    let fixture = Fixture::score_ranked();
    assert_eq!(fixture.tokenizer()["model"]["unk_token"], "<unk>");
    let fixture = fixture.with("unknown_token_id", Value::Integer(1));
    assert_eq!(fixture.tokenizer()["model"]["unk_token"], "a");
}

#[test]
fn a_score_ranked_token_is_not_endless() {
    let long = "a".repeat(1025);
    assert_eq!(
        Fixture::score_ranked()
            .with("tokens", texts(&["<unk>", "a", "b", &long, "\u{2581}"]))
            .problem(),
        "tokenizer.ggml.tokens: token 3 has 1025 bytes, expected at most 1024"
    );
}

#[test]
fn fillers_are_no_tokens() {
    let fixture = Fixture::byte_level()
        .with("tokens", texts(&["a", "b", "ab", "[PAD]", "[PAD]"]))
        .with("token_type", integers(&[1, 1, 1, 5, 5]));
    assert_eq!(
        fixture.tokenizer()["model"]["vocab"],
        json!({"a": 0, "b": 1, "ab": 2})
    );
}
