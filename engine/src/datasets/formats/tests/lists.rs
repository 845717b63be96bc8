//! Formats of lists of turns: OpenAI's and ShareGPT's, tools and weights with them.

use serde_json::json;
use stepladder_protocol::DataFormat::{Messages, Sharegpt};

use super::{chat, problem, told};
use crate::datasets::conversation::Role::{Assistant, System, Tool, User};

#[test]
fn openai_fine_tuning() {
    let row = r#"{"messages": [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "2+"}, {"type": "text", "text": "2?"}], "name": "Ann"},
        {"role": "assistant", "content": "5", "weight": 0},
        {"role": "User", "content": "no"},
        {"role": "assistant", "content": "4", "weight": 1, "thinking": "easy", "reasoning": null, "audio": null}]}"#;
    let chat = chat(row, Messages);
    assert_eq!(
        told(&chat.messages),
        [
            (System, "be brief"),
            (User, "2+2?"),
            (Assistant, "5"),
            (User, "no"),
            (Assistant, "4")
        ]
    );
    assert_eq!(chat.messages[1].extra["name"], "Ann");
    assert_eq!(chat.messages[2].extra["weight"], 0);
    assert_eq!(chat.messages[4].reasoning.as_deref(), Some("easy"));
    // Null is nothing, whichever field of Parquet it stands in.
    let left: Vec<_> = chat.messages[4].extra.keys().collect();
    assert_eq!(left, ["weight"]);
    assert_eq!(chat.tools, None);
}

#[test]
fn openai_tools() {
    let row = r#"{"messages": [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Paris\", \"days\": 1.0}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "assistant", "content": "Sunny.", "tool_calls": []}],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]}"#;
    let found = chat(row, Messages);
    assert_eq!(
        found.messages[1].extra["tool_calls"],
        json!([{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Paris", "days": 1.0}}}])
    );
    assert_eq!(found.messages[1].content, "");
    assert_eq!(found.messages[2].extra["tool_call_id"], "c1");
    assert!(found.messages[3].extra.is_empty());
    assert_eq!(
        found.tools,
        Some(
            json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}])
        )
    );

    // The older way of the same: a single call, functions, the role function.
    let older = r#"{"messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "function_call": {"name": "weather", "arguments": ""}},
        {"role": "function", "name": "weather", "content": "sunny"},
        {"role": "assistant", "content": "Sunny."}],
        "functions": [{"name": "weather", "parameters": {}}]}"#;
    let found = chat(older, Messages);
    assert_eq!(
        found.messages[1].extra["tool_calls"],
        json!([{"type": "function", "function": {"name": "weather", "arguments": {}}}])
    );
    assert_eq!(found.messages[2].role, Tool);
    assert_eq!(found.messages[2].extra["name"], "weather");
    assert_eq!(
        found.tools,
        Some(json!([{"type": "function", "function": {"name": "weather", "parameters": {}}}]))
    );
}

#[test]
fn csv_holds_lists_as_json() {
    let turns = r#"[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}]"#;
    let row = json!({"messages": turns, "system": "", "tools": "[{\"name\": \"add\"}]"});
    let found = chat(&row.to_string(), Messages);
    assert_eq!(told(&found.messages), [(User, "hi"), (Assistant, "ho")]);
    assert_eq!(
        found.tools,
        Some(json!([{"type": "function", "function": {"name": "add"}}]))
    );
    for none in ["", "[]", "null"] {
        let row = json!({"messages": turns, "tools": none});
        assert_eq!(chat(&row.to_string(), Messages).tools, None);
    }
}

#[test]
fn sharegpt_and_its_names() {
    let row = r#"{"id": "a_0", "system": "be kind", "conversations": [
        {"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho", "weight": null}]}"#;
    assert_eq!(
        told(&chat(row, Sharegpt).messages),
        [(System, "be kind"), (User, "hi"), (Assistant, "ho")]
    );
    for (name, role) in [
        ("gpt", Assistant),
        ("chatgpt", Assistant),
        ("bing", Assistant),
        ("bard", Assistant),
        ("model", Assistant),
        ("assistant", Assistant),
        ("user", User),
        ("human", User),
        ("system", System),
        ("observation", Tool),
        ("tool", Tool),
        ("function", Tool),
    ] {
        let row = json!({"conversation": [
            {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
            {"from": name, "value": "c"}]});
        let found = chat(&row.to_string(), Sharegpt);
        assert_eq!(told(&found.messages)[2], (role, "c"), "{name}");
    }
    // A system message among the turns stands before one in a column.
    let both = r#"{"system": "x", "conversations": [{"from": "system", "value": "y"},
        {"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]}"#;
    assert_eq!(told(&chat(both, Sharegpt).messages)[0], (System, "y"));
    assert_eq!(chat(both, Sharegpt).messages.len(), 3);
}

#[test]
fn llama_factory_and_hermes_tools() {
    let row = r#"{"conversations": [
        {"from": "human", "value": "1+1?"},
        {"from": "function_call", "value": "{\"name\": \"add\", \"arguments\": {\"a\": 1, \"b\": 1}}"},
        {"from": "observation", "value": "2"},
        {"from": "gpt", "value": "Two."}],
        "tools": "[{\"name\": \"add\", \"description\": \"adds\", \"parameters\": {}}]"}"#;
    let found = chat(row, Sharegpt);
    assert_eq!(
        told(&found.messages),
        [
            (User, "1+1?"),
            (Assistant, ""),
            (Tool, "2"),
            (Assistant, "Two.")
        ]
    );
    assert_eq!(
        found.messages[1].extra["tool_calls"],
        json!([{"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": 1}}}])
    );
    assert!(found.tools.is_some());

    // Hermes writes calls into the text, where they stay.
    let hermes = r#"{"conversations": [
        {"from": "system", "value": "You may call tools."},
        {"from": "human", "value": "1+1?"},
        {"from": "gpt", "value": "<tool_call>\n{\"name\": \"add\"}\n</tool_call>"},
        {"from": "tool", "value": "<tool_response>2</tool_response>"},
        {"from": "gpt", "value": "2"}]}"#;
    let found = chat(hermes, Sharegpt);
    assert_eq!(
        found.messages[2].content,
        "<tool_call>\n{\"name\": \"add\"}\n</tool_call>"
    );
}

#[test]
fn reasoning_in_the_answer_is_left_to_traces() {
    let row = r#"{"system": "Think.", "conversations": [
        {"from": "user", "value": "2+2?"},
        {"from": "assistant", "value": "<|begin_of_thought|>easy<|end_of_thought|>\n\n<|begin_of_solution|>4<|end_of_solution|>"}]}"#;
    let found = chat(row, Sharegpt);
    let (message, _) = crate::datasets::traces::recognize(found.messages[2].clone());
    assert_eq!(
        (message.reasoning.as_deref(), message.content.as_str()),
        (Some("easy"), "4")
    );
}

#[test]
fn greetings_and_two_turns_in_a_row_are_allowed() {
    for turns in [
        r#"{"role":"assistant","content":"hi"},{"role":"user","content":"a"},{"role":"assistant","content":"b"}"#,
        r#"{"role":"system","content":"hi"},{"role":"assistant","content":"b"}"#,
        r#"{"role":"user","content":"a"},{"role":"user","content":""},{"role":"assistant","content":"b"}"#,
        r#"{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"system","content":"c"},{"role":"user","content":"d"}"#,
    ] {
        chat(&format!(r#"{{"messages":[{turns}]}}"#), Messages);
    }
}

#[test]
fn every_problem_names_its_place() {
    const NO_ANSWER: &str = "the row has no assistant turn, so there is nothing to learn from it";
    let call = |call: &str| {
        format!(r#"{{"messages": [USER, {{"role": "assistant", "tool_calls": {call}}}]}}"#)
    };
    let answer =
        |fields: &str| format!(r#"{{"messages": [USER, {{"role": "assistant", {fields}}}]}}"#);
    let content = |parts: &str| answer(&format!(r#""content": {parts}"#));
    let cases = [
        (r#"{"messages": "hi"}"#.to_owned(), "`messages` is a text, not a list"),
        (r#"{"messages": 3}"#.to_owned(), "`messages` is a number, not a list"),
        (
            r#"{"messages": "[{'role': 'user'}]"}"#.to_owned(),
            "`messages` is a text that is not valid JSON: key must be a string at line 1 column 3",
        ),
        (r#"{"messages": []}"#.to_owned(), NO_ANSWER),
        (r#"{"messages": [USER]}"#.to_owned(), NO_ANSWER),
        (
            r#"{"messages": [{"role": "assistant", "content": "ho"}]}"#.to_owned(),
            "only the assistant speaks in the row, so its words answer nothing",
        ),
        (
            answer(r#""content": "ho", "weight": 0"#),
            "every assistant turn of the row has the weight 0, so there is nothing to learn from it",
        ),
        (answer(r#""content": "ho", "weight": 0.5"#), "`messages[1].weight` is 0.5"),
        (answer(r#""content": "ho", "weight": "\u001b"}, {"#), "`messages[1].weight` is \"\\u001b\""),
        (
            r#"{"messages": [USER, {"role": "tool", "content": "4"}, {"role": "assistant", "content": "4"}]}"#.to_owned(),
            "`messages[1]` is a tool's, but no assistant turn stands before it",
        ),
        (r#"{"messages": [USER, "ho"]}"#.to_owned(), "`messages[1]` is a text, not an object"),
        (r#"{"messages": [USER, {"content": "ho"}]}"#.to_owned(), "`messages[1].role` is missing"),
        (
            r#"{"messages": [USER, {"role": 1, "content": "ho"}]}"#.to_owned(),
            "`messages[1].role` is a number, not a text",
        ),
        (
            r#"{"conversations": [{"from": "narrator\u001b", "value": "ho"}]}"#.to_owned(),
            "`conversations[0].from` is \"narrator\\u{1b}\"",
        ),
        (r#"{"messages": [USER, {"role": "assistant"}]}"#.to_owned(), "`messages[1].content` is missing"),
        (
            r#"{"conversations": [{"from": "human", "value": null}]}"#.to_owned(),
            "`conversations[0].value` is null, not a text",
        ),
        (content("null"), "`messages[1].content` is null, not a text"),
        (content("42"), "`messages[1].content` is a number, not a text"),
        (content(r#"{"text": "ho"}"#), "`messages[1].content` is an object, not a text"),
        (content(r#"" \n""#), "`messages[1].content` is an empty assistant turn"),
        (content("[]"), "`messages[1].content` is an empty assistant turn"),
        (content(r#"[{"type": "text"}]"#), "`messages[1].content[0].text` is missing"),
        (content(r#"[{"type": 1}]"#), "`messages[1].content[0].type` is a number, not a text"),
        (content("[3]"), "`messages[1].content[0]` is a number, not an object"),
        (
            content(r#"["a", {"type": "image_url", "image_url": {"url": "x"}}]"#),
            "`messages[1].content[1]` is of type image, and images cannot be trained on",
        ),
        (
            content(r#"[{"image_url": "x"}]"#),
            "`messages[1].content[0]` is of type image, and images cannot be trained on",
        ),
        (
            content(r#"[{"type": "input_audio", "input_audio": {}}]"#),
            "`messages[1].content[0]` is of type audio, and sound cannot be trained on",
        ),
        (
            content(r#"[{"type": "refusal", "refusal": "no"}]"#),
            "`messages[1].content[0]` is of the unknown type \"refusal\"",
        ),
        (
            answer(r#""content": "ho", "reasoning_content": 3"#),
            "`messages[1].reasoning_content` is a number, not a text",
        ),
        (call("[3]"), "`messages[1].tool_calls[0]` is a number, not an object"),
        (call("[{}]"), "`messages[1].tool_calls[0].name` is missing"),
        (call(r#"[{"function": {"name": 3}}]"#), "`messages[1].tool_calls[0].function.name` is a number, not a text"),
        (
            call(r#"[{"function": {"name": "a", "arguments": "{x"}}]"#),
            "`messages[1].tool_calls[0].function.arguments` is a text that is not valid JSON: key must be a string at line 1 column 2",
        ),
        (
            call(r#"[{"name": "a", "parameters": [1]}]"#),
            "`messages[1].tool_calls[0].parameters` is a list, not an object",
        ),
        (
            r#"{"messages": [USER, {"role": "assistant", "content": "ho"}], "tools": "weather"}"#.to_owned(),
            "`tools` is a text that is not valid JSON: expected value at line 1 column 1",
        ),
        (
            r#"{"messages": [USER, {"role": "assistant", "content": "ho"}], "tools": 3}"#.to_owned(),
            "`tools` is a number, not a list of tools",
        ),
        (
            r#"{"messages": [USER, {"role": "assistant", "content": "ho"}], "tools": [{"description": "x"}]}"#.to_owned(),
            "`tools[0].name` is missing",
        ),
        (
            r#"{"messages": [USER, {"role": "assistant", "content": "ho"}], "images": ["a.png"]}"#.to_owned(),
            "the row has `images`, and images cannot be trained on",
        ),
    ];
    for (row, expected) in cases {
        let row = row.replace("USER", r#"{"role": "user", "content": "hi"}"#);
        assert_eq!(problem(&row), expected, "{row}");
    }
}
