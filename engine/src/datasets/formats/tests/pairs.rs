//! Formats of a question and its answer in columns, preferences and texts.

use serde_json::json;
use stepladder_protocol::DataFormat::{
    self, Alpaca, Preference, PromptCompletion, QuestionAnswer, Text,
};

use super::{auto, chat, problem, read, told};
use crate::datasets::conversation::Role::{self, Assistant, System, User};
use crate::datasets::conversation::Sample;

type Turns = &'static [(Role, &'static str)];

#[test]
fn rows_of_well_known_datasets() {
    let cases: &[(&str, DataFormat, Turns)] = &[
        // Alpaca, with the whole text as it also has it.
        (
            r#"{"instruction": "Add.", "input": "1 and 1", "output": "2", "text": "Below is ..."}"#,
            Alpaca,
            &[(User, "Add.\n1 and 1"), (Assistant, "2")],
        ),
        (
            r#"{"instruction": "Name a color.", "input": "", "output": "red"}"#,
            Alpaca,
            &[(User, "Name a color."), (Assistant, "red")],
        ),
        // LLaMA-Factory
        (
            r#"{"instruction": "c", "input": null, "output": "d", "system": "s", "history": [["a", "b"]]}"#,
            Alpaca,
            &[
                (System, "s"),
                (User, "a"),
                (Assistant, "b"),
                (User, "c"),
                (Assistant, "d"),
            ],
        ),
        (
            r#"{"instruction": "c", "output": "d", "history": "[[\"a\", \"b\"]]"}"#,
            Alpaca,
            &[(User, "a"), (Assistant, "b"), (User, "c"), (Assistant, "d")],
        ),
        (
            r#"{"instruction": "", "input": "c", "output": "d", "history": ""}"#,
            Alpaca,
            &[(User, "c"), (Assistant, "d")],
        ),
        // Dolly
        (
            r#"{"instruction": "When?", "context": "In 1969.", "response": "1969", "category": "closed_qa"}"#,
            Alpaca,
            &[(User, "When?\nIn 1969."), (Assistant, "1969")],
        ),
        // OpenOrca
        (
            r#"{"id": "niv.1", "system_prompt": "You are kind.", "question": "hi", "response": "ho"}"#,
            QuestionAnswer,
            &[(System, "You are kind."), (User, "hi"), (Assistant, "ho")],
        ),
        // GSM8K
        (
            r##"{"question": "1+1?", "answer": "One and one is <<1+1=2>>2.\n#### 2"}"##,
            QuestionAnswer,
            &[
                (User, "1+1?"),
                (Assistant, "One and one is <<1+1=2>>2.\n#### 2"),
            ],
        ),
        // MATH
        (
            r#"{"problem": "1+1", "solution": "It is \\boxed{2}.", "answer": "2", "level": 1}"#,
            QuestionAnswer,
            &[(User, "1+1"), (Assistant, "It is \\boxed{2}.")],
        ),
        (
            r#"{"question": "1+1", "answer": 2}"#,
            QuestionAnswer,
            &[(User, "1+1"), (Assistant, "2")],
        ),
        (
            r#"{"Question": "Is it so?", "Answer": true}"#,
            QuestionAnswer,
            &[(User, "Is it so?"), (Assistant, "true")],
        ),
        (
            r#"{"context": "It rains.", "question": "How is it?", "answer": "wet"}"#,
            QuestionAnswer,
            &[(User, "It rains.\n\nHow is it?"), (Assistant, "wet")],
        ),
        (
            r#"{"question": "a", "response": "b", "source": "web"}"#,
            QuestionAnswer,
            &[(User, "a"), (Assistant, "b")],
        ),
        (
            r#"{"prompt": "hi", "completion": " ho\n", "source": 3}"#,
            PromptCompletion,
            &[(User, "hi"), (Assistant, " ho\n")],
        ),
        (
            r#"{"prompt": "hi", "response": "ho", "system": "be kind"}"#,
            PromptCompletion,
            &[(System, "be kind"), (User, "hi"), (Assistant, "ho")],
        ),
        (
            r#"{"input": "hi", "output": "ho"}"#,
            PromptCompletion,
            &[(User, "hi"), (Assistant, "ho")],
        ),
        (
            r#"{"source": "hi", "target": "ho"}"#,
            PromptCompletion,
            &[(User, "hi"), (Assistant, "ho")],
        ),
        // TRL, as texts, with an explicit and with an implicit prompt.
        (
            r#"{"prompt": "sky?", "chosen": "blue", "rejected": "green"}"#,
            Preference,
            &[(User, "sky?"), (Assistant, "blue")],
        ),
        (
            r#"{"prompt": [{"role": "user", "content": "sky?"}], "chosen": [{"role": "assistant", "content": "blue"}], "rejected": [{"role": "assistant", "content": "green"}]}"#,
            Preference,
            &[(User, "sky?"), (Assistant, "blue")],
        ),
        (
            r#"{"chosen": [{"role": "user", "content": "sky?"}, {"role": "assistant", "content": "blue"}], "rejected": []}"#,
            Preference,
            &[(User, "sky?"), (Assistant, "blue")],
        ),
        // UltraFeedback, binarized
        (
            r#"{"prompt": "sky?", "prompt_id": "f0", "chosen": [{"role": "user", "content": "sky?"}, {"role": "assistant", "content": "blue"}], "rejected": [{"role": "user", "content": "sky?"}, {"role": "assistant", "content": "green"}], "messages": [{"role": "user", "content": "sky?"}, {"role": "assistant", "content": "blue"}], "score_chosen": 9.0, "score_rejected": 2.0}"#,
            Preference,
            &[(User, "sky?"), (Assistant, "blue")],
        ),
        // LLaMA-Factory's pairs
        (
            r#"{"conversations": [{"from": "human", "value": "sky?"}], "chosen": {"from": "gpt", "value": "blue"}, "rejected": {"from": "gpt", "value": "green"}}"#,
            Preference,
            &[(User, "sky?"), (Assistant, "blue")],
        ),
        // HH-RLHF
        (
            r#"{"chosen": "\n\nHuman: sky?\n\nAssistant: Which?\n\nHuman: Ours.\n\nAssistant: Blue.", "rejected": "\n\nHuman: sky?\n\nAssistant: Green."}"#,
            Preference,
            &[
                (User, "sky?"),
                (Assistant, "Which?"),
                (User, "Ours."),
                (Assistant, "Blue."),
            ],
        ),
        (
            r#"{"prompt": "\n\nHuman: sky?\n\nAssistant:", "chosen": " Blue.", "rejected": " Green."}"#,
            Preference,
            &[(User, "sky?"), (Assistant, " Blue.")],
        ),
    ];
    for (row, format, turns) in cases {
        assert_eq!(told(&chat(row, *format).messages), *turns, "{row}");
    }
}

#[test]
fn a_dialogue_of_many_turns_is_read() {
    let turns = "\n\nHuman:a".repeat(100_000);
    let row = serde_json::json!({"chosen": format!("{turns}\n\n\nAssistant: b"), "rejected": "c"});
    // Looking for the end of the text at each turn would take the tests of this room from seconds to
    // half a minute.
    let chat = chat(&row.to_string(), Preference);
    assert_eq!(chat.messages.len(), 100_001);
    assert_eq!(
        told(&chat.messages[99_999..]),
        [(User, "a"), (Assistant, "b")]
    );
}

#[test]
fn reasoning_beside_a_list_of_turns() {
    for (turn, expected) in [
        (r#"{"role": "assistant", "content": "b"}"#, "c"),
        (
            r#"{"role": "assistant", "content": "b", "reasoning": "own"}"#,
            "own",
        ),
    ] {
        let row = format!(
            r#"{{"prompt": [{{"role": "user", "content": "a"}}], "completion": [{turn}], "reasoning": "c"}}"#
        );
        let chat = chat(&row, PromptCompletion);
        assert_eq!(
            chat.messages[1].reasoning.as_deref(),
            Some(expected),
            "{row}"
        );
    }
}

#[test]
fn reasoning_in_a_column() {
    for (row, format) in [
        (
            r#"{"Question": "a", "Complex_CoT": "c", "Response": "b"}"#,
            QuestionAnswer,
        ),
        (
            r#"{"question": "a", "answer": "b", "rationale": "c"}"#,
            QuestionAnswer,
        ),
        (
            r#"{"problem": "a", "answer": "b", "chain-of-thought": "c"}"#,
            QuestionAnswer,
        ),
        (
            r#"{"prompt": "a", "completion": "b", "thinking": "c"}"#,
            PromptCompletion,
        ),
        (
            r#"{"instruction": "a", "output": "b", "reasoning": "c"}"#,
            Alpaca,
        ),
    ] {
        let chat = chat(row, format);
        assert_eq!(
            told(&chat.messages),
            [(User, "a"), (Assistant, "b")],
            "{row}"
        );
        assert_eq!(chat.messages[1].reasoning.as_deref(), Some("c"), "{row}");
    }
    let blank = chat(
        r#"{"question": "a", "answer": "b", "cot": " "}"#,
        QuestionAnswer,
    );
    assert_eq!(blank.messages[1].reasoning, None);
}

#[test]
fn trl_conversations_train_the_completion_alone() {
    let row = r#"{"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
        "completion": [{"role": "assistant", "content": "d"}], "tools": [{"name": "add"}]}"#;
    let found = chat(row, PromptCompletion);
    assert_eq!(
        told(&found.messages),
        [(User, "a"), (Assistant, "b"), (User, "c"), (Assistant, "d")]
    );
    assert_eq!(found.messages[1].extra["weight"], 0);
    assert!(found.messages[3].extra.is_empty());
    assert!(found.tools.is_some());
    let mixed = r#"{"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "c"}], "completion": "d", "system": "x"}"#;
    assert_eq!(
        told(&chat(mixed, PromptCompletion).messages),
        [(System, "s"), (User, "c"), (Assistant, "d")]
    );
}

#[test]
fn xlam_answers_are_calls() {
    let calls = r#"[{"name": "add", "arguments": {"a": 1}}]"#;
    let tools = r#"[{"name": "add", "description": "adds", "parameters": {"a": {"type": "int"}}}]"#;
    let row = json!({"id": 0, "query": "1+1?", "answers": calls, "tools": tools});
    let found = chat(&row.to_string(), QuestionAnswer);
    assert_eq!(told(&found.messages), [(User, "1+1?"), (Assistant, "")]);
    assert_eq!(
        found.messages[1].extra["tool_calls"],
        json!([{"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}])
    );
    assert_eq!(found.tools.unwrap()[0]["function"]["name"], "add");
    // Without tools it is a text, and with them other words are one too.
    let text = chat(
        &json!({"query": "1+1?", "answers": calls}).to_string(),
        QuestionAnswer,
    );
    assert_eq!(text.messages[1].content, calls);
    let words = json!({"query": "1+1?", "answers": "[no call]", "tools": tools});
    assert_eq!(
        chat(&words.to_string(), QuestionAnswer).messages[1].content,
        "[no call]"
    );
}

#[test]
fn texts_have_no_turns() {
    for column in ["text", "content", "document", "Text"] {
        let row = json!({column: "Once upon\n a time ", "id": 3}).to_string();
        let (format, sample) = read(&row);
        assert_eq!(format, Text);
        assert_eq!(sample, Ok(Sample::Text("Once upon\n a time ".to_owned())));
    }
}

#[test]
fn every_problem_names_its_column() {
    let cases = [
        (
            r#"{"prompt": [3], "completion": "ho"}"#,
            "`prompt[0]` is a number, not an object",
        ),
        (
            r#"{"prompt": "hi", "completion": "\n"}"#,
            "`completion` is empty",
        ),
        (
            r#"{"prompt": " ", "completion": "ho"}"#,
            "`prompt` is empty",
        ),
        (
            r#"{"prompt": "hi", "completion": [{"role": "user", "content": "x"}]}"#,
            "the row has no assistant turn, so there is nothing to learn from it",
        ),
        (
            r#"{"prompt": "hi", "completion": "ho", "system": [1]}"#,
            "`system` is a list, not a text",
        ),
        (
            r#"{"question": "hi", "answer": ["ho"]}"#,
            "`answer` is a list, not a text",
        ),
        (
            r#"{"question": "hi", "answers": {"text": ["ho"]}}"#,
            "`answers` is an object, not a text",
        ),
        (
            r#"{"Question": {"a": 1}, "answer": "ho"}"#,
            "`Question` is an object, not a text",
        ),
        (
            r#"{"instruction": "", "input": " ", "output": "x"}"#,
            "`instruction` is missing or empty",
        ),
        (r#"{"instruction": "a", "output": ""}"#, "`output` is empty"),
        (
            r#"{"instruction": "a", "output": "b", "history": "x"}"#,
            "`history` is a text, not a list",
        ),
        (
            r#"{"instruction": "a", "output": "b", "history": ["x"]}"#,
            "`history[0]` is a text, not a pair",
        ),
        (
            r#"{"instruction": "a", "output": "b", "history": [["x"]]}"#,
            "`history[0]` is a list of 1, not a pair",
        ),
        (
            r#"{"instruction": "a", "output": "b", "history": [["x", null]]}"#,
            "`history[0][1]` is null, not a text",
        ),
        (
            r#"{"instruction": "a", "output": "b", "history": [["x", ""]]}"#,
            "`history[0][1]` is empty",
        ),
        (
            r#"{"chosen": "blue", "rejected": "green"}"#,
            "`chosen` answers nothing: the row has no prompt, and no user speaks in it",
        ),
        (
            r#"{"prompt": "sky?", "chosen": "", "rejected": "green"}"#,
            "`chosen` is empty",
        ),
        (
            r#"{"chosen": "\n\nHuman: sky?\n\nAssistant:", "rejected": "x"}"#,
            "`chosen` has an empty answer",
        ),
        (r#"{"text": " "}"#, "`text` is empty"),
        (r#"{"text": ["a"]}"#, "`text` is a list, not a text"),
    ];
    for (row, expected) in cases {
        assert_eq!(problem(row), expected, "{row}");
    }
}

#[test]
fn later_rows_are_held_to_the_first() {
    let detection = auto(&[r#"{"prompt": "hi", "completion": "ho"}"#]).unwrap();
    let parse = |row: &str| detection.parse(super::rows(&[row]).remove(0));
    let problem = |row: &str| parse(row).unwrap_err().problem;
    assert_eq!(problem("{}"), "`prompt` is missing");
    assert_eq!(problem(r#"{"prompt": "hi"}"#), "`completion` is missing");
    assert_eq!(
        problem(r#"{"prompt": "hi", "completion": null}"#),
        "`completion` is null"
    );
    // An optional column may come late.
    let Ok(Sample::Chat(late)) = parse(r#"{"prompt": "hi", "completion": "ho", "system": "s"}"#)
    else {
        panic!("no conversation");
    };
    assert_eq!(told(&late.messages)[0], (System, "s"));
}
