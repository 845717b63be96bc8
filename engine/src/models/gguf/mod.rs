//! GGUF files: one file that holds a model's configuration, tokenizer, chat template and weights.
//! What it says is translated once, here, into what a Hugging Face folder would say, so that nothing
//! behind this module knows which of the two a model came from.

pub mod header;
pub mod metadata;

pub use header::{GgufHeader, GgufTensor};
pub use metadata::{Array, Metadata, Value};
