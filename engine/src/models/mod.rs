//! Frozen backbones: configuration, weights, the decoder. Knows nothing of adapters.

pub mod checkpoint;
pub mod config;
pub mod decoder;
pub mod families;
pub mod fingerprint;
pub mod kv_cache;
pub mod rope_scaling;
