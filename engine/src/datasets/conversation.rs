//! The neutral form between all formats and everything behind them: who said what, and where in the
//! dataset it stands.

pub use crate::models::chat_template::{Message, Role};

/// A row of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceLine {
    /// Index into the sources that were loaded.
    pub source: usize,
    /// 1-based line number.
    pub line: usize,
}

/// What a row says.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// Turns, told by a chat template.
    Chat(Chat),
    /// A text without turns, which no template touches.
    Text(String),
}

/// A conversation as the template takes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chat {
    /// The turns in order; at least one is the assistant's.
    pub messages: Vec<Message>,
    /// The tools that the assistant may call, a list of JSON descriptions.
    pub tools: Option<serde_json::Value>,
}

/// One row, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// The turns in order; at least one is the assistant's.
    pub messages: Vec<Message>,
    /// The tools that the assistant may call, a list of JSON descriptions.
    pub tools: Option<serde_json::Value>,
    /// Where it came from.
    pub source: SourceLine,
}

impl Conversation {
    /// A number that depends on what is said alone, not on its place in the dataset: the same on
    /// every machine and in every version, because the held-out split hangs on it.
    pub fn stable_hash(&self) -> u64 {
        let mut hasher = blake3::Hasher::new();
        // Lengths go first, so that no two conversations are written the same.
        let mut write = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        for message in &self.messages {
            write(message.role.name());
            write(&message.content);
            write(message.reasoning.as_deref().unwrap_or_default());
            for (key, value) in &message.extra {
                write(key);
                write(&value.to_string());
            }
            write("");
        }
        // No role is called so. A conversation without tools keeps the number it always had.
        if let Some(tools) = &self.tools {
            write("tools");
            write(&tools.to_string());
        }
        let hash = hasher.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(messages: &[(Role, &str)], line: usize) -> u64 {
        let messages = messages
            .iter()
            .map(|(role, text)| Message::new(*role, *text))
            .collect();
        Conversation {
            messages,
            tools: None,
            source: SourceLine { source: 0, line },
        }
        .stable_hash()
    }

    #[test]
    fn depends_on_what_is_said_alone() {
        let turns = [(Role::User, "hi"), (Role::Assistant, "ho")];
        assert_eq!(hash(&turns, 1), hash(&turns, 99));
        assert_ne!(
            hash(&turns, 1),
            hash(&[(Role::User, "hi"), (Role::Assistant, "ho ")], 1)
        );
        assert_ne!(
            hash(&[(Role::User, "ab"), (Role::User, "c")], 1),
            hash(&[(Role::User, "a"), (Role::User, "bc")], 1)
        );
        // Held-out sets of finished runs hang on this number.
        assert_eq!(hash(&turns, 1), 17_817_955_355_216_028_181);
    }

    #[test]
    fn tools_are_said_too() {
        let with = |tools| {
            let conversation = Conversation {
                messages: vec![Message::new(Role::User, "hi")],
                tools,
                source: SourceLine { source: 0, line: 1 },
            };
            conversation.stable_hash()
        };
        let tool = |name: &str| Some(serde_json::json!([{ "name": name }]));
        assert_eq!(with(tool("add")), with(tool("add")));
        assert_ne!(with(tool("add")), with(tool("sub")));
        assert_ne!(with(tool("add")), with(None));
    }
}
