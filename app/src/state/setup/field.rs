//! Fields of the run config that are typed: how each is read from text, what stands in it, and its
//! default. What each means is said in `words`.

use stepladder_protocol::{Method, ModelInfo, RunConfig};

use super::wrong::Wrong;

/// A field of the run config that is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "`RunConfig` says what each is")]
pub enum Field {
    Context,
    Epochs,
    Steps,
    BatchSize,
    EffectiveBatchSize,
    LearningRate,
    WarmupFraction,
    FinalLearningRateFraction,
    WeightDecay,
    ClipNorm,
    Seed,
    DSide,
    ReductionFactor,
    Taps,
    Rank,
    Alpha,
    LoraDropout,
    TargetModules,
    QuantizedCopy,
    MemoryBytes,
    HeldOutFraction,
    EvaluateEvery,
    SampleAnswers,
    CheckpointEvery,
    CheckpointMinutes,
    Patience,
}

/// Answers to held-out prompts at each evaluation. Whoever has a window open sees them; the command line
/// has none unless asked, for beside a model as small as the built-in one they take a noticeable part of a run.
const ANSWERS: usize = 2;

/// The config that the page begins with: the engine's defaults, and answers that the window shows.
pub fn usual_config() -> RunConfig {
    RunConfig {
        sample_answers: ANSWERS,
        ..RunConfig::default()
    }
}

/// The engine's default where the config names no context; shorter if the model's own is.
const USUAL_CONTEXT: usize = 2048;
/// Above so many parameters LoRA learns at half the rate.
const LARGE: u64 = 13_000_000_000;

impl Field {
    /// Every field.
    pub const ALL: [Self; 26] = [
        Self::Context,
        Self::Epochs,
        Self::Steps,
        Self::BatchSize,
        Self::EffectiveBatchSize,
        Self::LearningRate,
        Self::WarmupFraction,
        Self::FinalLearningRateFraction,
        Self::WeightDecay,
        Self::ClipNorm,
        Self::Seed,
        Self::DSide,
        Self::ReductionFactor,
        Self::Taps,
        Self::Rank,
        Self::Alpha,
        Self::LoraDropout,
        Self::TargetModules,
        Self::QuantizedCopy,
        Self::MemoryBytes,
        Self::HeldOutFraction,
        Self::EvaluateEvery,
        Self::SampleAnswers,
        Self::CheckpointEvery,
        Self::CheckpointMinutes,
        Self::Patience,
    ];

    /// As the run config and the engine's errors call it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Epochs => "epochs",
            Self::Steps => "steps",
            Self::BatchSize => "batch_size",
            Self::EffectiveBatchSize => "effective_batch_size",
            Self::LearningRate => "learning_rate",
            Self::WarmupFraction => "warmup_fraction",
            Self::FinalLearningRateFraction => "final_learning_rate_fraction",
            Self::WeightDecay => "weight_decay",
            Self::ClipNorm => "clip_norm",
            Self::Seed => "seed",
            Self::DSide => "d_side",
            Self::ReductionFactor => "reduction_factor",
            Self::Taps => "taps",
            Self::Rank => "rank",
            Self::Alpha => "alpha",
            Self::LoraDropout => "lora_dropout",
            Self::TargetModules => "target_modules",
            Self::QuantizedCopy => "quantized_copy",
            Self::MemoryBytes => "memory_bytes",
            Self::HeldOutFraction => "held_out_fraction",
            Self::EvaluateEvery => "evaluate_every",
            Self::SampleAnswers => "sample_answers",
            Self::CheckpointEvery => "checkpoint_every",
            Self::CheckpointMinutes => "checkpoint_minutes",
            Self::Patience => "early_stopping_patience",
        }
    }

    /// The field that an error of the engine is about: `context: 9 is longer than ...`.
    pub fn of_error(message: &str) -> Option<Self> {
        let (key, _) = message.split_once(':')?;
        Self::ALL.into_iter().find(|field| field.key() == key)
    }

    /// Whether a run with this method looks at it at all.
    pub fn matters_to(self, method: Method) -> bool {
        match self {
            Self::DSide | Self::ReductionFactor | Self::Taps => {
                matches!(method, Method::Ladder | Method::Xladder)
            }
            Self::Rank | Self::Alpha | Self::LoraDropout | Self::TargetModules => {
                matches!(method, Method::Qlora | Method::Lora)
            }
            _ => true,
        }
    }

    /// Takes what was typed; nothing is the default.
    ///
    /// # Errors
    /// What is wrong with it; the config stays as it was.
    pub fn set(self, config: &mut RunConfig, typed: &str) -> Result<(), Wrong> {
        let text = typed.trim();
        let usual = usual_config();
        let fraction = |value: f64| (0.0..=1.0).contains(&value).then_some(value);
        match self {
            Self::Context => config.context = whole(text, 2)?,
            Self::Epochs => config.epochs = above_zero(text)?.unwrap_or(usual.epochs),
            Self::Steps => config.steps = whole(text, 1)?,
            Self::BatchSize => config.batch_size = whole(text, 1)?.unwrap_or(usual.batch_size),
            Self::EffectiveBatchSize => {
                config.effective_batch_size = whole(text, 1)?.unwrap_or(usual.effective_batch_size);
            }
            Self::LearningRate => config.learning_rate = above_zero(text)?,
            Self::WarmupFraction => {
                let value = checked(text, Wrong::Fraction, fraction)?;
                config.warmup_fraction = value.unwrap_or(usual.warmup_fraction);
            }
            Self::FinalLearningRateFraction => {
                let value = checked(text, Wrong::Fraction, fraction)?;
                config.final_learning_rate_fraction =
                    value.unwrap_or(usual.final_learning_rate_fraction);
            }
            Self::WeightDecay => {
                config.weight_decay = not_negative(text)?.unwrap_or(usual.weight_decay);
            }
            Self::ClipNorm => config.clip_norm = not_negative(text)?,
            Self::Seed => {
                config.seed = match plain(text).as_str() {
                    "" => usual.seed,
                    text => text.parse().map_err(|_| Wrong::NotWhole)?,
                }
            }
            Self::DSide => config.d_side = whole(text, 2)?,
            Self::ReductionFactor => config.reduction_factor = whole(text, 1)?,
            Self::Taps => config.taps = layers(text)?,
            Self::Rank => config.rank = whole(text, 1)?.unwrap_or(usual.rank),
            Self::Alpha => config.alpha = above_zero(text)?.unwrap_or(usual.alpha),
            Self::LoraDropout => {
                let below_one = |value: f64| (0.0..1.0).contains(&value).then_some(value);
                let value = checked(text, Wrong::FractionBelowOne, below_one)?;
                config.lora_dropout = value.unwrap_or(usual.lora_dropout);
            }
            Self::TargetModules => {
                let names: Vec<String> = words(text).map(ToOwned::to_owned).collect();
                config.target_modules = Some(names).filter(|names| !names.is_empty());
            }
            Self::QuantizedCopy => {
                config.quantized_copy = Some(text.to_owned()).filter(|path| !path.is_empty());
            }
            Self::MemoryBytes => config.memory_bytes = gibibytes(text)?,
            Self::HeldOutFraction => {
                let value = checked(text, Wrong::Fraction, fraction)?;
                config.held_out_fraction = value.unwrap_or(usual.held_out_fraction);
            }
            Self::EvaluateEvery => config.evaluate_every = whole(text, 1)?,
            Self::SampleAnswers => {
                config.sample_answers = whole(text, 0)?.unwrap_or(usual.sample_answers);
            }
            Self::CheckpointEvery => config.checkpoint_every = whole(text, 1)?,
            Self::CheckpointMinutes => {
                config.checkpoint_minutes = not_negative(text)?.unwrap_or(usual.checkpoint_minutes);
            }
            Self::Patience => {
                config.early_stopping_patience =
                    whole(text, 0)?.unwrap_or(usual.early_stopping_patience);
            }
        }
        Ok(())
    }

    /// What would be typed for what the config has; nothing where that is the default.
    pub fn text(self, config: &RunConfig) -> String {
        let shown = self.value(config);
        match shown == self.value(&usual_config()) {
            true => String::new(),
            false => shown,
        }
    }

    fn value(self, config: &RunConfig) -> String {
        fn some<T: ToString>(value: Option<T>) -> String {
            value.map_or_else(String::new, |value| value.to_string())
        }
        match self {
            Self::Context => some(config.context),
            Self::Epochs => config.epochs.to_string(),
            Self::Steps => some(config.steps),
            Self::BatchSize => config.batch_size.to_string(),
            Self::EffectiveBatchSize => config.effective_batch_size.to_string(),
            Self::LearningRate => some(config.learning_rate),
            Self::WarmupFraction => config.warmup_fraction.to_string(),
            Self::FinalLearningRateFraction => config.final_learning_rate_fraction.to_string(),
            Self::WeightDecay => config.weight_decay.to_string(),
            Self::ClipNorm => some(config.clip_norm),
            Self::Seed => config.seed.to_string(),
            Self::DSide => some(config.d_side),
            Self::ReductionFactor => some(config.reduction_factor),
            Self::Taps => {
                let taps = config.taps.as_deref().unwrap_or_default();
                taps.iter()
                    .map(usize::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            }
            Self::Rank => config.rank.to_string(),
            Self::Alpha => config.alpha.to_string(),
            Self::LoraDropout => config.lora_dropout.to_string(),
            Self::TargetModules => config
                .target_modules
                .as_deref()
                .unwrap_or_default()
                .join(", "),
            Self::QuantizedCopy => some(config.quantized_copy.as_ref()),
            Self::MemoryBytes => some(config.memory_bytes.map(|bytes| bytes as f64 / GIB)),
            Self::HeldOutFraction => config.held_out_fraction.to_string(),
            Self::EvaluateEvery => some(config.evaluate_every),
            Self::SampleAnswers => config.sample_answers.to_string(),
            Self::CheckpointEvery => some(config.checkpoint_every),
            Self::CheckpointMinutes => config.checkpoint_minutes.to_string(),
            Self::Patience => config.early_stopping_patience.to_string(),
        }
    }

    /// What the engine takes where nothing is typed, as far as a number says it.
    pub fn default_text(self, config: &RunConfig, model: Option<&ModelInfo>) -> String {
        let is_lora = matches!(config.method, Method::Qlora | Method::Lora);
        match self {
            Self::Context => {
                let longest = model.map_or(USUAL_CONTEXT, |model| model.context_length);
                longest.min(USUAL_CONTEXT).to_string()
            }
            Self::LearningRate => {
                let is_large = model.is_some_and(|model| model.parameters > LARGE);
                match (is_lora, is_large) {
                    (false, _) => "0.0005",
                    (true, false) => "0.0002",
                    (true, true) => "0.0001",
                }
                .to_owned()
            }
            Self::ClipNorm => if is_lora { "0.3" } else { "1" }.to_owned(),
            Self::DSide if config.reduction_factor.is_none() => {
                model.map_or_else(String::new, |model| usual_d_side(model.d_model).to_string())
            }
            other => other.value(&usual_config()),
        }
    }
}

fn usual_d_side(d_model: usize) -> usize {
    match d_model {
        3072.. => 512,
        1024.. => 256,
        _ => (d_model / 4).next_multiple_of(32).max(32),
    }
}

const GIB: f64 = (1u64 << 30) as f64;

/// Thousands may be separated: `2,048`.
fn plain(text: &str) -> String {
    let is_group = |(at, c): (usize, char)| {
        let behind = &text[at + c.len_utf8()..];
        let group = behind.chars().take_while(char::is_ascii_digit).count();
        c == ',' && at > 0 && group == 3
    };
    let places = text.char_indices();
    places
        .filter(|place| !is_group(*place))
        .map(|(_, c)| c)
        .collect()
}

fn whole(text: &str, least: usize) -> Result<Option<usize>, Wrong> {
    let text = plain(text);
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<usize>() {
        Ok(number) if number < least => Err(Wrong::Below(least)),
        Ok(number) => Ok(Some(number)),
        Err(_)
            if text
                .parse::<f64>()
                .is_ok_and(|number| number < least as f64) =>
        {
            Err(Wrong::Below(least))
        }
        Err(_) => Err(Wrong::NotWhole),
    }
}

fn checked(
    text: &str,
    wrong: Wrong,
    check: impl Fn(f64) -> Option<f64>,
) -> Result<Option<f64>, Wrong> {
    // `5 %` is how a fraction is often said.
    let (text, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim(), 0.01),
        None => (text, 1.0),
    };
    if text.is_empty() {
        return Ok(None);
    }
    let number: f64 = plain(text).parse().map_err(|_| Wrong::NotANumber)?;
    match number.is_finite() {
        true => check(number * scale).map(Some).ok_or(wrong),
        false => Err(Wrong::NotANumber),
    }
}

fn above_zero(text: &str) -> Result<Option<f64>, Wrong> {
    checked(text, Wrong::NotAboveZero, |value| {
        (value > 0.0).then_some(value)
    })
}

fn not_negative(text: &str) -> Result<Option<f64>, Wrong> {
    checked(text, Wrong::Negative, |value| {
        (value >= 0.0).then_some(value)
    })
}

fn gibibytes(text: &str) -> Result<Option<u64>, Wrong> {
    let lower = text.to_lowercase();
    let units = ["gib", "gb", "g"];
    let number = units.into_iter().find_map(|unit| lower.strip_suffix(unit));
    let gib = above_zero(number.unwrap_or(&lower).trim())?;
    Ok(gib.map(|gib| (gib * GIB) as u64))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let between = |c: char| c == ',' || c == ';' || c.is_whitespace();
    text.split(between).filter(|word| !word.is_empty())
}

fn layers(text: &str) -> Result<Option<Vec<usize>>, Wrong> {
    let layers: Vec<usize> = words(text)
        .map(|word| word.parse().map_err(|_| Wrong::NotLayers))
        .collect::<Result<_, _>>()?;
    match layers.windows(2).any(|pair| pair[0] >= pair[1]) || layers.contains(&0) {
        true => Err(Wrong::NotLayers),
        false => Ok(Some(layers).filter(|layers| !layers.is_empty())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(field: Field, text: &str) -> Result<RunConfig, Wrong> {
        let mut config = usual_config();
        field.set(&mut config, text).map(|()| config)
    }

    #[test]
    fn every_field_keeps_what_was_typed() {
        let typed = |field: Field| match field {
            Field::Taps => "3, 7, 11",
            Field::TargetModules => "q_proj, v_proj",
            Field::QuantizedCopy => "/a/b",
            Field::MemoryBytes => "12",
            Field::Context => "1536",
            Field::Epochs | Field::Alpha => "2.5",
            Field::LearningRate => "0.0003",
            field if field.value(&usual_config()).contains('.') => "0.25",
            Field::WeightDecay | Field::LoraDropout | Field::ClipNorm => "0.25",
            _ => "7",
        };
        let default = usual_config();
        for field in Field::ALL {
            let config = set(field, typed(field)).unwrap();
            assert_ne!(config, default, "{field:?} changes nothing");
            assert_eq!(field.text(&config), typed(field), "{field:?}");
            let mut back = config.clone();
            field.set(&mut back, "  ").unwrap();
            assert_eq!(back, default, "{field:?} does not go back");
            assert_eq!(field.text(&default), "", "{field:?}");
            let json = serde_json::to_value(&default).unwrap();
            assert!(json.get(field.key()).is_some(), "{}", field.key());
            assert_eq!(
                Field::of_error(&format!("{}: is 0", field.key())),
                Some(field)
            );
        }
    }

    #[test]
    fn what_cannot_be_is_named_and_changes_nothing() {
        for (field, text, wrong) in [
            (Field::Context, "many", Wrong::NotWhole),
            (Field::Context, "1", Wrong::Below(2)),
            (Field::Context, "2048.5", Wrong::NotWhole),
            (Field::Context, "-3", Wrong::Below(2)),
            (Field::Context, "99999999999999999999999", Wrong::NotWhole),
            (Field::BatchSize, "0", Wrong::Below(1)),
            (Field::Epochs, "0", Wrong::NotAboveZero),
            (Field::Epochs, "nan", Wrong::NotANumber),
            (Field::Epochs, "inf", Wrong::NotANumber),
            (Field::HeldOutFraction, "1.5", Wrong::Fraction),
            (Field::HeldOutFraction, "150%", Wrong::Fraction),
            (Field::LoraDropout, "1", Wrong::FractionBelowOne),
            (Field::WeightDecay, "-1", Wrong::Negative),
            (Field::Seed, "-1", Wrong::NotWhole),
            (Field::Taps, "3,2", Wrong::NotLayers),
            (Field::Taps, "0,2", Wrong::NotLayers),
            (Field::Taps, "a", Wrong::NotLayers),
            (Field::MemoryBytes, "lots", Wrong::NotANumber),
        ] {
            assert_eq!(set(field, text).err(), Some(wrong), "{field:?} {text:?}");
        }
    }

    #[test]
    fn numbers_may_be_written_as_people_write_them() {
        assert_eq!(set(Field::Context, " 2,048 ").unwrap().context, Some(2048));
        assert_eq!(
            set(Field::HeldOutFraction, "10 %")
                .unwrap()
                .held_out_fraction,
            0.1
        );
        assert_eq!(
            set(Field::LearningRate, "3e-4").unwrap().learning_rate,
            Some(3e-4)
        );
        let gib = set(Field::MemoryBytes, "6 GiB").unwrap().memory_bytes;
        assert_eq!(gib, Some(6 << 30));
        assert_eq!(set(Field::Taps, "2 4;6").unwrap().taps, Some(vec![2, 4, 6]));
    }
}
