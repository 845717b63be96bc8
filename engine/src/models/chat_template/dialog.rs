//! What a template is asked to tell: messages, and what stands around them.

use super::message::{Message, json_bytes};

/// A conversation as a template takes it.
#[derive(Clone, Copy, Debug)]
pub struct Dialog<'a> {
    /// The turns in order.
    pub messages: &'a [Message],
    /// The tools that the assistant may call, a list of JSON descriptions.
    pub tools: Option<&'a serde_json::Value>,
    /// Whether the answer is to be thought about.
    pub thinking: Thinking,
}

impl<'a> Dialog<'a> {
    /// Messages with nothing around them.
    pub fn new(messages: &'a [Message]) -> Self {
        Self {
            messages,
            tools: None,
            thinking: Thinking::Unsaid,
        }
    }

    /// Bytes of text in it; what it costs to render is proportional to them.
    pub(super) fn text_bytes(&self) -> usize {
        let messages: usize = self.messages.iter().map(Message::text_bytes).sum();
        messages + self.tools.map_or(0, json_bytes)
    }
}

/// What a template hears of `enable_thinking`, which those of hybrid models look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    /// Nothing: the template decides.
    #[default]
    Unsaid,
    /// To think before answering.
    On,
    /// To answer at once.
    Off,
}

impl Thinking {
    pub(super) fn enabled(self) -> Option<bool> {
        match self {
            Self::Unsaid => None,
            Self::On => Some(true),
            Self::Off => Some(false),
        }
    }
}

/// What follows the last message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationPrompt {
    /// Nothing: the conversation as it is trained on.
    None,
    /// The opening of an assistant turn, which the model then fills.
    Assistant,
}
