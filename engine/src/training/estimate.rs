//! The memory a run config will take on a model: the config resolved as for a run, then planned. It
//! needs the model's configuration alone, so it works for models that are not on this machine.

mod case;
mod model;
mod operations;
mod report;
mod speed;

use stepladder_protocol::{Method, Quantize, RunConfig, Switch};

pub use self::model::EstimatedModel;
pub use self::report::{ReportRequest, parts, report};
pub use self::speed::of_products;
use super::optimizer::moments::moment_bytes;
use super::plan::ModelPlan;
use crate::Result;
use crate::memory::{AnswerShape, DeviceClass, MemoryPlan, MemoryRequest, WeightForms, plan};
use crate::models::config::DecoderConfig;

/// The shape of a micro-batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchShape {
    /// Rows.
    pub batch: usize,
    /// Tokens of each.
    pub seq: usize,
}

/// The plan of `config` on `model` for micro-batches of this shape.
///
/// # Errors
/// Names the field of the config that cannot be.
pub fn estimate(
    config: &RunConfig,
    model: &EstimatedModel,
    device: DeviceClass,
    shape: BatchShape,
) -> Result<MemoryPlan> {
    let config = on_device(config, device);
    let resolved = ModelPlan::resolve(&config, &model.config)?;
    Ok(estimate_resolved(&config, &resolved, model, device, shape))
}

/// The same, with sizes checked before anything is computed of them.
///
/// # Errors
/// As [`estimate`], and names a size that is too large.
pub fn checked(
    config: &RunConfig,
    model: &EstimatedModel,
    device: DeviceClass,
    shape: BatchShape,
) -> Result<MemoryPlan> {
    Ok(case::Case::new(model, device, config.clone())?.plan(shape))
}

/// On a card side networks have four bits beside them whatever the model's size.
pub fn on_device(config: &RunConfig, device: DeviceClass) -> RunConfig {
    let is_side = matches!(config.method, Method::Ladder | Method::Xladder);
    let quantize = match config.quantize {
        Quantize::Auto if device.has_own_memory && is_side => Quantize::Nf4,
        asked => asked,
    };
    RunConfig {
        quantize,
        ..config.clone()
    }
}

/// The same for a config that is resolved already.
pub fn estimate_resolved(
    config: &RunConfig,
    resolved: &ModelPlan,
    model: &EstimatedModel,
    device: DeviceClass,
    shape: BatchShape,
) -> MemoryPlan {
    let forms = model.forms(resolved.quantization);
    let trained = Trained::new(config, resolved);
    plan_of(
        config,
        resolved,
        (&model.config, &forms),
        (device, trained),
        shape,
    )
}

/// What does not depend on the micro-batch, counted once for the many shapes that a limit tries.
#[derive(Clone, Copy)]
struct Trained {
    parameters: u64,
    moment_bytes: u64,
}

impl Trained {
    fn new(config: &RunConfig, resolved: &ModelPlan) -> Self {
        let tensors = resolved.shape.tensors();
        let sizes = || tensors.values().map(|shape| shape.iter().product());
        Self {
            parameters: sizes().sum::<usize>() as u64,
            moment_bytes: sizes()
                .map(|size| moment_bytes(size, config.optimizer))
                .sum(),
        }
    }
}

fn plan_of(
    config: &RunConfig,
    resolved: &ModelPlan,
    (model, forms): (&DecoderConfig, &WeightForms),
    (device, trained): (DeviceClass, Trained),
    BatchShape { batch, seq }: BatchShape,
) -> MemoryPlan {
    plan(&MemoryRequest {
        model,
        forms,
        shape: &resolved.shape,
        parameters: trained.parameters,
        moment_bytes: trained.moment_bytes,
        training: resolved.training,
        offload_embeddings: config.offload_embeddings == Switch::On,
        batch,
        seq,
        targets: batch * seq.saturating_sub(1),
        step_tokens: config.effective_batch_size.max(batch) * seq,
        answer: (config.sample_answers > 0).then(|| AnswerShape::largest(model, seq)),
        device,
    })
}

#[cfg(test)]
mod per_token;
#[cfg(test)]
mod tests;
