//! `{"prompt": ..., "completion": ...}`: one question and its answer. A `system` text beside them
//! stands above the conversation.

use serde_json::Value;

use super::{Fields, Format, RowProblem, text_field};
use crate::datasets::conversation::{Message, Role};

pub(super) const FORMAT: Format = Format {
    name: "prompt/completion",
    recognizes,
    parse,
};

fn recognizes(fields: &Fields) -> bool {
    fields.contains_key("prompt") && fields.contains_key("completion")
}

fn parse(fields: Fields) -> Result<Vec<Message>, RowProblem> {
    let prompt = text_field(fields.get("prompt"), "prompt")?;
    let completion = text_field(fields.get("completion"), "completion")?;
    if completion.trim().is_empty() {
        return Err(RowProblem::new(
            "`completion` is empty",
            "an empty answer teaches the model to say nothing; fill it in or remove the row",
        ));
    }
    let mut messages = Vec::new();
    if let Some(system) = fields.get("system").filter(|value| **value != Value::Null) {
        messages.push(Message::new(
            Role::System,
            text_field(Some(system), "system")?,
        ));
    }
    messages.push(Message::new(Role::User, prompt));
    messages.push(Message::new(Role::Assistant, completion));
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::super::parse_row;
    use super::*;

    #[test]
    fn becomes_a_user_and_an_assistant() {
        assert_eq!(
            parse_row(r#"{"prompt": "hi", "completion": "ho", "source": 3}"#).unwrap(),
            [
                Message::new(Role::User, "hi"),
                Message::new(Role::Assistant, "ho")
            ]
        );
        let with_system =
            parse_row(r#"{"prompt": "hi", "completion": "ho", "system": "be kind"}"#).unwrap();
        assert_eq!(with_system[0], Message::new(Role::System, "be kind"));
    }

    #[test]
    fn every_problem_names_its_field() {
        let cases = [
            (
                r#"{"prompt": ["hi"], "completion": "ho"}"#,
                "`prompt` is a list, not a text",
            ),
            (
                r#"{"prompt": "hi", "completion": null}"#,
                "`completion` is null, not a text",
            ),
            (
                r#"{"prompt": "hi", "completion": "\n"}"#,
                "`completion` is empty",
            ),
            (
                r#"{"prompt": "hi", "completion": "ho", "system": 1}"#,
                "`system` is a number, not a text",
            ),
        ];
        for (row, expected) in cases {
            assert_eq!(parse_row(row).unwrap_err(), expected, "{row}");
        }
        assert_eq!(
            FORMAT.parse(Fields::new()).unwrap_err().problem,
            "`prompt` is missing"
        );
    }
}
