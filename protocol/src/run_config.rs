//! What a training run is asked to do: the one document that `train` builds from its flags, that a
//! run folder keeps as `run.json`, and that `--config` reads back. Every field has a default, so an
//! empty object is a complete request. Numbers that depend on the model (`d_side`, taps, learning
//! rate) stay `None` until the engine resolves the request into a run plan.

use serde::{Deserialize, Serialize};

use crate::DataOptions;

/// The way an adapter is attached to the frozen backbone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Side network fed by taps spread over the whole depth.
    #[default]
    Ladder,
    /// Side network twice as deep as its taps, fed by the top layers.
    Xladder,
    /// Low-rank additions to the linear maps of a backbone in four bits.
    Qlora,
    /// The same beside a backbone as it is stored.
    Lora,
}

impl Method {
    /// As it is written in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ladder => "ladder",
            Self::Xladder => "xladder",
            Self::Qlora => "qlora",
            Self::Lora => "lora",
        }
    }

    /// As it is shown.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ladder => "Ladder",
            Self::Xladder => "xLadder",
            Self::Qlora => "QLoRA",
            Self::Lora => "LoRA",
        }
    }
}

/// How a tap of width `d_model` becomes a side state of width `d_side`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Downsample {
    /// One linear map with bias per tap.
    #[default]
    Linear,
    /// One linear map with bias for all taps.
    Shared,
    /// `d_model -> 16 -> SiLU -> d_side -> norm` per tap.
    Adapter,
}

/// How a downsampled tap joins the side state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inject {
    /// `u = s + D(x)`.
    #[default]
    Sum,
    /// `u = g*s + (1-g)*D(x)`, `g = sigmoid(a / 0.1)` with a trained scalar `a`.
    Gate,
}

/// The type in which taps are kept between the backbone's forward pass and the side network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TapDtype {
    /// 32-bit floats: no rounding.
    #[default]
    F32,
    /// bfloat16.
    Bf16,
    /// IEEE half precision.
    F16,
}

/// How the linear maps of the backbone are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantize {
    /// NF4 from a billion parameters up, otherwise as stored.
    #[default]
    Auto,
    /// 4-bit NormalFloat. What a file has quantized already stays as it is.
    Nf4,
    /// As stored.
    None,
}

/// How the trained parameters are updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Optimizer {
    /// AdamW with both moments in 32-bit floats: 8 bytes per trained parameter.
    #[default]
    #[serde(rename = "adamw")]
    AdamW,
    /// AdamW with both moments in blocks of 8-bit codes: about 2 bytes per trained parameter.
    #[serde(rename = "adamw-8bit")]
    AdamW8bit,
}

/// An on/off switch that reads as a word in files and flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Enabled.
    On,
    /// Disabled.
    #[default]
    Off,
}

/// A request for one training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// `builtin`, a model folder or a GGUF file.
    pub model: String,
    /// `builtin` or dataset files, read in this order.
    pub data: Vec<String>,
    /// BLAKE3 of each of these files when the config was made; none: not known, and any will do.
    pub data_fingerprints: Vec<String>,
    /// How they become examples.
    pub data_options: DataOptions,
    /// What is trained.
    pub method: Method,
    /// Compute device: `auto` or `cpu`.
    pub device: String,
    /// Memory the run may take; `None`: what is free.
    pub memory_bytes: Option<u64>,
    /// Worker threads; `None` uses every core.
    pub threads: Option<usize>,
    /// Context length: tokens per training sequence.
    pub context: Option<usize>,
    /// Passes over the training examples; ignored when `steps` is given.
    pub epochs: f64,
    /// Let steps hold examples of similar length: less padding, a slightly less random order.
    pub group_by_length: Switch,
    /// Optimizer updates; overrides `epochs`.
    pub steps: Option<usize>,
    /// Examples per micro-batch.
    pub batch_size: usize,
    /// Examples per optimizer update.
    pub effective_batch_size: usize,
    /// Peak learning rate; `None` takes the method's default.
    pub learning_rate: Option<f64>,
    /// Warm-up as a fraction of all steps.
    pub warmup_fraction: f64,
    /// Learning rate at the end as a fraction of the peak.
    pub final_learning_rate_fraction: f64,
    /// How parameters are updated, and how the moments of that are kept.
    pub optimizer: Optimizer,
    /// AdamW's decoupled weight decay.
    pub weight_decay: f64,
    /// Gradient norm above which gradients are scaled down; 0 turns clipping off; `None` takes the
    /// method's default.
    pub clip_norm: Option<f64>,
    /// Seed of every random stream of the run.
    pub seed: u64,
    /// Width of the side network (exclusive with `reduction_factor`).
    pub d_side: Option<usize>,
    /// `d_model / d_side` (exclusive with `d_side`).
    pub reduction_factor: Option<usize>,
    /// Backbone layers (1-based) that feed the connected side layers.
    pub taps: Option<Vec<usize>>,
    /// How taps are downsampled.
    pub downsample: Downsample,
    /// How taps are injected.
    pub inject: Inject,
    /// How the linear maps of the backbone are kept in memory.
    pub quantize: Quantize,
    /// Keep the head in NF4, whatever the blocks are kept in; where the model ties it to the
    /// embedding, that matrix serves as both.
    pub quantize_head: Switch,
    /// Keep the scales of NF4 in 8 bits: 4.1 bits per weight instead of 4.5.
    pub double_quantization: Switch,
    /// Where a copy of the weights with its blocks quantized is kept for the next run; none if not given.
    pub quantized_copy: Option<String>,
    /// LoRA: width of the bottleneck.
    pub rank: usize,
    /// LoRA: the addition is scaled by `alpha / rank`.
    pub alpha: f64,
    /// LoRA: fraction of the inputs that are zeroed while training.
    pub lora_dropout: f64,
    /// LoRA: scale by `alpha / sqrt(rank)` instead.
    pub rank_stabilized: Switch,
    /// LoRA: the linear maps that are added to (`q_proj`, ...); `None`: all of a block.
    pub target_modules: Option<Vec<String>>,
    /// Recompute activations in the backward pass instead of keeping them; `None` takes the method's
    /// default: off for side networks, on for LoRA.
    pub recompute: Option<Switch>,
    /// Side networks: run the backbone a second time for the taps instead of keeping them.
    pub recompute_taps: Switch,
    /// The type taps are kept in; LoRA: the inputs of recomputed blocks.
    pub tap_dtype: TapDtype,
    /// Keep taps, or the inputs of recomputed blocks, in RAM while everything else is on a card.
    pub offload_activations: Switch,
    /// Keep the embeddings in RAM while everything else is on a card.
    pub offload_embeddings: Switch,
    /// Fraction of examples held out for evaluation.
    pub held_out_fraction: f64,
    /// Steps between evaluations; `None` gives about ten over the run.
    pub evaluate_every: Option<usize>,
    /// Held-out prompts that are answered at each evaluation; 0: none.
    pub sample_answers: usize,
    /// Steps between checkpoints; `None` makes one at each evaluation.
    pub checkpoint_every: Option<usize>,
    /// Minutes after which a checkpoint is made in any case; 0 turns that off.
    pub checkpoint_minutes: f64,
    /// Evaluations in a row without a new lowest loss after which the run ends; 0 turns that off.
    pub early_stopping_patience: usize,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            model: "builtin".to_owned(),
            data: vec!["builtin".to_owned()],
            data_fingerprints: Vec::new(),
            data_options: DataOptions::default(),
            method: Method::default(),
            device: "auto".to_owned(),
            memory_bytes: None,
            threads: None,
            context: None,
            epochs: 3.0,
            group_by_length: Switch::default(),
            steps: None,
            batch_size: 4,
            effective_batch_size: 16,
            learning_rate: None,
            warmup_fraction: 0.03,
            final_learning_rate_fraction: 0.1,
            optimizer: Optimizer::default(),
            weight_decay: 0.0,
            clip_norm: None,
            seed: 42,
            d_side: None,
            reduction_factor: None,
            taps: None,
            downsample: Downsample::default(),
            inject: Inject::default(),
            quantize: Quantize::default(),
            quantize_head: Switch::Off,
            double_quantization: Switch::On,
            quantized_copy: None,
            rank: 16,
            alpha: 32.0,
            lora_dropout: 0.0,
            rank_stabilized: Switch::Off,
            target_modules: None,
            recompute: None,
            recompute_taps: Switch::Off,
            tap_dtype: TapDtype::default(),
            offload_activations: Switch::Off,
            offload_embeddings: Switch::Off,
            held_out_fraction: 0.05,
            evaluate_every: None,
            sample_answers: 0,
            checkpoint_every: None,
            checkpoint_minutes: 10.0,
            early_stopping_patience: 3,
        }
    }
}
