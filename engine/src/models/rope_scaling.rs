//! How config.json describes the rotary embedding, in the style of published checkpoints
//! (`rope_theta` and `rope_scaling`) and of transformers 5 (`rope_parameters`, nested by layer type
//! where layers differ), and the frequencies that follow. Formulas: transformers,
//! `modeling_rope_utils`.

use std::path::Path;

use serde_json::Value;

use super::config::HuggingFaceConfig;
use crate::ops::rope::{Frequencies, RotaryEmbedding};
use crate::{Error, Result};

/// Rotary embedding of a decoder, or of some of its layers.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeConfig {
    /// Base of the frequencies.
    pub theta: f64,
    /// Fraction of each head that is rotated.
    pub rotated_fraction: f64,
    /// How frequencies are stretched beyond the trained length.
    pub scaling: RopeScaling,
}

/// The supported `rope_type`s.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// Frequencies as they are.
    None,
    /// All frequencies divided by `factor`.
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// Llama 3.1's: low frequencies divided by `factor`, high ones kept, a smooth passage between.
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
    /// YaRN (arXiv 2309.00071): a ramp over the frequencies between kept and divided ones, cosine
    /// and sine multiplied by `amplitude`.
    Yarn {
        /// Divisor of low frequencies.
        factor: f64,
        /// Rotations over the trained length above which a frequency is kept.
        beta_fast: f64,
        /// Rotations over the trained length below which a frequency is divided.
        beta_slow: f64,
        /// Whether the ramp's ends are whole indices.
        truncate: bool,
        /// Factor on cosine and sine.
        amplitude: f64,
        /// The length the model was first trained on.
        original_max_positions: f64,
    },
    /// LongRoPE (arXiv 2402.13753): each frequency has a divisor of its own, one set up to the
    /// trained length and one beyond.
    LongRope {
        /// Divisors up to the trained length.
        short: Vec<f64>,
        /// Divisors beyond it.
        long: Vec<f64>,
        /// Factor on cosine and sine.
        amplitude: f64,
        /// The length the model was first trained on.
        original_max_positions: f64,
    },
}

const SUPPORTED: [&str; 5] = ["default", "linear", "llama3", "yarn", "longrope"];

/// The JSON that describes one rotary embedding, wherever it stands.
struct Source<'a> {
    path: &'a Path,
    raw: &'a HuggingFaceConfig,
    field: String,
    scaling: Option<&'a Value>,
}

/// An object that says something; null and `{}` mean "not given".
fn given(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty()))
}

impl RopeConfig {
    /// The embedding of all layers.
    pub(super) fn from_json(path: &Path, raw: &HuggingFaceConfig) -> Result<Self> {
        Self::of_layers(path, raw, None, raw.rope_theta)
    }

    /// The embedding of the layers of one type (`full_attention`, `sliding_attention`), where
    /// config.json tells them apart. `theta` is what stands in for a missing `rope_theta`.
    pub(super) fn of_layers(
        path: &Path,
        raw: &HuggingFaceConfig,
        layer_type: Option<&str>,
        theta: Option<f64>,
    ) -> Result<Self> {
        // transformers 5 writes both under `rope_parameters`, and reads `rope_scaling` first.
        let (mut field, mut scaling) = match given(raw.rope_scaling.as_ref()) {
            Some(value) => ("rope_scaling".to_owned(), Some(value)),
            None => (
                "rope_parameters".to_owned(),
                given(raw.rope_parameters.as_ref()),
            ),
        };
        if let Some(layer_type) = layer_type
            && let Some(nested) = scaling.and_then(|value| value.get(layer_type))
        {
            field = format!("{field}.{layer_type}");
            scaling = given(Some(nested));
        }
        Source {
            path,
            raw,
            field,
            scaling,
        }
        .parse(theta)
    }

    fn rotated(&self, head_dim: usize) -> usize {
        (head_dim as f64 * self.rotated_fraction) as usize
    }

    /// Pairs of numbers that are rotated in a head of this width.
    pub fn pairs(&self, head_dim: usize) -> usize {
        self.rotated(head_dim) / 2
    }

    /// The embedding for heads of this width.
    pub fn rotary_embedding(&self, head_dim: usize) -> RotaryEmbedding {
        let rotated = self.rotated(head_dim);
        let plain = Frequencies::plain(self.theta, rotated);
        match &self.scaling {
            RopeScaling::None => RotaryEmbedding::new(plain, 1.0),
            RopeScaling::Linear { factor } => {
                RotaryEmbedding::new(plain.map(|_, frequency| frequency / factor), 1.0)
            }
            RopeScaling::Llama3 {
                factor,
                low_frequency_factor,
                high_frequency_factor,
                original_max_positions,
            } => {
                let scaled = plain.map(|_, frequency| {
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
                RotaryEmbedding::new(scaled, 1.0)
            }
            RopeScaling::Yarn {
                factor,
                beta_fast,
                beta_slow,
                truncate,
                amplitude,
                original_max_positions,
            } => {
                let width = rotated as f64;
                // the index at which a frequency makes this many turns over the trained length
                let index = |turns: f64| {
                    let ratio = original_max_positions / (turns * 2.0 * std::f64::consts::PI);
                    width * ratio.ln() / (2.0 * self.theta.ln())
                };
                let (mut low, mut high) = (index(*beta_fast), index(*beta_slow));
                if *truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                let (low, mut high) = (low.max(0.0), high.min(width - 1.0));
                if low == high {
                    high += 0.001;
                }
                let scaled = plain.map(|i, frequency| {
                    let divided = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                    frequency / factor * divided + frequency * (1.0 - divided)
                });
                RotaryEmbedding::new(scaled, *amplitude)
            }
            RopeScaling::LongRope {
                short,
                long,
                amplitude,
                original_max_positions,
            } => {
                let divided = |divisors: &[f64]| {
                    plain.map(|i, frequency| frequency / divisors.get(i).copied().unwrap_or(1.0))
                };
                RotaryEmbedding::new(divided(short), *amplitude)
                    .with_long(divided(long), *original_max_positions as u32)
            }
        }
    }
}

impl Source<'_> {
    fn invalid(&self, problem: String) -> Error {
        Error::ModelFileInvalid {
            path: self.path.to_path_buf(),
            problem,
        }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.scaling
            .and_then(|value| value.get(key))
            .filter(|value| !value.is_null())
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.get(key).and_then(Value::as_f64)
    }

    fn positive(&self, key: &str, value: Option<f64>) -> Result<f64> {
        value
            .filter(|value| value.is_finite() && *value > 0.0)
            .ok_or_else(|| {
                self.invalid(format!(
                    "{}.{key} is missing or not a positive number",
                    self.field
                ))
            })
    }

    fn required(&self, key: &str) -> Result<f64> {
        self.positive(key, self.number(key))
    }

    /// A value beside `max_position_embeddings` outranks the one in the dictionary.
    fn original_max_positions(&self) -> Result<f64> {
        const KEY: &str = "original_max_position_embeddings";
        let beside = self
            .raw
            .original_max_position_embeddings
            .map(|value| value as f64);
        let otherwise = self.raw.max_position_embeddings as f64;
        self.positive(KEY, beside.or_else(|| self.number(KEY)).or(Some(otherwise)))
    }

    fn divisors(&self, key: &str, pairs: usize) -> Result<Vec<f64>> {
        let values: Option<Vec<f64>> = self
            .get(key)
            .and_then(Value::as_array)
            .and_then(|values| values.iter().map(Value::as_f64).collect());
        values
            .filter(|values| {
                values.len() == pairs && values.iter().all(|v| v.is_finite() && *v > 0.0)
            })
            .ok_or_else(|| {
                self.invalid(format!(
                    "{}.{key} is not a list of {pairs} positive numbers",
                    self.field
                ))
            })
    }

    fn kind(&self) -> Result<&str> {
        match self.get("rope_type").or_else(|| self.get("type")) {
            None if self.get("factor").is_some() => {
                Err(self.invalid(format!("{} has a factor but no rope_type", self.field)))
            }
            None => Ok("default"),
            // Phi-3's first names of what is LongRoPE.
            Some(kind) if self.raw.is_phi3() && (kind == "su" || kind == "yarn") => Ok("longrope"),
            Some(kind) => Ok(kind.as_str().unwrap_or("")),
        }
    }

    fn parse(&self, theta: Option<f64>) -> Result<RopeConfig> {
        if let Some(value) = self.scaling.filter(|value| !value.is_object()) {
            return Err(self.invalid(format!("{} is {value}, expected an object", self.field)));
        }
        let theta = self.number("rope_theta").or(theta).unwrap_or(10_000.0);
        if !(theta.is_finite() && theta > 0.0) {
            return Err(self.invalid(format!("rope_theta is {theta}")));
        }
        let rotated_fraction = self
            .number("partial_rotary_factor")
            .or(self.raw.partial_rotary_factor)
            .unwrap_or(1.0);
        if !(rotated_fraction > 0.0 && rotated_fraction <= 1.0) {
            return Err(self.invalid(format!("partial_rotary_factor is {rotated_fraction}")));
        }
        let max_positions = self.raw.max_position_embeddings as f64;
        let scaling = match self.kind()? {
            "default" => RopeScaling::None,
            "linear" => RopeScaling::Linear {
                factor: self.required("factor")?,
            },
            "llama3" => RopeScaling::Llama3 {
                factor: self.required("factor")?,
                low_frequency_factor: self.required("low_freq_factor")?,
                high_frequency_factor: self.required("high_freq_factor")?,
                original_max_positions: self.original_max_positions()?,
            },
            "yarn" => {
                let original_max_positions = self.original_max_positions()?;
                let factor = match self.number("factor") {
                    Some(factor) => self.positive("factor", Some(factor))?,
                    None => max_positions / original_max_positions,
                };
                RopeScaling::Yarn {
                    factor,
                    beta_fast: self
                        .number("beta_fast")
                        .filter(|b| *b != 0.0)
                        .unwrap_or(32.0),
                    beta_slow: self
                        .number("beta_slow")
                        .filter(|b| *b != 0.0)
                        .unwrap_or(1.0),
                    truncate: self
                        .get("truncate")
                        .and_then(Value::as_bool)
                        .unwrap_or(true),
                    amplitude: self.yarn_amplitude(factor),
                    original_max_positions,
                }
            }
            "longrope" => {
                let original_max_positions = self.original_max_positions()?;
                let factor = self
                    .number("factor")
                    .unwrap_or(max_positions / original_max_positions);
                let otherwise = if factor <= 1.0 {
                    1.0
                } else {
                    (1.0 + factor.ln() / original_max_positions.ln()).sqrt()
                };
                let head_dim = self.raw.head_dim();
                let pairs = (head_dim as f64 * rotated_fraction) as usize / 2;
                RopeScaling::LongRope {
                    short: self.divisors("short_factor", pairs)?,
                    long: self.divisors("long_factor", pairs)?,
                    amplitude: self.number("attention_factor").unwrap_or(otherwise),
                    original_max_positions,
                }
            }
            other => {
                return Err(Error::ModelUnsupported {
                    path: self.path.to_path_buf(),
                    field: "rope_scaling",
                    found: other.to_owned(),
                    supported: SUPPORTED.to_vec(),
                });
            }
        };
        Ok(RopeConfig {
            theta,
            rotated_fraction,
            scaling,
        })
    }

    /// 0.1 m ln(factor) + 1, or the quotient of two of them where both `m`s are given.
    fn yarn_amplitude(&self, factor: f64) -> f64 {
        let scale = |m: f64| {
            if factor <= 1.0 {
                1.0
            } else {
                0.1 * m * factor.ln() + 1.0
            }
        };
        let given = |key: &str| self.number(key).filter(|value| *value != 0.0);
        match (
            self.number("attention_factor"),
            given("mscale"),
            given("mscale_all_dim"),
        ) {
            (Some(amplitude), _, _) => amplitude,
            (None, Some(m), Some(all)) => scale(m) / scale(all),
            (None, _, _) => scale(1.0),
        }
    }
}
