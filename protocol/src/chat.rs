//! Conversations: the messages a client sends and what it hears back about a reply.

use serde::{Deserialize, Serialize};

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that stand above the conversation.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The name chat templates know the role by.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatMessage {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// How tokens of a reply are drawn; what is absent is as the model recommends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerSettings {
    /// Divides the logits; 0 always takes the likeliest token.
    pub temperature: Option<f64>,
    /// Keeps the `top_k` likeliest tokens.
    pub top_k: Option<usize>,
    /// Keeps the likeliest tokens that together reach this probability; 1 keeps all.
    pub top_p: Option<f64>,
    /// Drops tokens less likely than this share of the likeliest one; 0 drops none.
    pub min_p: Option<f64>,
    /// Divides the logits of tokens already said; 1 changes nothing.
    pub repetition_penalty: Option<f64>,
    /// Seed of the draw; absent: a fresh one each time.
    pub seed: Option<u64>,
    /// Tokens after which a reply is cut off; absent: what the context holds.
    pub max_tokens: Option<usize>,
}

/// A chat has its model loaded and answers turns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatReady {
    /// The model, as it calls itself.
    pub model: String,
    /// The adapter's method, if there is an adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// The device in words: "CPU, 8 threads".
    pub device: String,
    /// Tokens of conversation and reply that the model can hold.
    pub context_length: usize,
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model ended it.
    Stop,
    /// `max_tokens` or the context length was reached.
    Length,
    /// The client interrupted it.
    Cancelled,
}

/// The end of one reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplyStats {
    /// Tokens said while reasoning.
    pub reasoning_tokens: usize,
    /// All tokens said.
    pub total_tokens: usize,
    /// Why the reply ended.
    pub finish: FinishReason,
    /// Tokens said per second, reading the conversation not counted.
    pub tokens_per_second: Option<f64>,
    /// Seconds from the first token to the end of the reasoning; absent without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_secs: Option<f64>,
    /// Tokens of the conversation before the reply; 0: not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub prompt_tokens: usize,
    /// Tokens of conversation and reply that the model can hold; 0: not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub context_length: usize,
}

fn is_zero(tokens: &usize) -> bool {
    *tokens == 0
}

/// A chat that was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatSummary {
    /// Replies given.
    pub replies: usize,
}
