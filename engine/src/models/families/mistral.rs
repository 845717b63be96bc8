//! Mistral: Llama with a sliding window over all blocks.

use std::path::Path;

use crate::Result;
use crate::models::config::{DecoderConfig, HuggingFaceConfig};

pub(super) fn config(path: &Path, raw: &HuggingFaceConfig) -> Result<DecoderConfig> {
    DecoderConfig::require_kv_heads(path, raw)?;
    Ok(DecoderConfig {
        windows: raw.windows(path, |_| true)?,
        ..DecoderConfig::common("mistral", path, raw)?
    })
}
