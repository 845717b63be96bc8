//! What is known of a model from its configuration and the headers of its files.

use serde::{Deserialize, Serialize};

/// A model, described without loading its weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// What was asked for, or the name the model gives itself.
    pub name: String,
    /// The folder or file; `None` for the built-in model.
    pub path: Option<String>,
    /// `model_type` of its configuration.
    pub architecture: String,
    /// "safetensors", ...
    pub file_format: String,
    /// Numbers in the model.
    pub parameters: u64,
    /// Bytes of its weight files.
    pub weight_bytes: u64,
    /// Element type of most weights.
    pub weight_dtype: String,
    /// Quantization, if any.
    pub quantization: Option<String>,
    /// Blocks.
    pub layers: usize,
    /// Width of the hidden state.
    pub d_model: usize,
    /// Attention heads.
    pub attention_heads: usize,
    /// Key and value heads.
    pub key_value_heads: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Tokens the model was made to read at most.
    pub context_length: usize,
    /// Whether the output layer is the embedding.
    pub tied_embeddings: bool,
    /// Whether it has a chat template.
    pub chat_template: bool,
    /// License, if stated.
    pub license: Option<String>,
    /// Tokens that the tokenizer knows; the vocabulary may be padded beyond them.
    pub tokenizer_tokens: usize,
    /// The types of its tensors, that with most bytes first.
    pub types: Vec<TypeShare>,
    /// Its weight files.
    pub files: Vec<ModelFileInfo>,
}

/// The tensors of a model that are stored in one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeShare {
    /// The type's usual name: `BF16`, `Q4_K`, ...
    pub name: String,
    /// Whether its numbers share scales.
    pub quantized: bool,
    /// How many tensors.
    pub tensors: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// A weight file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFileInfo {
    /// Its name, without folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its hash in hexadecimal, if asked for.
    pub sha256: Option<String>,
}
