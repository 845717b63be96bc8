//! A message as chat templates take it: the one form that every dataset format, the chat and the
//! comparison are turned into before they meet a model.

use minijinja::Value;
use serde::{Deserialize, Serialize};

use super::json::template_value;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that stand above the conversation.
    System,
    /// The person.
    User,
    /// The model; the only role that is trained.
    Assistant,
    /// The answer of a tool that the model called.
    Tool,
}

impl Role {
    /// The name that templates compare with.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// The role of that name, if it is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::System, Self::User, Self::Assistant, Self::Tool]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
    /// What was thought before it was said, without the tags around it.
    pub reasoning: Option<String>,
    /// Further fields of the dataset (`tool_calls`, `name`, ...), handed to the template as they are.
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Message {
    /// A message with nothing but text.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            reasoning: None,
            extra: serde_json::Map::new(),
        }
    }

    /// Whether its dataset says, as OpenAI's files do, that it is not to be trained.
    pub fn has_no_weight(&self) -> bool {
        let weight = self.extra.get("weight");
        weight.and_then(serde_json::Value::as_f64) == Some(0.0)
    }

    /// Bytes of text in the message; what it costs to render is proportional to them.
    pub(super) fn text_bytes(&self) -> usize {
        let extra: usize = self
            .extra
            .iter()
            .map(|(k, v)| k.len() + json_bytes(v))
            .sum();
        self.content.len() + self.reasoning.as_ref().map_or(0, String::len) + extra
    }

    /// The dictionary that the template sees. Templates disagree on the name of the reasoning, so
    /// it is given under each of the names in use.
    pub(super) fn template_value(&self) -> Value {
        let mut pairs = vec![
            ("role", Value::from(self.role.name())),
            ("content", Value::from(self.content.as_str())),
        ];
        if let Some(reasoning) = &self.reasoning {
            let reasoning = Value::from(reasoning.as_str());
            pairs.extend(REASONING_FIELDS.map(|field| (field, reasoning.clone())));
        }
        pairs.extend(
            self.extra
                .iter()
                .map(|(key, value)| (key.as_str(), template_value(value))),
        );
        Value::from_pairs(pairs)
    }
}

/// The names under which datasets and templates know the reasoning, the most common first.
pub const REASONING_FIELDS: [&str; 3] = ["reasoning_content", "reasoning", "thinking"];

pub(super) fn json_bytes(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(items) => items.iter().map(json_bytes).sum::<usize>() + 8,
        serde_json::Value::Object(map) => map.iter().map(|(k, v)| k.len() + json_bytes(v)).sum(),
        _ => 8,
    }
}
