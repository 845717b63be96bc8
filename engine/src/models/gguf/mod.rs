//! GGUF files: one file that holds a model's configuration, tokenizer, chat template and weights.
//! What it says is translated once, here, into what a Hugging Face folder would say, so that nothing
//! behind this module knows which of the two a model came from.

pub mod architecture;
pub mod config;
pub mod header;
mod keys;
pub mod metadata;
pub mod names;
mod open;
mod rope;
#[cfg(test)]
mod tests;
pub mod tokenizer;

pub use architecture::Architecture;
pub use config::GgufModel;
pub use header::{GgufHeader, GgufTensor};
pub use metadata::{Array, Metadata, Value};
pub use names::{RowOrder, TensorRole};
pub use open::{GgufFile, has_magic};
pub use rope::Numbers;
pub use tokenizer::{TokenizerDocuments, documents};
