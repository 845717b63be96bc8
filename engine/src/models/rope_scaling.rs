//! How config.json describes the rotary embedding, in the style of published checkpoints
//! (`rope_theta` and `rope_scaling`) and of transformers 5 (`rope_parameters`), and the frequencies
//! that follow.

use std::path::Path;

use serde_json::Value;

use super::config::HuggingFaceConfig;
use crate::ops::rope::RotaryEmbedding;
use crate::{Error, Result};

/// Rotary embedding of a decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeConfig {
    /// Base of the frequencies.
    pub theta: f64,
    /// How frequencies are stretched beyond the trained length.
    pub scaling: RopeScaling,
}

/// The supported `rope_type`s.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// Frequencies as they are.
    None,
    /// Llama 3.1's: low frequencies divided by `factor`, high ones kept, a smooth passage between.
    /// Source: transformers, `modeling_rope_utils._compute_llama3_parameters`.
    Llama3 {
        /// Divisor of low frequencies.
        factor: f64,
        /// Wavelengths longer than `original_max_positions / low_frequency_factor` are low.
        low_frequency_factor: f64,
        /// Wavelengths shorter than `original_max_positions / high_frequency_factor` are high.
        high_frequency_factor: f64,
        /// The length the model was first trained on.
        original_max_positions: f64,
    },
}

const SUPPORTED: [&str; 2] = ["default", "llama3"];

impl RopeConfig {
    pub(super) fn from_json(path: &Path, raw: &HuggingFaceConfig) -> Result<Self> {
        let invalid = |problem: String| Error::ModelFileInvalid {
            path: path.to_path_buf(),
            problem,
        };
        // transformers 5 writes both under `rope_parameters`, and reads `rope_scaling` first. Null
        // or empty means "not given".
        let given = |value: &&Value| value.as_object().is_none_or(|map| !map.is_empty());
        let some = |value: &'_ Option<Value>| {
            value
                .as_ref()
                .filter(|value| !value.is_null())
                .filter(given)
                .cloned()
        };
        let (field, scaling) = match some(&raw.rope_scaling) {
            Some(value) => ("rope_scaling", Some(value)),
            None => ("rope_parameters", some(&raw.rope_parameters)),
        };
        let scaling = scaling.as_ref();
        if let Some(value) = scaling.filter(|value| !value.is_object()) {
            return Err(invalid(format!("{field} is {value}, expected an object")));
        }
        let number = |key: &str| {
            scaling
                .and_then(|value| value.get(key))
                .and_then(Value::as_f64)
        };
        let theta = number("rope_theta").or(raw.rope_theta).unwrap_or(10_000.0);
        if !(theta.is_finite() && theta > 0.0) {
            return Err(invalid(format!("rope_theta is {theta}")));
        }
        let kind = match scaling {
            None => "default",
            Some(value) => {
                let kind = value.get("rope_type").or_else(|| value.get("type"));
                match kind {
                    None if value.get("factor").is_some() => {
                        return Err(invalid(format!("{field} has a factor but no rope_type")));
                    }
                    None => "default",
                    Some(kind) => kind.as_str().unwrap_or(""),
                }
            }
        };
        let required = |key: &'static str| {
            number(key)
                .filter(|value| value.is_finite() && *value > 0.0)
                .ok_or_else(|| {
                    invalid(format!("{field}.{key} is missing or not a positive number"))
                })
        };
        let scaling = match kind {
            "default" => RopeScaling::None,
            "llama3" => RopeScaling::Llama3 {
                factor: required("factor")?,
                low_frequency_factor: required("low_freq_factor")?,
                high_frequency_factor: required("high_freq_factor")?,
                // A value beside `max_position_embeddings` outranks the one in here.
                original_max_positions: match raw.original_max_position_embeddings {
                    Some(positions) => positions as f64,
                    None => required("original_max_position_embeddings")?,
                },
            },
            other => {
                return Err(Error::ModelUnsupported {
                    path: path.to_path_buf(),
                    field,
                    found: other.to_owned(),
                    supported: SUPPORTED.to_vec(),
                });
            }
        };
        Ok(Self { theta, scaling })
    }

    /// The embedding for heads of this width.
    pub fn rotary_embedding(&self, head_dim: usize) -> RotaryEmbedding {
        let plain = RotaryEmbedding::plain(self.theta, head_dim);
        match self.scaling {
            RopeScaling::None => plain,
            RopeScaling::Llama3 {
                factor,
                low_frequency_factor,
                high_frequency_factor,
                original_max_positions,
            } => {
                let scaled = plain.inverse_frequencies().iter().map(|&frequency| {
                    let wavelength = 2.0 * std::f64::consts::PI / frequency;
                    if wavelength < original_max_positions / high_frequency_factor {
                        frequency
                    } else if wavelength > original_max_positions / low_frequency_factor {
                        frequency / factor
                    } else {
                        let smooth = (original_max_positions / wavelength - low_frequency_factor)
                            / (high_frequency_factor - low_frequency_factor);
                        (1.0 - smooth) * frequency / factor + smooth * frequency
                    }
                });
                RotaryEmbedding::from_inverse_frequencies(scaled.collect(), 1.0)
            }
        }
    }
}
