//! The built-in model's tokenizer and chat template against transformers', and the mask that
//! follows from them.

use serde_json::Value;
use stepladder_engine::models::chat_template::{Dialog, GenerationPrompt, Message, Role};
use stepladder_engine::models::model::ModelFiles;
use stepladder_engine::models::tokenizer::SpecialTokenText;
use stepladder_tests::golden_path;

fn golden() -> Value {
    serde_json::from_slice(&std::fs::read(golden_path("builtin.json")).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn texts_become_the_same_tokens_and_come_back() {
    let files = ModelFiles::open("builtin").unwrap();
    let golden = golden();
    let strings = golden["strings"].as_array().unwrap();
    assert!(strings.len() >= 20);
    for case in strings {
        let text = case["text"].as_str().unwrap();
        let expected = ids(&case["ids"]);
        assert_eq!(
            files.tokenizer.encode(text).unwrap().ids,
            expected,
            "{text:?}"
        );
        for (field, special) in [
            ("decoded", SpecialTokenText::Keep),
            ("decoded_without_special_tokens", SpecialTokenText::Skip),
        ] {
            let decoded = files.tokenizer.decode(&expected, special).unwrap();
            assert_eq!(decoded, case[field].as_str().unwrap(), "{text:?} {field}");
        }
        // The streamed text is the decoded text, however many tokens a character takes.
        let mut stream = files.tokenizer.stream(SpecialTokenText::Keep);
        let mut streamed = String::new();
        for &id in &expected {
            streamed.extend(stream.push(id).unwrap());
        }
        streamed.extend(stream.finish().unwrap());
        assert_eq!(
            streamed,
            case["decoded"].as_str().unwrap(),
            "{text:?} streamed"
        );
    }
    assert_eq!(
        u64::from(files.tokenizer.stop_tokens()[0]),
        golden["eos_token_id"].as_u64().unwrap()
    );
}

#[test]
fn conversations_render_to_the_same_text_and_tokens() {
    let files = ModelFiles::open("builtin").unwrap();
    let golden = golden();
    let conversations = golden["conversations"].as_array().unwrap();
    assert!(conversations.len() >= 5);
    for case in conversations {
        let messages: Vec<Message> = case["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(message)
            .collect();
        for (prompt, text, tokens) in [
            (GenerationPrompt::None, "rendered", "ids"),
            (
                GenerationPrompt::Assistant,
                "rendered_with_generation_prompt",
                "ids_with_generation_prompt",
            ),
        ] {
            let rendered = files
                .template()
                .unwrap()
                .render(&Dialog::new(&messages), prompt)
                .unwrap();
            assert_eq!(rendered, case[text].as_str().unwrap());
            assert_eq!(
                files.tokenizer.encode(&rendered).unwrap().ids,
                ids(&case[tokens])
            );
        }
    }
}

fn message(value: &Value) -> Message {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let role = Role::from_name(value["role"].as_str().unwrap()).unwrap();
    Message {
        reasoning: text("reasoning_content"),
        ..Message::new(role, text("content").unwrap())
    }
}
