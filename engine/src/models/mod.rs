//! Frozen backbones: configuration, weights, the decoder. Knows nothing of adapters.

pub mod bitsandbytes;
mod builtin;
pub mod catalogue;
pub mod chat_template;
pub mod checkpoint;
pub mod compute;
pub mod config;
pub mod decoder;
pub mod families;
pub mod fingerprint;
pub mod gguf;
pub mod kv_cache;
pub mod layers;
pub mod loading;
pub mod model;
pub mod on_this_machine;
pub mod quantization;
pub mod quantized_copy;
pub mod rope_scaling;
pub mod stored_type;
pub mod tokenizer;
