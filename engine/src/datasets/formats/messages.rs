//! `{"messages": [{"role": ..., "content": ...}, ...]}`, as OpenAI and most tools write it.
//! Further fields of a message (`tool_calls`, `name`, ...) are handed to the chat template.

use serde_json::Value;

use super::{Fields, Format, RowProblem, kind, text_field};
use crate::datasets::conversation::{Message, Role};
use crate::foreign_text::visible_excerpt;
use crate::models::chat_template::REASONING_FIELDS;

pub(super) const FORMAT: Format = Format {
    name: "messages",
    recognizes,
    parse,
};

fn recognizes(fields: &Fields) -> bool {
    fields.contains_key("messages")
}

fn parse(mut fields: Fields) -> Result<Vec<Message>, RowProblem> {
    match fields.remove("messages") {
        Some(Value::Array(messages)) => messages
            .into_iter()
            .enumerate()
            .map(|(index, message)| parse_message(index, message))
            .collect(),
        Some(other) => Err(RowProblem::new(
            format!("`messages` is {}, not a list", kind(&other)),
            "write the turns as a list of objects with `role` and `content`",
        )),
        None => Err(RowProblem::new(
            "`messages` is missing",
            "every row of a file needs the fields that its first row has",
        )),
    }
}

fn parse_message(index: usize, message: Value) -> Result<Message, RowProblem> {
    let at = |field: &str| format!("messages[{index}].{field}");
    let mut fields = match message {
        Value::Object(fields) => fields,
        other => {
            return Err(RowProblem::new(
                format!("`messages[{index}]` is {}, not an object", kind(&other)),
                "write each turn as an object with `role` and `content`",
            ));
        }
    };
    // `shift_remove` keeps the order of the fields that stay.
    let role_name = text_field(fields.shift_remove("role").as_ref(), &at("role"))?;
    let role = Role::from_name(&role_name).ok_or_else(|| {
        RowProblem::new(
            format!(
                "`{}` is \"{}\"",
                at("role"),
                visible_excerpt(&role_name, 40)
            ),
            "the roles are system, user, assistant and tool",
        )
    })?;
    let mut reasoning = None;
    for field in REASONING_FIELDS {
        match fields.shift_remove(field) {
            None | Some(Value::Null) => {}
            Some(value) => {
                let text = text_field(Some(&value), &at(field))?;
                reasoning = reasoning.or(Some(text).filter(|text| !text.trim().is_empty()));
            }
        }
    }
    let calls_tools = fields
        .get("tool_calls")
        .and_then(Value::as_array)
        .is_some_and(|calls| !calls.is_empty());
    let content = match fields.shift_remove("content") {
        // An assistant that calls a tool need not say anything.
        None | Some(Value::Null) if calls_tools => String::new(),
        content => text_field(content.as_ref(), &at("content"))?,
    };
    if role == Role::Assistant && content.trim().is_empty() && reasoning.is_none() && !calls_tools {
        return Err(RowProblem::new(
            format!("`{}` is an empty assistant turn", at("content")),
            "an empty answer teaches the model to say nothing; fill it in or remove the row",
        ));
    }
    Ok(Message {
        role,
        content,
        reasoning,
        extra: fields,
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse_row;
    use super::*;

    #[test]
    fn turns_with_reasoning_and_tools() {
        let messages = parse_row(
            r#"{"id": 7, "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "2+2?", "name": "Ann"},
                {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "add"}}]},
                {"role": "tool", "content": "4"},
                {"role": "assistant", "content": "4", "thinking": "easy", "reasoning": null}]}"#,
        )
        .unwrap();
        let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
        assert_eq!(
            roles,
            [
                Role::System,
                Role::User,
                Role::Assistant,
                Role::Tool,
                Role::Assistant
            ]
        );
        assert_eq!(messages[1].extra["name"], "Ann");
        assert_eq!(messages[2].content, "");
        assert_eq!(
            messages[2].extra["tool_calls"][0]["function"]["name"],
            "add"
        );
        assert_eq!(messages[4].reasoning.as_deref(), Some("easy"));
        assert!(messages[4].extra.is_empty());
    }

    #[test]
    fn every_problem_names_its_place() {
        let user = r#"{"role": "user", "content": "hi"}"#;
        let cases = [
            (r#"{"messages": "hi"}"#, "`messages` is a text, not a list"),
            (
                r#"{"messages": []}"#,
                "the row has no assistant turn, so there is nothing to learn from it",
            ),
            (
                r#"{"messages": [USER]}"#,
                "the row has no assistant turn, so there is nothing to learn from it",
            ),
            (
                r#"{"messages": [USER, "ho"]}"#,
                "`messages[1]` is a text, not an object",
            ),
            (
                r#"{"messages": [USER, {"content": "ho"}]}"#,
                "`messages[1].role` is missing",
            ),
            (
                r#"{"messages": [USER, {"role": 1, "content": "ho"}]}"#,
                "`messages[1].role` is a number, not a text",
            ),
            (
                r#"{"messages": [USER, {"role": "gpt", "content": "ho"}]}"#,
                "`messages[1].role` is \"gpt\"",
            ),
            (
                r#"{"messages": [USER, {"role": "assistant"}]}"#,
                "`messages[1].content` is missing",
            ),
            (
                r#"{"messages": [USER, {"role": "assistant", "content": null}]}"#,
                "`messages[1].content` is null, not a text",
            ),
            (
                r#"{"messages": [USER, {"role": "assistant", "content": [{"type": "text"}]}]}"#,
                "`messages[1].content` is a list, not a text",
            ),
            (
                r#"{"messages": [USER, {"role": "assistant", "content": " \n"}]}"#,
                "`messages[1].content` is an empty assistant turn",
            ),
            (
                r#"{"messages": [USER, {"role": "assistant", "content": "ho", "reasoning_content": 3}]}"#,
                "`messages[1].reasoning_content` is a number, not a text",
            ),
        ];
        for (row, expected) in cases {
            assert_eq!(
                parse_row(&row.replace("USER", user)).unwrap_err(),
                expected,
                "{row}"
            );
        }
        // The format was decided by an earlier row.
        assert_eq!(
            FORMAT.parse(Fields::new()).unwrap_err().problem,
            "`messages` is missing"
        );
    }
}
