//! Answering: prefill, sampling, and what is reasoning in what a model says.

pub mod chat_session;
pub mod generator;
pub mod reasoning;
pub mod sampler;

pub use chat_session::{
    AdapterChoice, ChatPiece, ChatSession, FinishReason, ReplyStats, SessionInfo,
};
pub use sampler::SamplerSettings;
