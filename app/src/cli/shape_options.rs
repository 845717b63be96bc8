//! The flags that decide what memory a run takes: those of `train` that `estimate` has too.

use std::path::PathBuf;

use clap::Args;
use stepladder_protocol::{Downsample, Inject, Optimizer, Quantize, RunConfig, Switch, TapDtype};

use super::common::{at_least_one, word};
use super::config_file;
use super::failure::Failure;

/// The model, and the shape of what is trained on it.
#[derive(Args, Clone, Debug, Default)]
pub struct ShapeOptions {
    /// `builtin`, a model folder or a .gguf file; `estimate` also knows models by name, such as
    /// qwen2.5-7b [default: builtin]
    #[arg(long)]
    pub model: Option<String>,
    /// A run.json to take the run from; other flags override it, and its relative paths start where
    /// you are
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Tokens per training sequence [default: what the model and the data allow]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Training")]
    pub context: Option<usize>,
    /// Examples per micro-batch: what is in memory at once [default: 4]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Training")]
    pub batch_size: Option<usize>,
    /// Examples per optimizer update [default: 16]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Training")]
    pub effective_batch_size: Option<usize>,
    /// adamw, or adamw-8bit: its memory of earlier gradients in 8 bits, a quarter of the size, nearly
    /// the same result [default: adamw]
    #[arg(long, value_parser = word::<Optimizer>, help_heading = "Training")]
    pub optimizer: Option<Optimizer>,

    /// At each evaluation, show what the model says to so many held-out prompts of up to 512 tokens
    /// (cut off after 128 tokens each) [default: 0]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub sample_answers: Option<usize>,

    /// How the base model's weights are kept in memory: auto, nf4 (4 bits) or none (as the file has
    /// them); auto is nf4 from a billion parameters up [default: auto]
    #[arg(long, value_parser = word::<Quantize>, help_heading = "Training")]
    pub quantize: Option<Quantize>,
    /// Keep the base model's head in 4 bits too, and with it the embedding where the two are one:
    /// on or off [default: off]
    #[arg(long, value_parser = word::<Switch>, help_heading = "Training")]
    pub quantize_head: Option<Switch>,

    /// Width of the side network
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "reduction_factor", help_heading = "Ladder and xLadder")]
    pub d_side: Option<usize>,
    /// Width of the base model divided by the width of the side network
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Ladder and xLadder")]
    pub reduction_factor: Option<usize>,
    /// Layers of the base model that feed the side network, counted from 1: 3,7,11
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', value_parser = at_least_one, help_heading = "Ladder and xLadder")]
    pub taps: Vec<usize>,
    /// How taps are narrowed: linear, shared or adapter [default: linear]
    #[arg(long, value_parser = word::<Downsample>, help_heading = "Ladder and xLadder")]
    pub downsample: Option<Downsample>,
    /// How taps join the side network: sum or gate [default: sum]
    #[arg(long, value_parser = word::<Inject>, help_heading = "Ladder and xLadder")]
    pub inject: Option<Inject>,
    /// Recompute activations to save memory: on or off [default: on for LoRA, off for side networks]
    #[arg(long, value_parser = word::<Switch>, help_heading = "Training")]
    pub recompute: Option<Switch>,
    /// Run the base model a second time for the taps instead of keeping them: on or off; slower, and
    /// what a tap takes no longer grows with the context [default: off]
    #[arg(long, value_parser = word::<Switch>, help_heading = "Ladder and xLadder")]
    pub recompute_taps: Option<Switch>,
    /// The type taps are kept in (LoRA: the inputs of recomputed blocks): f32, bf16 or f16; a card
    /// that computes in 16 bits has none wider [default: f32]
    #[arg(long, value_parser = word::<TapDtype>, help_heading = "Training")]
    pub tap_dtype: Option<TapDtype>,
    /// Keep taps (LoRA: the inputs of recomputed blocks) in RAM while the rest is on a card: on or off
    /// [default: off]
    #[arg(long, value_parser = word::<Switch>, help_heading = "Training")]
    pub offload_activations: Option<Switch>,
    /// Keep the embeddings in RAM while the rest is on a card: on or off [default: off]
    #[arg(long, value_parser = word::<Switch>, help_heading = "Training")]
    pub offload_embeddings: Option<Switch>,

    /// Width of LoRA's bottleneck [default: 16]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "LoRA and QLoRA")]
    pub rank: Option<usize>,
    /// Linear maps that LoRA adds to: q_proj,v_proj [default: all of a block]
    #[arg(
        long,
        value_name = "NAME,...",
        value_delimiter = ',',
        help_heading = "LoRA and QLoRA"
    )]
    pub target_modules: Vec<String>,
}

impl ShapeOptions {
    /// The config that `--config` names, or the default one.
    pub fn base_config(&self) -> Result<RunConfig, Failure> {
        match &self.config {
            Some(file) if file.is_dir() => config_file::read(&file.join("run.json")),
            Some(file) => config_file::read(file),
            None => Ok(RunConfig::default()),
        }
    }

    /// Flags count for more than what the config has.
    pub fn override_in(&self, config: &mut RunConfig) {
        set(&mut config.model, &self.model);
        set(&mut config.batch_size, &self.batch_size);
        set(&mut config.effective_batch_size, &self.effective_batch_size);
        set(&mut config.optimizer, &self.optimizer);
        set(&mut config.sample_answers, &self.sample_answers);
        set(&mut config.quantize, &self.quantize);
        set(&mut config.quantize_head, &self.quantize_head);
        set(&mut config.downsample, &self.downsample);
        set(&mut config.inject, &self.inject);
        set(&mut config.rank, &self.rank);
        set_some(&mut config.recompute, &self.recompute);
        set(&mut config.recompute_taps, &self.recompute_taps);
        set(&mut config.tap_dtype, &self.tap_dtype);
        set(&mut config.offload_activations, &self.offload_activations);
        set(&mut config.offload_embeddings, &self.offload_embeddings);
        set_some(&mut config.context, &self.context);
        set_some(&mut config.d_side, &self.d_side);
        set_some(&mut config.reduction_factor, &self.reduction_factor);
        if !self.target_modules.is_empty() {
            config.target_modules = Some(self.target_modules.clone());
        }
        if !self.taps.is_empty() {
            config.taps = Some(self.taps.clone());
        }
        // Of two ways to say one thing the flag's counts, not what the file has for the other.
        if self.d_side.is_some() {
            config.reduction_factor = None;
        }
        if self.reduction_factor.is_some() {
            config.d_side = None;
        }
    }
}

/// Replaces a field by what a flag says.
pub fn set<T: Clone>(field: &mut T, flag: &Option<T>) {
    if let Some(value) = flag {
        field.clone_from(value);
    }
}

/// The same for a field that may be left to its default.
pub fn set_some<T: Clone>(field: &mut Option<T>, flag: &Option<T>) {
    if flag.is_some() {
        field.clone_from(flag);
    }
}
