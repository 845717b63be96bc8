//! What is wrong with a field, as far as it can be said without the engine: what cannot be read, what
//! the engine's plan would refuse, and what it did refuse.

use std::collections::BTreeMap;

use stepladder_protocol::{ErrorReport, Method, ModelInfo, Quantize, RunConfig};

use super::field::Field;

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is no whole number.
    NotWhole,
    /// It is no number.
    NotANumber,
    /// It is below what must be.
    Below(usize),
    /// It must be above zero.
    NotAboveZero,
    /// It must not be below zero.
    Negative,
    /// It must be from 0 to 1.
    Fraction,
    /// It must be from 0 to below 1.
    FractionBelowOne,
    /// They are no increasing layers from 1.
    NotLayers,
    /// It excludes another field that is filled in.
    Excludes(Field),
    /// It must be a multiple of the batch size; this would be one.
    NotAMultiple(usize),
    /// It is more than the model has or allows.
    MoreThanModel(usize),
    /// It does not divide the model's width.
    NotADivisor(usize),
    /// It does not split into heads of even width.
    NotEven,
    /// The engine refused it: what is wrong, and what to do.
    Refused(String, String),
}

/// What is wrong beyond single numbers, as the engine's plan would find.
pub fn contradictions(config: &RunConfig, model: Option<&ModelInfo>) -> BTreeMap<Field, Wrong> {
    let mut wrong = BTreeMap::new();
    let (batch, effective) = (config.batch_size.max(1), config.effective_batch_size);
    if effective < batch || effective % batch != 0 {
        let multiple = effective.max(1).div_ceil(batch).saturating_mul(batch);
        wrong.insert(Field::EffectiveBatchSize, Wrong::NotAMultiple(multiple));
    }
    if config.d_side.is_some() && config.reduction_factor.is_some() {
        wrong.insert(Field::ReductionFactor, Wrong::Excludes(Field::DSide));
    }
    if config.d_side.is_some_and(|width| width % 2 != 0) {
        wrong.insert(Field::DSide, Wrong::NotEven);
    }
    if let Some(model) = model {
        if config
            .context
            .is_some_and(|context| context > model.context_length)
        {
            wrong.insert(Field::Context, Wrong::MoreThanModel(model.context_length));
        }
        if config.d_side.is_some_and(|width| width > model.d_model) {
            wrong.insert(Field::DSide, Wrong::MoreThanModel(model.d_model));
        }
        let divides = |factor: usize| factor > 0 && model.d_model % factor == 0;
        if config
            .reduction_factor
            .is_some_and(|factor| !divides(factor))
        {
            wrong.insert(Field::ReductionFactor, Wrong::NotADivisor(model.d_model));
        }
        let last = config.taps.as_ref().and_then(|taps| taps.last());
        if last.is_some_and(|layer| *layer > model.layers) {
            wrong.insert(Field::Taps, Wrong::MoreThanModel(model.layers));
        }
    }
    wrong
}

/// QLoRA means four bits; nothing else can be asked for beside it.
pub fn quantize_contradicts(config: &RunConfig) -> bool {
    config.method == Method::Qlora && config.quantize == Quantize::None
}

/// The field that the engine's refusal is about, and what it says.
pub fn refused(problem: &ErrorReport) -> Option<(Field, Wrong)> {
    if problem.code != "config_invalid" {
        return None;
    }
    let field = Field::of_error(&problem.message)?;
    let (_, text) = problem.message.split_once(':')?;
    let wrong = Wrong::Refused(text.trim().to_owned(), problem.hint.clone());
    Some((field, wrong))
}
