//! Choosing the next token. Temperature, top-k and top-p are candle-transformers' own
//! `LogitsProcessor`; min-p and the repetition penalty come before it.

use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};
use candle_transformers::utils::apply_repeat_penalty;

use crate::Result;
use crate::models::tokenizer::GenerationDefaults;

/// Tokens back to which the repetition penalty looks.
const PENALTY_WINDOW: usize = 256;
/// Where neither the user nor the model says.
const TEMPERATURE: f64 = 0.7;
const TOP_P: f64 = 0.95;

/// How tokens are drawn; what is absent is taken from the model's generation_config.json.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplerSettings {
    /// Divides the logits; 0 takes the likeliest token.
    pub temperature: Option<f64>,
    /// Keeps the likeliest tokens.
    pub top_k: Option<usize>,
    /// Keeps the likeliest tokens up to this probability.
    pub top_p: Option<f64>,
    /// Drops tokens below this share of the likeliest one.
    pub min_p: Option<f64>,
    /// Divides the logits of tokens already said.
    pub repetition_penalty: Option<f64>,
    /// Seed of the draw.
    pub seed: Option<u64>,
    /// Length limit of a reply; absent: what the context holds.
    pub max_tokens: Option<usize>,
}

/// Draws tokens for one reply.
pub struct Sampler {
    processor: LogitsProcessor,
    temperature: f64,
    min_p: f64,
    repetition_penalty: f64,
}

impl Sampler {
    /// The user's settings over the model's recommendations.
    pub fn new(settings: &SamplerSettings, model: &GenerationDefaults) -> Self {
        let recommended = match model.do_sample {
            Some(false) => 0.0,
            _ => model.temperature.unwrap_or(TEMPERATURE),
        };
        let temperature = settings.temperature.unwrap_or(recommended);
        let top_k = settings.top_k.or(model.top_k).filter(|&k| k > 0);
        let top_p = settings.top_p.or(model.top_p).unwrap_or(TOP_P);
        let seed = settings.seed.unwrap_or_else(rand::random);
        let sampling = match (temperature > 0.0, top_k, top_p < 1.0) {
            (false, _, _) => Sampling::ArgMax,
            (true, None, false) => Sampling::All { temperature },
            (true, Some(k), false) => Sampling::TopK { k, temperature },
            (true, None, true) => Sampling::TopP {
                p: top_p,
                temperature,
            },
            (true, Some(k), true) => Sampling::TopKThenTopP {
                k,
                p: top_p,
                temperature,
            },
        };
        Self {
            processor: LogitsProcessor::from_sampling(seed, sampling),
            temperature,
            min_p: settings.min_p.or(model.min_p).unwrap_or(0.0),
            repetition_penalty: settings
                .repetition_penalty
                .or(model.repetition_penalty)
                .unwrap_or(1.0),
        }
    }

    /// The next token. `logits` `[vocabulary]`, `said` what the reply holds so far.
    ///
    /// # Errors
    /// When the logits are not numbers.
    pub fn sample(&mut self, logits: &Tensor, said: &[u32]) -> Result<u32> {
        let mut logits = logits.clone();
        if self.repetition_penalty != 1.0 && !said.is_empty() {
            let recent = &said[said.len().saturating_sub(PENALTY_WINDOW)..];
            logits = apply_repeat_penalty(&logits, self.repetition_penalty as f32, recent)?;
        }
        if self.min_p > 0.0 && self.temperature > 0.0 {
            logits = self.drop_unlikely(&logits)?;
        }
        Ok(self.processor.sample(&logits)?)
    }

    /// p >= min_p * p_max means l >= l_max + T ln(min_p), before the temperature.
    fn drop_unlikely(&self, logits: &Tensor) -> Result<Tensor> {
        let values = logits.to_vec1::<f32>()?;
        let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let least = most + (self.temperature * self.min_p.ln()) as f32;
        let kept = values
            .into_iter()
            .map(|logit| {
                if logit < least {
                    f32::NEG_INFINITY
                } else {
                    logit
                }
            })
            .collect::<Vec<f32>>();
        let count = kept.len();
        Ok(Tensor::from_vec(kept, count, &Device::Cpu)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(settings: &SamplerSettings, logits: &[f32], said: &[u32]) -> Vec<u32> {
        let settings = SamplerSettings {
            seed: Some(7),
            ..settings.clone()
        };
        let mut sampler = Sampler::new(&settings, &GenerationDefaults::default());
        let logits = Tensor::from_slice(logits, logits.len(), &Device::Cpu).unwrap();
        (0..400)
            .map(|_| sampler.sample(&logits, said).unwrap())
            .collect()
    }

    fn seen(draws: &[u32]) -> Vec<u32> {
        let mut seen = draws.to_vec();
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    const LOGITS: [f32; 4] = [2.0, 1.5, 1.0, -1.0];

    fn settings(temperature: f64) -> SamplerSettings {
        SamplerSettings {
            temperature: Some(temperature),
            top_p: Some(1.0),
            ..SamplerSettings::default()
        }
    }

    #[test]
    fn zero_temperature_is_greedy() {
        assert_eq!(seen(&draws(&settings(0.0), &LOGITS, &[])), [0]);
    }

    #[test]
    fn each_filter_drops_what_it_says() {
        let base = settings(1.0);
        assert_eq!(seen(&draws(&base, &LOGITS, &[])), [0, 1, 2, 3]);
        let top_k = SamplerSettings {
            top_k: Some(2),
            ..base.clone()
        };
        assert_eq!(seen(&draws(&top_k, &LOGITS, &[])), [0, 1]);
        let top_p = SamplerSettings {
            top_p: Some(0.6),
            ..base.clone()
        };
        assert_eq!(seen(&draws(&top_p, &LOGITS, &[])), [0, 1]);
        // e^-0.5 = 0.61 of the likeliest stays, e^-1 = 0.37 goes
        let min_p = SamplerSettings {
            min_p: Some(0.5),
            ..base.clone()
        };
        assert_eq!(seen(&draws(&min_p, &LOGITS, &[])), [0, 1]);
        // at temperature 2 the shares are 0.78 and 0.61
        let warm = SamplerSettings {
            temperature: Some(2.0),
            ..min_p
        };
        assert_eq!(seen(&draws(&warm, &LOGITS, &[])), [0, 1, 2]);
    }

    #[test]
    fn the_penalty_lowers_what_was_said() {
        let penalized = SamplerSettings {
            repetition_penalty: Some(1.5),
            ..settings(0.0)
        };
        assert_eq!(seen(&draws(&penalized, &LOGITS, &[0])), [1]);
        assert_eq!(seen(&draws(&penalized, &LOGITS, &[])), [0]);
    }

    #[test]
    fn a_seed_repeats_its_draws() {
        assert_eq!(
            draws(&settings(1.0), &LOGITS, &[]),
            draws(&settings(1.0), &LOGITS, &[])
        );
    }

    #[test]
    fn the_model_recommends_and_the_user_decides() {
        let greedy = GenerationDefaults {
            do_sample: Some(false),
            ..Default::default()
        };
        let sampler = Sampler::new(&SamplerSettings::default(), &greedy);
        assert_eq!(sampler.temperature, 0.0);
        assert_eq!(Sampler::new(&settings(0.9), &greedy).temperature, 0.9);
        let warm = GenerationDefaults {
            temperature: Some(0.3),
            ..Default::default()
        };
        assert_eq!(
            Sampler::new(&SamplerSettings::default(), &warm).temperature,
            0.3
        );
    }
}
