//! Llama 2, 3, 3.1, 3.2, 3.3 and everything published as `LlamaForCausalLM`.

use std::path::Path;

use crate::Result;
use crate::models::config::{DecoderConfig, HuggingFaceConfig};

pub(super) fn config(path: &Path, raw: &HuggingFaceConfig) -> Result<DecoderConfig> {
    let attention_bias = raw.attention_bias.unwrap_or(false);
    Ok(DecoderConfig {
        qkv_bias: attention_bias,
        output_bias: attention_bias,
        mlp_bias: raw.mlp_bias.unwrap_or(false),
        ..DecoderConfig::common("llama", path, raw)?
    })
}
