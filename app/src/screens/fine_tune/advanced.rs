//! Everything of a run config, in groups.

use egui::Ui;
use stepladder_protocol::{
    Downsample, Inject, Method, Optimizer, Quantize, RunConfig, Switch, TapDtype,
};

use super::super::Actions;
use super::{act, columns, fields};
use crate::state::State;
use crate::state::setup::SetupAction;
use crate::state::setup::choice::{Choice as Chosen, Switched};
use crate::state::setup::field::Field;
use crate::state::setup::wrong::quantize_contradicts;
use crate::theme::{Type, palette};
use crate::widgets::styled;
use crate::words::fine_tune as words;

/// A setting, by how it is set.
#[derive(Clone, Copy, PartialEq)]
enum Setting {
    Typed(Field),
    Switched(Switched),
    Optimizer,
    Downsample,
    Inject,
    Quantize,
    Recompute,
    TapDtype,
}

use Setting::{Switched as On, Typed};

const TRAINING: &[Setting] = &[
    Typed(Field::Context),
    Typed(Field::BatchSize),
    Typed(Field::Epochs),
    Typed(Field::Steps),
    Typed(Field::EffectiveBatchSize),
    Typed(Field::LearningRate),
    Typed(Field::WarmupFraction),
    Typed(Field::FinalLearningRateFraction),
    Setting::Optimizer,
    Typed(Field::WeightDecay),
    Typed(Field::ClipNorm),
    Typed(Field::Seed),
    On(Switched::GroupByLength),
];
const SIDE: &[Setting] = &[
    Typed(Field::DSide),
    Typed(Field::ReductionFactor),
    Typed(Field::Taps),
    Setting::Downsample,
    Setting::Inject,
];
const LORA: &[Setting] = &[
    Typed(Field::Rank),
    Typed(Field::Alpha),
    Typed(Field::LoraDropout),
    Typed(Field::TargetModules),
    On(Switched::RankStabilized),
];
const QUANTIZATION: &[Setting] = &[
    Setting::Quantize,
    Typed(Field::QuantizedCopy),
    On(Switched::QuantizeHead),
    On(Switched::DoubleQuantization),
];
const MEMORY: &[Setting] = &[
    Setting::Recompute,
    Setting::TapDtype,
    On(Switched::RecomputeTaps),
    On(Switched::OffloadActivations),
    On(Switched::OffloadEmbeddings),
    Typed(Field::MemoryBytes),
];
const EVALUATION: &[Setting] = &[
    Typed(Field::HeldOutFraction),
    Typed(Field::Patience),
    Typed(Field::EvaluateEvery),
    Typed(Field::SampleAnswers),
    Typed(Field::CheckpointEvery),
    Typed(Field::CheckpointMinutes),
];

/// Draws all groups that the method has.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let own = match state.setup.config.method {
        Method::Ladder | Method::Xladder => (words::GROUP_SIDE, SIDE),
        Method::Qlora | Method::Lora => (words::GROUP_LORA, LORA),
    };
    for (name, settings) in [
        (words::GROUP_TRAINING, TRAINING),
        own,
        (words::GROUP_QUANTIZATION, QUANTIZATION),
        (words::GROUP_MEMORY, MEMORY),
        (words::GROUP_EVALUATION, EVALUATION),
    ] {
        ui.separator();
        ui.label(styled(name, Type::Heading));
        let count = columns::that_fit(ui, 180.0, 2);
        columns::grid(ui, count, settings, |ui, setting| {
            one(ui, state, *setting, actions);
        });
        if settings.contains(&Setting::Quantize) && quantize_contradicts(&state.setup.config) {
            let color = palette(ui).danger;
            ui.label(styled(words::QUANTIZE_PROBLEM, Type::Caption).color(color));
        }
    }
}

fn one(ui: &mut Ui, state: &State, setting: Setting, actions: &mut Actions) {
    match setting {
        Typed(field) => fields::typed(ui, state, field, actions),
        other => {
            if let Some(choice) = chosen(ui, &state.setup.config, other) {
                act(actions, SetupAction::Choose(choice));
            }
        }
    }
}

fn chosen(ui: &mut Ui, config: &RunConfig, setting: Setting) -> Option<Chosen> {
    match setting {
        Typed(_) => None,
        On(switched) => fields::switched(ui, switched, switched.of(config) == Switch::On),
        Setting::Optimizer => {
            let what = (words::OPTIMIZER, words::OPTIMIZER_HELP);
            let values = [Optimizer::AdamW, Optimizer::AdamW8bit];
            fields::one_of(ui, what, &config.optimizer, values, words::OPTIMIZERS)
                .map(Chosen::Optimizer)
        }
        Setting::Downsample => {
            let what = (words::DOWNSAMPLE, words::DOWNSAMPLE_HELP);
            let values = [Downsample::Linear, Downsample::Shared, Downsample::Adapter];
            fields::one_of(ui, what, &config.downsample, values, words::DOWNSAMPLES)
                .map(Chosen::Downsample)
        }
        Setting::Inject => {
            let what = (words::INJECT, words::INJECT_HELP);
            let values = [Inject::Sum, Inject::Gate];
            fields::one_of(ui, what, &config.inject, values, words::INJECTS).map(Chosen::Inject)
        }
        Setting::Quantize => {
            let what = (words::QUANTIZE, words::QUANTIZE_HELP);
            let values = [Quantize::Auto, Quantize::Nf4, Quantize::None];
            fields::one_of(ui, what, &config.quantize, values, words::QUANTIZES)
                .map(Chosen::Quantize)
        }
        Setting::Recompute => {
            let what = (words::RECOMPUTE, words::RECOMPUTE_HELP);
            let values = [None, Some(Switch::On), Some(Switch::Off)];
            fields::one_of(ui, what, &config.recompute, values, words::RECOMPUTES)
                .map(Chosen::Recompute)
        }
        Setting::TapDtype => {
            let what = (words::TAP_DTYPE, words::TAP_DTYPE_HELP);
            let values = [TapDtype::F32, TapDtype::Bf16, TapDtype::F16];
            fields::one_of(ui, what, &config.tap_dtype, values, words::TAP_DTYPES)
                .map(Chosen::TapDtype)
        }
    }
}
