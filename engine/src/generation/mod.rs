//! Answering: prefill, sampling, and what is reasoning in what a model says.

pub mod batch;
mod beside;
pub mod chat_session;
pub mod generator;
pub mod prefill;
pub mod reasoning;
pub mod sampler;

pub use batch::{Answer, BatchGenerator, Prompt, Said, Variant};
pub use beside::SideInUse;
pub use chat_session::{
    AdapterChoice, ChatPiece, ChatSession, FinishReason, ReplyStats, SessionInfo,
};
pub use sampler::SamplerSettings;
