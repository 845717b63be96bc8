//! Qwen2 and Qwen2.5: Llama with biases on q, k and v.

use std::path::Path;

use crate::models::config::{DecoderConfig, HuggingFaceConfig};
use crate::{Error, Result};

pub(super) fn config(path: &Path, raw: &HuggingFaceConfig) -> Result<DecoderConfig> {
    refuse_sliding_window(path, raw)?;
    DecoderConfig::require_kv_heads(path, raw)?;
    Ok(DecoderConfig {
        qkv_bias: true,
        ..DecoderConfig::common("qwen2", path, raw)?
    })
}

/// Windows over some of the layers are not built yet; ignoring them would change the model.
pub(super) fn refuse_sliding_window(path: &Path, raw: &HuggingFaceConfig) -> Result<()> {
    if raw.use_sliding_window == Some(true) {
        return Err(Error::ModelUnsupported {
            path: path.to_path_buf(),
            field: "use_sliding_window",
            found: "true".to_owned(),
            supported: vec!["false"],
        });
    }
    Ok(())
}
