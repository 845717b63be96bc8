//! Frozen backbones and what belongs to them: tokenizer and chat template.

pub mod chat_template;
pub mod tokenizer;
