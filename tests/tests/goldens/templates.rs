//! Chat templates in the styles of well-known families, and those that come with the program: the
//! same text, the same tokens and the same refusals as transformers', and what each of them does.

use std::path::{Path, PathBuf};

use serde_json::Value;
use stepladder_engine::models::chat_template::{
    ChatTemplate, Clock, Dialog, EmptyTraceForm, EndOfTurn, GenerationPrompt, Message,
    NamedTemplate, Role, SpecialTokens, TemplateTraits, Thinking,
};
use stepladder_engine::models::tokenizer::Tokenizer;
use stepladder_tests::golden_path;

/// 2024-02-09 13:05:09 UTC, as in the witness.
const NOW: i64 = 1_707_483_909;

fn folder() -> PathBuf {
    golden_path("templates")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn tokenizer() -> Tokenizer {
    let text = std::fs::read(folder().join("tokenizer.json")).unwrap();
    Tokenizer::from_parts(&folder(), &text, None, None, &[]).unwrap()
}

/// The styles written for the witness; the named ones lie in the program.
fn source(style: &str) -> String {
    match NamedTemplate::find(style) {
        Some(named) => named.source.to_owned(),
        None => {
            let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("witness/templates");
            std::fs::read_to_string(place.join(format!("{style}.jinja"))).unwrap()
        }
    }
}

fn template(style: &str, special: &Value) -> ChatTemplate {
    let token = |name: &str| special[name].as_str().map(str::to_owned);
    let special = SpecialTokens {
        bos: token("bos_token"),
        eos: token("eos_token"),
        pad: token("pad_token"),
        unk: token("unk_token"),
    };
    ChatTemplate::new(Path::new(style), &source(style), special)
        .unwrap()
        .with_clock(Clock::at_unix_secs(NOW))
}

fn styles() -> Vec<(String, Value)> {
    let mut styles: Vec<(String, Value)> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .filter(|(name, _)| !["tokenizer", "conversations", "expressions"].contains(&name.as_str()))
        .map(|(name, path)| (name, json(&path)))
        .collect();
    styles.sort_by(|(a, _), (b, _)| a.cmp(b));
    styles
}

fn message(value: &Value) -> Message {
    let mut fields = value.as_object().unwrap().clone();
    let mut text = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let role = Role::from_name(&text("role").unwrap()).unwrap();
    Message {
        reasoning: text("reasoning"),
        content: text("content").unwrap(),
        role,
        extra: fields,
    }
}

fn fnv(ids: &[u32]) -> String {
    let bytes = ids.iter().flat_map(|id| id.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[test]
fn conversations_become_the_same_text_and_tokens() {
    let tokenizer = tokenizer();
    let conversations = json(&folder().join("conversations.json"));
    let (mut told, mut refused) = (0, 0);
    let mut differences = Vec::new();
    for (style, golden) in styles() {
        let template = template(&style, &golden["special"]);
        for case in golden["cases"].as_array().unwrap() {
            let name = case["conversation"].as_str().unwrap();
            let conversation = &conversations[name];
            let said = conversation["messages"].as_array().unwrap();
            let mut messages: Vec<Message> = said.iter().map(message).collect();
            let prompt = match case["prompt"] == true {
                false => GenerationPrompt::None,
                true => {
                    messages.pop();
                    GenerationPrompt::Assistant
                }
            };
            let dialog = Dialog {
                tools: conversation.get("tools"),
                thinking: match conversation["enable_thinking"].as_bool() {
                    None => Thinking::Unsaid,
                    Some(true) => Thinking::On,
                    Some(false) => Thinking::Off,
                },
                ..Dialog::new(&messages)
            };
            let place = format!("{style}, {name}, {prompt:?}");
            let found = template.render(&dialog, prompt);
            match (case["text"].as_str(), found) {
                (Some(expected), Ok(text)) => {
                    if text != expected {
                        differences.push(format!("{place}:\n{text:?}\n{expected:?}"));
                        continue;
                    }
                    told += 1;
                    let ids = tokenizer.encode(&text).unwrap().ids;
                    match case["ids"].as_array() {
                        Some(expected) => assert_eq!(
                            &serde_json::json!(ids),
                            &serde_json::json!(expected),
                            "{place}"
                        ),
                        None => {
                            assert_eq!(ids.len() as u64, case["tokens"], "{place}");
                            assert_eq!(fnv(&ids), case["ids_fnv"], "{place}");
                        }
                    }
                }
                (None, Err(error)) => {
                    refused += 1;
                    let error = error.to_string();
                    match case["refused"].as_str() {
                        Some(words) => {
                            let end = format!("refuses these messages: {words}");
                            assert!(error.ends_with(&end), "{place}: {error}");
                        }
                        None => assert!(!error.contains("refuses"), "{place}: {error}"),
                    }
                }
                (expected, found) => {
                    differences.push(format!("{place}:\n{found:?}\n{expected:?}"));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    assert!(
        told >= 550 && refused >= 30,
        "{told} told, {refused} refused"
    );
}

#[test]
fn expressions_become_the_same_text() {
    let messages = [Message::new(Role::User, "hi")];
    let cases = json(&folder().join("expressions.json"));
    let cases = cases.as_array().unwrap();
    let mut failing = 0;
    for case in cases {
        let source = case[0].as_str().unwrap();
        let special = SpecialTokens::default();
        let found = ChatTemplate::new(Path::new("expression"), source, special)
            .and_then(|one| one.render(&Dialog::new(&messages), GenerationPrompt::None));
        failing += usize::from(found.is_err());
        assert_eq!(found.ok().as_deref(), case[1].as_str(), "{source}");
    }
    assert!(
        cases.len() >= 120 && failing >= 10,
        "{failing} of {}",
        cases.len()
    );
}

/// What a template with that name does.
fn traits(style: &str) -> TemplateTraits {
    let golden = json(&folder().join(format!("{style}.json")));
    template(style, &golden["special"]).traits().clone()
}

#[test]
fn what_a_template_does_is_found_out() {
    let block = Some("<think>\n\n</think>\n\n".to_owned());
    let plain = TemplateTraits {
        keeps_inline_traces: true,
        takes_system: true,
        ..TemplateTraits::default()
    };
    let expected = [
        (
            "qwen3",
            TemplateTraits {
                prints_reasoning: true,
                keeps_inline_traces: true,
                earlier_traces_dropped: true,
                thinks: true,
                empty_trace: block.clone(),
                empty_trace_form: EmptyTraceForm::Unasked,
                takes_tools: true,
                takes_system: true,
            },
        ),
        (
            "deepseek-r1",
            TemplateTraits {
                earlier_traces_dropped: true,
                thinks: true,
                takes_system: true,
                ..TemplateTraits::default()
            },
        ),
        (
            "harmony",
            TemplateTraits {
                prints_reasoning: true,
                keeps_inline_traces: true,
                earlier_traces_dropped: true,
                thinks: true,
                empty_trace: None,
                empty_trace_form: EmptyTraceForm::InWords,
                takes_tools: true,
                takes_system: true,
            },
        ),
        (
            "smollm3",
            TemplateTraits {
                thinks: true,
                empty_trace: Some("<think>\n\n</think>\n".to_owned()),
                takes_tools: true,
                ..plain.clone()
            },
        ),
        (
            "granite",
            TemplateTraits {
                prints_reasoning: true,
                thinks: true,
                takes_tools: true,
                ..plain.clone()
            },
        ),
        (
            "llama3-tools",
            TemplateTraits {
                takes_tools: true,
                ..plain.clone()
            },
        ),
        (
            "gemma2",
            TemplateTraits {
                takes_system: false,
                ..plain.clone()
            },
        ),
        ("gemma3", plain.clone()),
        ("zephyr", plain.clone()),
    ];
    for (style, expected) in expected {
        assert_eq!(traits(style), expected, "{style}");
    }
    for named in &NamedTemplate::ALL {
        let expected = TemplateTraits {
            empty_trace_form: EmptyTraceForm::EmptyReasoning,
            prints_reasoning: true,
            thinks: true,
            empty_trace: block.clone(),
            ..plain.clone()
        };
        assert_eq!(traits(named.name), expected, "{}", named.name);
    }
}

#[test]
fn what_is_said_of_named_templates_is_so() {
    for named in &NamedTemplate::ALL {
        assert_eq!(NamedTemplate::find(named.name), Some(named));
        let special = serde_json::json!({"bos_token": "<s>", "eos_token": "</s>"});
        let chat = template(named.name, &special);
        let messages = [
            Message::new(Role::System, "Be brief."),
            Message::new(Role::User, "Hi"),
            Message::new(Role::Assistant, "Ho"),
        ];
        let text = chat
            .render(&Dialog::new(&messages), GenerationPrompt::None)
            .unwrap();
        let end = match named.end_of_turn {
            EndOfTurn::Token(token) => token,
            EndOfTurn::EndOfSequence => "</s>",
        };
        let (_, behind) = text.split_once("Ho").unwrap();
        assert_eq!(behind.trim_end(), end, "{}", named.name);
        for token in named.special_tokens {
            let reply = chat.render(&Dialog::new(&messages[..2]), GenerationPrompt::Assistant);
            assert!(reply.unwrap().contains(token), "{} {token}", named.name);
        }
        assert_eq!(text.starts_with("<s>"), named.prints_bos, "{}", named.name);
    }
    assert_eq!(NamedTemplate::find("Chatml"), None);
}
