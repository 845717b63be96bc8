//! A run config becomes a run plan, once: every default resolved, every contradiction found.

use stepladder_protocol::{Method, Quantize, RunConfig, Switch};

use super::example_stream::ExampleStream;
use super::lr_schedule::LrSchedule;
use super::optimizer::AdamWSettings;
use crate::adapters::kept::KeptStates;
use crate::adapters::ladder::Wiring;
use crate::adapters::ladder::wiring::{BackboneShape, SideMethod, WiringRequest};
use crate::adapters::lora::{LoraRequest, LoraShape};
use crate::adapters::network::{AdapterShape, TrainingSettings};
use crate::datasets::layout::{Layout, Rows};
use crate::models::config::DecoderConfig;
use crate::models::quantization::BackboneQuantization;
use crate::{Error, Result};

/// What a method takes where the config does not say.
struct MethodDefaults {
    learning_rate: f64,
    clip_norm: f64,
    recompute: Switch,
}

const SIDE_DEFAULTS: MethodDefaults = MethodDefaults {
    learning_rate: 5e-4,
    clip_norm: 1.0,
    recompute: Switch::Off,
};
/// As QLoRA was trained (arXiv 2305.14314, table 9); above 13 B parameters with half the rate.
const LORA_DEFAULTS: MethodDefaults = MethodDefaults {
    learning_rate: 2e-4,
    clip_norm: 0.3,
    recompute: Switch::On,
};
const LARGE_LORA_LEARNING_RATE: f64 = 1e-4;
const LARGE: usize = 13_000_000_000;
/// Context length where the config names none; shorter if the model's own is.
const DEFAULT_CONTEXT: usize = 2048;
/// Evaluations over a run where the config names no interval.
const EVALUATIONS: usize = 10;

/// What can be said before the dataset is read.
#[derive(Clone, Debug)]
pub struct ModelPlan {
    /// Shape of the adapter.
    pub shape: AdapterShape,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Tokens per training sequence.
    pub context: usize,
    /// How the backbone's weights are kept.
    pub quantization: BackboneQuantization,
    /// How the adapter is trained.
    pub training: TrainingSettings,
}

/// Everything a run does.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// Which examples each step sees.
    pub stream: ExampleStream,
    /// How the examples of a step are laid into micro-batches.
    pub layout: Layout,
    /// Learning rate of each step.
    pub schedule: LrSchedule,
    /// The optimizer's settings.
    pub optimizer: AdamWSettings,
    /// Gradient norm above which gradients are scaled down; 0: never.
    pub clip_norm: f64,
    /// How the adapter is trained.
    pub training: TrainingSettings,
    /// Steps between evaluations.
    pub evaluate_every: usize,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Seconds after which a checkpoint is made in any case.
    pub checkpoint_secs: Option<f64>,
    /// Evaluations in a row without a new lowest loss after which the run ends.
    pub patience: Option<usize>,
}

/// Context length where the config names none.
pub fn default_context(model: &DecoderConfig) -> usize {
    model.max_positions.min(DEFAULT_CONTEXT)
}

fn invalid(field: &'static str, problem: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::ConfigInvalid {
        field,
        problem: problem.into(),
        hint: hint.into(),
    }
}

impl ModelPlan {
    /// Checks what depends on the model alone.
    ///
    /// # Errors
    /// Names the field that cannot be.
    pub fn resolve(config: &RunConfig, model: &DecoderConfig) -> Result<Self> {
        let context = match config.context {
            Some(context) if context < 2 => {
                return Err(invalid("context", "is below 2 tokens", "use at least 2"));
            }
            Some(context) if context > model.max_positions => {
                return Err(invalid(
                    "context",
                    format!(
                        "{context} is longer than the model's {}",
                        model.max_positions
                    ),
                    format!("use --context {} or less", model.max_positions),
                ));
            }
            Some(context) => context,
            None => default_context(model),
        };
        Ok(Self {
            shape: adapter_shape(config, model)?,
            learning_rate: config.learning_rate.unwrap_or(match method_of(config) {
                MethodKind::Lora if model.parameters() > LARGE => LARGE_LORA_LEARNING_RATE,
                kind => kind.defaults().learning_rate,
            }),
            context,
            quantization: quantization(config, model)?,
            training: training_settings(config),
        })
    }
}

/// The two kinds of adapters that the methods make.
#[derive(Clone, Copy)]
enum MethodKind {
    Side(SideMethod),
    Lora,
}

impl MethodKind {
    fn defaults(self) -> MethodDefaults {
        match self {
            Self::Side(_) => SIDE_DEFAULTS,
            Self::Lora => LORA_DEFAULTS,
        }
    }
}

fn method_of(config: &RunConfig) -> MethodKind {
    match config.method {
        Method::Ladder => MethodKind::Side(SideMethod::Ladder),
        Method::Xladder => MethodKind::Side(SideMethod::Xladder),
        Method::Lora | Method::Qlora => MethodKind::Lora,
    }
}

fn adapter_shape(config: &RunConfig, model: &DecoderConfig) -> Result<AdapterShape> {
    match method_of(config) {
        MethodKind::Side(method) => {
            let request = WiringRequest {
                method,
                d_side: config.d_side,
                reduction_factor: config.reduction_factor,
                taps: config.taps.clone(),
                downsample: config.downsample,
                inject: config.inject,
            };
            let backbone = BackboneShape {
                d_model: model.d_model,
                layers: model.layers,
                norm_eps: model.norm_eps,
            };
            Ok(AdapterShape::Wiring(Wiring::resolve(&request, backbone)?))
        }
        MethodKind::Lora => {
            let request = LoraRequest {
                rank: config.rank,
                alpha: config.alpha,
                dropout: config.lora_dropout,
                rank_stabilized: config.rank_stabilized == Switch::On,
                target_modules: config.target_modules.clone(),
            };
            Ok(AdapterShape::Lora(LoraShape::resolve(&request, model)?))
        }
    }
}

fn training_settings(config: &RunConfig) -> TrainingSettings {
    let default = method_of(config).defaults().recompute;
    TrainingSettings {
        recompute: config.recompute.unwrap_or(default),
        recompute_taps: config.recompute_taps,
        kept: KeptStates {
            dtype: config.tap_dtype,
            in_ram: config.offload_activations,
        },
        seed: config.seed,
    }
}

/// QLoRA means blocks in four bits on any device, LoRA as stored unless NF4 is asked for. The head is
/// kept as it is asked for, whatever the method.
fn quantization(config: &RunConfig, model: &DecoderConfig) -> Result<BackboneQuantization> {
    let asked = match (config.method, config.quantize) {
        (Method::Qlora, Quantize::None) => {
            return Err(invalid(
                "quantize",
                "is none, but QLoRA means a backbone in four bits",
                "use --method lora, or leave --quantize out",
            ));
        }
        (Method::Qlora, Quantize::Auto) => Quantize::Nf4,
        (Method::Lora, Quantize::Auto) => Quantize::None,
        (_, asked) => asked,
    };
    Ok(BackboneQuantization::resolve(
        asked,
        config.quantize_head,
        config.double_quantization,
        model.parameters(),
    ))
}

impl RunPlan {
    /// Checks the rest, for training examples of these lengths.
    ///
    /// # Errors
    /// Names the field that cannot be.
    pub fn resolve(config: &RunConfig, model: &ModelPlan, lengths: &[usize]) -> Result<Self> {
        let RunConfig {
            batch_size,
            effective_batch_size,
            ..
        } = *config;
        if batch_size == 0 {
            return Err(invalid("batch_size", "is 0", "use --batch-size 1 or more"));
        }
        if effective_batch_size < batch_size || effective_batch_size % batch_size != 0 {
            return Err(invalid(
                "effective_batch_size",
                format!("{effective_batch_size} is not a multiple of batch_size ({batch_size})"),
                format!(
                    "use --effective-batch-size {}",
                    effective_batch_size
                        .next_multiple_of(batch_size)
                        .max(batch_size)
                ),
            ));
        }
        let defaults = method_of(config).defaults();
        let clip_norm = config.clip_norm.unwrap_or(defaults.clip_norm);
        let peak = model.learning_rate;
        positive("learning_rate", peak)?;
        within("warmup_fraction", config.warmup_fraction)?;
        within(
            "final_learning_rate_fraction",
            config.final_learning_rate_fraction,
        )?;
        within("held_out_fraction", config.held_out_fraction)?;
        not_negative("weight_decay", config.weight_decay)?;
        not_negative("clip_norm", clip_norm)?;
        not_negative("checkpoint_minutes", config.checkpoint_minutes)?;
        let (per_step, seed) = (effective_batch_size, config.seed);
        let stream = match config.steps {
            Some(0) => return Err(invalid("steps", "is 0", "use --steps 1 or more")),
            Some(steps) => ExampleStream::for_steps(lengths.len(), per_step, seed, steps),
            None => {
                positive("epochs", config.epochs)?;
                ExampleStream::for_epochs(lengths.len(), per_step, seed, config.epochs)
            }
        };
        let stream = match config.group_by_length {
            Switch::On => stream.grouped_by_length(lengths.to_vec()),
            Switch::Off => stream,
        };
        let steps = stream.steps();
        let every = |field: &'static str, asked: Option<usize>, otherwise: usize| match asked {
            Some(0) => Err(invalid(field, "is 0", "use 1 or more steps")),
            Some(every) => Ok(every),
            None => Ok(otherwise),
        };
        let evaluate_every = every(
            "evaluate_every",
            config.evaluate_every,
            steps.div_ceil(EVALUATIONS).max(1),
        )?;
        Ok(Self {
            schedule: LrSchedule::new(
                peak,
                config.warmup_fraction,
                steps,
                config.final_learning_rate_fraction,
            ),
            stream,
            layout: Layout {
                batch_size,
                rows: match config.data_options.packing {
                    Switch::On => Rows::Packed {
                        tokens: model.context,
                    },
                    Switch::Off => Rows::OneEach,
                },
            },
            optimizer: AdamWSettings {
                optimizer: config.optimizer,
                weight_decay: config.weight_decay,
                ..AdamWSettings::default()
            },
            clip_norm,
            training: model.training,
            checkpoint_every: every("checkpoint_every", config.checkpoint_every, evaluate_every)?,
            checkpoint_secs: Some(60.0 * config.checkpoint_minutes).filter(|secs| *secs > 0.0),
            patience: Some(config.early_stopping_patience).filter(|patience| *patience > 0),
            evaluate_every,
        })
    }
}

fn positive(field: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => Err(invalid(
            field,
            format!("is {value}"),
            "use a number above 0",
        )),
    }
}

fn not_negative(field: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(invalid(
            field,
            format!("is {value}"),
            "use 0 or a positive number",
        )),
    }
}

fn within(field: &'static str, value: f64) -> Result<()> {
    match (0.0..=1.0).contains(&value) {
        true => Ok(()),
        false => Err(invalid(
            field,
            format!("is {value}"),
            "use a fraction from 0 to 1",
        )),
    }
}

#[cfg(test)]
mod tests;
