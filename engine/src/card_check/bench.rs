//! A run of a model of any size, its weights made up on the spot: what is timed, and whose memory is
//! measured at its full size.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use stepladder_protocol::{Method, Quantize, RunConfig, Switch};

use super::arguments::Variant;
use super::model;
use crate::adapters::network::Network;
use crate::adapters::parameters::Parameters;
use crate::datasets::batch::TokenBatch;
use crate::memory::{DeviceClass, MemoryPlan, Meter, Refused};
use crate::models::catalogue;
use crate::models::compute::Compute;
use crate::models::config::DecoderConfig;
use crate::models::decoder::Decoder;
use crate::models::stored_type::StoredType;
use crate::ops::cpu::prepare_workers;
use crate::ops::linear_cross_entropy::Gradient;
use crate::training::estimate::{BatchShape, EstimatedModel, estimate};
use crate::training::optimizer::AdamW;
use crate::training::plan::{ModelPlan, RunPlan};
use crate::training::targeted_input;
use crate::{Error, Result};

/// Longest context that is tried, whatever a model was made for.
const MOST_POSITIONS: usize = 1 << 18;
/// Gradients are scaled by this where the type of activations needs it.
const LOSS_SCALE: f64 = 1024.0;

/// A model that is loaded.
pub(super) struct LoadedModel {
    pub(super) name: String,
    pub(super) backbone: Decoder,
    estimated: EstimatedModel,
    pub(super) loading_secs: f64,
}

/// An adapter beside it that is trained.
pub(super) struct Bench<'a> {
    backbone: &'a Decoder,
    network: Network,
    optimizer: AdamW,
    gradients: Parameters,
    resolved: ModelPlan,
    plan: RunPlan,
}

/// What so many steps took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed {
    pub(super) steps: usize,
    /// The median.
    pub(super) step: Duration,
}

/// `small`, or a name of the catalogue.
pub(super) fn config_named(name: &str) -> Result<DecoderConfig> {
    let config = match name {
        "small" => model::config(&serde_json::json!({
            "model_type": "llama", "vocab_size": 1000, "hidden_size": 128, "num_hidden_layers": 4,
            "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 320,
            "rms_norm_eps": 1e-5, "max_position_embeddings": 1024, "tie_word_embeddings": false,
        }))?,
        _ => catalogue::find(name)?.config.clone(),
    };
    Ok(DecoderConfig {
        max_positions: MOST_POSITIONS,
        ..config
    })
}

/// What is asked for a run of this variant: blocks in NF4 but for LoRA, everything else by default.
pub(super) fn run_config((method, recompute): Variant, shape: BatchShape) -> RunConfig {
    RunConfig {
        method,
        quantize: match method {
            Method::Lora => Quantize::None,
            _ => Quantize::Nf4,
        },
        recompute: Some(if recompute { Switch::On } else { Switch::Off }),
        batch_size: shape.batch,
        effective_batch_size: shape.batch,
        context: Some(shape.seq),
        ..RunConfig::default()
    }
}

impl LoadedModel {
    /// Makes weights up and loads them in the form that this variant has them in.
    pub(super) fn load(name: &str, variant: Variant, compute: &Compute) -> Result<Self> {
        let began = Instant::now();
        prepare_workers();
        let config = config_named(name)?;
        let run = run_config(variant, BatchShape { batch: 1, seq: 2 });
        let form = ModelPlan::resolve(&run, &config)?.quantization;
        let checkpoint = model::shared_checkpoint(&config)?;
        let told = &mut |_| ControlFlow::Continue(());
        let backbone = Decoder::load_telling(config.clone(), &checkpoint, form, compute, told)?;
        compute.device().synchronize()?;
        Ok(Self {
            name: name.to_owned(),
            estimated: EstimatedModel::new(config, StoredType::BF16),
            backbone,
            loading_secs: began.elapsed().as_secs_f64(),
        })
    }

    /// The plan of a run.
    pub(super) fn plan(&self, variant: Variant, shape: BatchShape) -> Result<MemoryPlan> {
        let device = DeviceClass::of(self.backbone.compute())?;
        estimate(&run_config(variant, shape), &self.estimated, device, shape)
    }

    /// The plan's peak without what no tensor has.
    pub(super) fn planned_peak(&self, variant: Variant, shape: BatchShape) -> Result<u64> {
        let outside = DeviceClass::of(self.backbone.compute())?.outside_bytes();
        Ok(self.plan(variant, shape)?.total_bytes - outside)
    }

    /// An adapter beside it.
    pub(super) fn bench(&self, variant: Variant, shape: BatchShape) -> Result<Bench<'_>> {
        let config = run_config(variant, shape);
        let resolved = ModelPlan::resolve(&config, self.backbone.config())?;
        let plan = RunPlan::resolve(&config, &resolved, &[shape.seq])?;
        let network = Network::initialize(resolved.shape.clone(), 1)?;
        let network = network.computing_on(self.backbone.compute())?;
        Ok(Bench {
            backbone: &self.backbone,
            optimizer: AdamW::new(plan.optimizer, network.parameters())?,
            gradients: network.parameters().zeros_like()?,
            network,
            resolved,
            plan,
        })
    }
}

impl Bench<'_> {
    /// A step as the trainer makes it, from the loss to the update, and how long until all of it was
    /// done.
    pub(super) fn step(&mut self, shape: BatchShape, number: u64) -> Result<Duration> {
        let compute = self.backbone.compute();
        let vocabulary = self.backbone.config().vocabulary;
        let batch = TokenBatch::of_length(shape.batch, shape.seq, vocabulary);
        let scale = match compute.needs_loss_scale() {
            true => LOSS_SCALE,
            false => 1.0,
        };
        compute.device().synchronize()?;
        let began = Instant::now();
        self.gradients.scale(0.0)?;
        let gradient = Gradient::Scaled(scale / batch.target_ids.len().max(1) as f64);
        let settings = (self.plan.training, number);
        let input = targeted_input(&batch);
        let loss =
            (self.network).loss(self.backbone, input, settings, gradient, &self.gradients)?;
        if compute.needs_loss_scale() {
            self.gradients.scale(scale.recip())?;
        }
        let norm = self.gradients.norm()?;
        if self.plan.clip_norm > 0.0 && norm > self.plan.clip_norm {
            self.gradients.scale(self.plan.clip_norm / norm)?;
        }
        let rate = self.resolved.learning_rate;
        (self.optimizer).update(self.network.parameters(), &self.gradients, rate)?;
        compute.device().synchronize()?;
        match loss.is_finite() && norm.is_finite() {
            true => Ok(began.elapsed()),
            false => Err(Error::Diverged {
                step: number as usize,
                what: format!("the loss is {loss} and the gradient's norm {norm}"),
            }),
        }
    }

    /// A step that does not count, then as many as are made in `most`, from 2 to 10.
    pub(super) fn time(&mut self, shape: BatchShape, most: Duration) -> Result<Timed> {
        self.step(shape, 0)?;
        let began = Instant::now();
        let mut steps = Vec::new();
        while steps.len() < 2 || (steps.len() < 10 && began.elapsed() < most) {
            steps.push(self.step(shape, 1 + steps.len() as u64)?);
        }
        steps.sort_unstable();
        Ok(Timed {
            steps: steps.len(),
            step: steps[steps.len() / 2],
        })
    }
}

/// Whether something failed because there was no room.
pub(super) fn has_no_room(error: &Error, compute: &Compute) -> bool {
    match error {
        Error::Tensor(error) => Refused::of(error, compute).is_some(),
        _ => false,
    }
}

/// Why there are no figures, short enough for a table.
pub(super) fn reason(error: &Error, compute: &Compute) -> String {
    match has_no_room(error, compute) {
        true => "out of memory".to_owned(),
        false => {
            let text = error.to_string();
            text.lines().next().unwrap_or_default().to_owned()
        }
    }
}

/// Begins a measurement with nothing kept back by the pool.
pub(super) fn fresh_meter(compute: &Compute) -> Result<Meter> {
    let meter = Meter::of(compute.device())?;
    meter.trim()?;
    meter.reset_peak();
    Ok(meter)
}
