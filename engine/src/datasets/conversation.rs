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

impl Sample {
    /// A number that depends on what is said alone, not on its place in the dataset: the same on
    /// every machine and in every version, because the held-out split hangs on it.
    pub fn stable_hash(&self) -> u64 {
        let mut hasher = blake3::Hasher::new();
        // Lengths go first, so that no two samples are written the same.
        let mut write = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        match self {
            Self::Text(text) => {
                // No role is called so.
                write("text");
                write(text);
            }
            Self::Chat(Chat { messages, tools }) => {
                for message in messages {
                    write(message.role.name());
                    write(&message.content);
                    write(message.reasoning.as_deref().unwrap_or_default());
                    for (key, value) in &message.extra {
                        write(key);
                        write(&value.to_string());
                    }
                    write("");
                }
                // Nor so. A conversation without tools keeps the number it always had.
                if let Some(tools) = tools {
                    write("tools");
                    write(&tools.to_string());
                }
            }
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

    fn hash(messages: &[(Role, &str)], tools: Option<serde_json::Value>) -> u64 {
        let messages = messages
            .iter()
            .map(|(role, text)| Message::new(*role, *text))
            .collect();
        Sample::Chat(Chat { messages, tools }).stable_hash()
    }

    #[test]
    fn depends_on_what_is_said_alone() {
        let turns = [(Role::User, "hi"), (Role::Assistant, "ho")];
        assert_ne!(
            hash(&turns, None),
            hash(&[(Role::User, "hi"), (Role::Assistant, "ho ")], None)
        );
        assert_ne!(
            hash(&[(Role::User, "ab"), (Role::User, "c")], None),
            hash(&[(Role::User, "a"), (Role::User, "bc")], None)
        );
        let text = |text: &str| Sample::Text(text.to_owned()).stable_hash();
        assert_ne!(text("hi"), text("ho"));
        // Held-out sets of finished runs hang on this number.
        assert_eq!(hash(&turns, None), 17_817_955_355_216_028_181);
    }

    #[test]
    fn tools_are_said_too() {
        let with = |tools| hash(&[(Role::User, "hi")], tools);
        let tool = |name: &str| Some(serde_json::json!([{ "name": name }]));
        assert_eq!(with(tool("add")), with(tool("add")));
        assert_ne!(with(tool("add")), with(tool("sub")));
        assert_ne!(with(tool("add")), with(None));
    }
}
