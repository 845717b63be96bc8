//! Phi-3, Phi-3.5 and Phi-4-mini: Llama with q, k and v in one tensor and gate and up in another.

use std::path::Path;

use crate::Result;
use crate::models::config::{DecoderConfig, HuggingFaceConfig};

pub(super) fn config(path: &Path, raw: &HuggingFaceConfig) -> Result<DecoderConfig> {
    Ok(DecoderConfig {
        fused_projections: true,
        windows: raw.windows(path, |_| true)?,
        ..DecoderConfig::common("phi3", path, raw)?
    })
}
