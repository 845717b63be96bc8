//! The rotary embedding of a GGUF file in config.json's words. Some of it is in the keys `rope.*`,
//! some in tensors that hold one divisor for each frequency. What a missing key means is what
//! llama.cpp takes it to mean (`load_hparams` in llama-model.cpp).

use serde_json::{Map, Value, json};

use super::architecture::Architecture;
use super::config::MAX_POSITIONS;
use super::keys::{Keys, as_written};
use crate::Result;

/// Reads a small tensor's numbers by its name in the file; None if it cannot.
pub type Numbers<'a> = &'a dyn Fn(&str) -> Option<Vec<f32>>;

const FREQUENCY_DIVISORS: &str = "rope_freqs.weight";
const LONG_DIVISORS: &str = "rope_factors_long.weight";
const SHORT_DIVISORS: &str = "rope_factors_short.weight";

/// `rope_theta`, `rope_scaling`, `partial_rotary_factor`, `original_max_position_embeddings`.
pub(super) fn fields(
    keys: &Keys<'_>,
    numbers: Numbers<'_>,
    head_dim: usize,
    max_positions: usize,
) -> Result<Map<String, Value>> {
    let rotated = keys.positive_size("rope.dimension_count", head_dim)?;
    let rotated = rotated.unwrap_or(head_dim);
    let is_partial = rotated != head_dim;
    // llama.cpp's graphs of llama, qwen2 and qwen3 assert that the whole head is rotated; Gemma's
    // converters write no such key.
    if !rotated.is_multiple_of(2) || (is_partial && keys.architecture != Architecture::Phi3) {
        return Err(keys.invalid(format!(
            "{} is {rotated}, which does not go with heads of {head_dim}",
            keys.name("rope.dimension_count")
        )));
    }
    let mut fields = Map::new();
    let theta = keys.positive("rope.freq_base")?.unwrap_or(10_000.0);
    fields.insert("rope_theta".to_owned(), json!(theta));
    if is_partial {
        let fraction = fraction(rotated, head_dim);
        fields.insert("partial_rotary_factor".to_owned(), json!(fraction));
    }
    let original = keys.positive_size("rope.scaling.original_context_length", MAX_POSITIONS)?;
    let original = original.unwrap_or(max_positions);
    if keys.architecture == Architecture::Phi3 {
        // Only there does it stand beside max_position_embeddings, where it outranks the one in
        // rope_scaling.
        let key = "original_max_position_embeddings".to_owned();
        fields.insert(key, json!(original));
    }
    let scaling = Scaling {
        keys,
        numbers,
        pairs: rotated / 2,
        theta,
        max_positions,
        original,
    };
    fields.insert("rope_scaling".to_owned(), scaling.parse()?);
    Ok(fields)
}

/// A fraction that gives `part` again when it is multiplied by `whole` and truncated.
fn fraction(part: usize, whole: usize) -> f64 {
    let fraction = part as f64 / whole as f64;
    if (whole as f64 * fraction) as usize == part {
        fraction
    } else {
        fraction.next_up()
    }
}

struct Scaling<'a> {
    keys: &'a Keys<'a>,
    numbers: Numbers<'a>,
    /// Frequencies.
    pairs: usize,
    theta: f64,
    max_positions: usize,
    original: usize,
}

impl Scaling<'_> {
    fn parse(&self) -> Result<Value> {
        let keys = self.keys;
        let kind = keys.text("rope.scaling.type")?.unwrap_or("linear");
        let long = self.divisors(LONG_DIVISORS)?;
        let short = self.divisors(SHORT_DIVISORS)?;
        // Phi-3's converter writes no type; the tensors say it.
        if kind == "longrope" || keys.architecture == Architecture::Phi3 {
            match (long, short) {
                (Some(long), Some(short)) => return self.longrope(&long, &short),
                (None, None) if kind != "longrope" => {}
                _ => {
                    return Err(keys.invalid(format!(
                        "{LONG_DIVISORS} and {SHORT_DIVISORS} must both be there"
                    )));
                }
            }
        }
        let factor = match keys.positive("rope.scaling.factor")? {
            // the key's old name
            None => keys.positive("rope.scale_linear")?,
            factor => factor,
        };
        match (kind, self.divisors(FREQUENCY_DIVISORS)?) {
            ("none", None) => Ok(Value::Null),
            ("none", Some(divisors)) => self.divided(&divisors),
            ("linear", None) => {
                self.refuse_amplitude()?;
                Ok(match factor {
                    Some(factor) if factor != 1.0 => {
                        json!({"rope_type": "linear", "factor": factor})
                    }
                    _ => Value::Null,
                })
            }
            ("linear", Some(divisors)) => {
                self.refuse_amplitude()?;
                let factor = factor.unwrap_or(1.0);
                let product: Vec<f64> = divisors.iter().map(|each| each * factor).collect();
                self.divided(&product)
            }
            ("yarn", None) => self.yarn(factor),
            ("yarn", Some(_)) => {
                Err(keys.unsupported("rope.scaling.type", "yarn with rope_freqs", &["yarn"]))
            }
            (other, _) => {
                let supported = ["none", "linear", "yarn", "longrope"];
                Err(keys.unsupported("rope.scaling.type", other, &supported))
            }
        }
    }

    /// The numbers of a tensor of divisors, if the file has it.
    fn divisors(&self, name: &str) -> Result<Option<Vec<f64>>> {
        if !self.keys.has_tensor(name) {
            return Ok(None);
        }
        let numbers = (self.numbers)(name).unwrap_or_default();
        let divisors: Vec<f64> = numbers.iter().map(|&number| f64::from(number)).collect();
        let possible = |divisor: &f64| divisor.is_finite() && *divisor > 0.0;
        if divisors.len() != self.pairs || !divisors.iter().all(possible) {
            return Err(self.keys.invalid(format!(
                "tensor {name:?} is not a list of {} positive numbers",
                self.pairs
            )));
        }
        Ok(Some(divisors))
    }

    /// Llama 3's scaling arrives as its result. All published models were made with the same
    /// parameters but for the factor, so these are tried; any other divisors are written as a
    /// LongRoPE whose two sets are the same, which divides by them at every length.
    fn divided(&self, divisors: &[f64]) -> Result<Value> {
        const ORIGINAL: f64 = 8192.0;
        const LOW: f64 = 1.0;
        const HIGH: f64 = 4.0;
        let factor = divisors.iter().copied().fold(1.0, f64::max);
        if divisors.iter().all(|divisor| *divisor == 1.0) {
            return Ok(Value::Null);
        }
        let llama3 = (0..self.pairs).map(|pair| {
            let turn = 2.0 * std::f64::consts::PI;
            let wavelength = turn * self.theta.powf(pair as f64 / self.pairs as f64);
            let smooth = ((ORIGINAL / wavelength - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
            1.0 / ((1.0 - smooth) / factor + smooth)
        });
        let is_llama3 = llama3
            .zip(divisors)
            .all(|(expected, divisor)| (divisor / expected - 1.0).abs() < 1e-5);
        if is_llama3 {
            return Ok(json!({
                "rope_type": "llama3",
                "factor": as_written(factor),
                "low_freq_factor": LOW,
                "high_freq_factor": HIGH,
                "original_max_position_embeddings": ORIGINAL as usize,
            }));
        }
        Ok(json!({
            "rope_type": "longrope",
            "short_factor": divisors,
            "long_factor": divisors,
            "attention_factor": 1.0,
            "original_max_position_embeddings": self.max_positions,
        }))
    }

    fn longrope(&self, long: &[f64], short: &[f64]) -> Result<Value> {
        let written = |divisors: &[f64]| -> Vec<f64> {
            divisors
                .iter()
                .map(|divisor| as_written(*divisor))
                .collect()
        };
        let mut scaling = json!({
            "rope_type": "longrope",
            "short_factor": written(short),
            "long_factor": written(long),
            "original_max_position_embeddings": self.original,
        });
        // llama.cpp multiplies by what the key says and by nothing where it is missing; in
        // config.json it follows from the lengths. Only what does not follow is written.
        let amplitude = self.keys.positive("rope.scaling.attn_factor")?;
        let amplitude = amplitude.unwrap_or(1.0);
        let stretch = self.max_positions as f64 / self.original as f64;
        let follows = match stretch > 1.0 {
            true => (1.0 + stretch.ln() / (self.original as f64).ln()).sqrt(),
            false => 1.0,
        };
        if (amplitude - follows).abs() > 1e-6 {
            scaling["attention_factor"] = json!(amplitude);
        }
        Ok(scaling)
    }

    fn yarn(&self, factor: Option<f64>) -> Result<Value> {
        let keys = self.keys;
        let factor = match factor {
            Some(factor) => factor,
            None => keys.required_positive("rope.scaling.factor")?,
        };
        // The mixture of kept and divided frequencies; negative means "as usual", which is all of it.
        if let Some(share) = keys.number("rope.scaling.yarn_ext_factor")?
            && share >= 0.0
            && share != 1.0
        {
            return Err(keys.unsupported("rope.scaling.yarn_ext_factor", share, &["1"]));
        }
        let mut scaling = json!({
            "rope_type": "yarn",
            "factor": factor,
            "original_max_position_embeddings": self.original,
        });
        // The converter writes config.json's attention_factor to the first of these; the second
        // is one that is multiplied by what YaRN itself says.
        let whole = keys.positive("rope.scaling.yarn_attn_factor")?;
        let part = keys.positive("rope.scaling.attn_factor")?;
        let own = if factor <= 1.0 {
            1.0
        } else {
            0.1 * factor.ln() + 1.0
        };
        let amplitude = match (whole, part) {
            (Some(whole), None) => Some(whole),
            (Some(whole), Some(part)) => Some(whole * part),
            (None, Some(part)) if part != 1.0 => Some(own * part),
            (None, _) => None,
        };
        let optional = [
            ("attention_factor", amplitude),
            ("beta_fast", keys.positive("rope.scaling.yarn_beta_fast")?),
            ("beta_slow", keys.positive("rope.scaling.yarn_beta_slow")?),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                scaling[key] = json!(value);
            }
        }
        Ok(scaling)
    }

    /// An amplitude without LongRoPE or YaRN has no place in config.json.
    fn refuse_amplitude(&self) -> Result<()> {
        match self.keys.number("rope.scaling.attn_factor")? {
            Some(amplitude) if amplitude != 1.0 => {
                Err(self
                    .keys
                    .unsupported("rope.scaling.attn_factor", amplitude, &["1"]))
            }
            _ => Ok(()),
        }
    }
}
