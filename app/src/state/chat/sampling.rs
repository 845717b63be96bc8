//! How replies are drawn, as it is typed: what is empty is as the model recommends.

use std::collections::BTreeMap;

use stepladder_protocol::SamplerSettings;

/// A field of the sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "`SamplerSettings` says what each is")]
pub enum SamplerField {
    Temperature,
    TopK,
    TopP,
    MinP,
    RepetitionPenalty,
    Seed,
    MaxTokens,
}

impl SamplerField {
    /// Every one, in the order they are shown.
    pub const ALL: [Self; 7] = [
        Self::Temperature,
        Self::TopK,
        Self::TopP,
        Self::MinP,
        Self::RepetitionPenalty,
        Self::Seed,
        Self::MaxTokens,
    ];
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SamplerWrong {
    /// It is no number.
    NotANumber,
    /// It is no whole number, or none that large.
    NotWhole,
    /// It is not within these.
    Outside(f64, f64),
}

/// The sampler as it is typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    typed: BTreeMap<SamplerField, String>,
}

impl Sampling {
    /// As settings that were kept say.
    pub fn of(settings: &SamplerSettings) -> Self {
        let mut sampling = Self::default();
        let mut put = |field, value: Option<String>| {
            if let Some(value) = value {
                sampling.typed.insert(field, value);
            }
        };
        let number = |value: Option<f64>| value.map(|value| value.to_string());
        put(SamplerField::Temperature, number(settings.temperature));
        put(SamplerField::TopP, number(settings.top_p));
        put(SamplerField::MinP, number(settings.min_p));
        let penalty = number(settings.repetition_penalty);
        put(SamplerField::RepetitionPenalty, penalty);
        let whole = |value: Option<usize>| value.map(|value| value.to_string());
        put(SamplerField::TopK, whole(settings.top_k));
        put(SamplerField::MaxTokens, whole(settings.max_tokens));
        let seed = settings.seed.map(|seed| seed.to_string());
        put(SamplerField::Seed, seed);
        sampling
    }

    /// What is typed in a field.
    pub fn text(&self, field: SamplerField) -> &str {
        self.typed.get(&field).map_or("", String::as_str)
    }

    /// Types into a field.
    pub fn type_in(&mut self, field: SamplerField, text: String) {
        match text.trim().is_empty() {
            true => self.typed.remove(&field),
            false => self.typed.insert(field, text),
        };
    }

    /// Whether anything is other than the model recommends.
    pub fn is_changed(&self) -> bool {
        !self.typed.is_empty()
    }

    /// What is wrong with a field.
    pub fn wrong(&self, field: SamplerField) -> Option<SamplerWrong> {
        use SamplerField as F;
        match field {
            F::Temperature => self.number(field, 0.0, 5.0).err(),
            F::TopP => self.number(field, 0.0, 1.0).err(),
            F::MinP => self.number(field, 0.0, 1.0).err(),
            F::RepetitionPenalty => self.number(field, 0.1, 5.0).err(),
            F::TopK | F::Seed | F::MaxTokens => self.whole(field).err(),
        }
    }

    /// The fields that can be read; the others are as the model recommends.
    pub fn settings(&self) -> SamplerSettings {
        use SamplerField as F;
        let number = |field, from, to| self.number(field, from, to).ok().flatten();
        let whole = |field| self.whole(field).ok().flatten();
        let size = |field| whole(field).and_then(|value| usize::try_from(value).ok());
        SamplerSettings {
            temperature: number(F::Temperature, 0.0, 5.0),
            top_k: size(F::TopK),
            top_p: number(F::TopP, 0.0, 1.0),
            min_p: number(F::MinP, 0.0, 1.0),
            repetition_penalty: number(F::RepetitionPenalty, 0.1, 5.0),
            seed: whole(F::Seed),
            max_tokens: size(F::MaxTokens),
        }
    }

    fn number(&self, field: SamplerField, from: f64, to: f64) -> Result<Option<f64>, SamplerWrong> {
        // Half of Europe writes a comma.
        let text = self.text(field).trim().replace(',', ".");
        if text.is_empty() {
            return Ok(None);
        }
        let number: f64 = text.parse().map_err(|_| SamplerWrong::NotANumber)?;
        match (from..=to).contains(&number) {
            true => Ok(Some(number)),
            false => Err(SamplerWrong::Outside(from, to)),
        }
    }

    fn whole(&self, field: SamplerField) -> Result<Option<u64>, SamplerWrong> {
        let text = self.text(field).trim();
        if text.is_empty() {
            return Ok(None);
        }
        let number: u64 = text.parse().map_err(|_| SamplerWrong::NotWhole)?;
        match (field, number) {
            // A reply of nothing is no reply.
            (SamplerField::MaxTokens, 0) => Err(SamplerWrong::Outside(1.0, f64::INFINITY)),
            _ => Ok(Some(number)),
        }
    }
}
