//! The memory a run config will take on a model: the config resolved as for a run, then planned. It
//! needs the model's configuration alone, so it works for models that are not on this machine.

use stepladder_protocol::{RunConfig, Switch};

use super::optimizer::moments::moment_bytes;
use super::plan::ModelPlan;
use crate::Result;
use crate::memory::weights::Form;
use crate::memory::{DeviceClass, MemoryPlan, MemoryRequest, WeightForms, plan};
use crate::models::config::DecoderConfig;
use crate::models::quantization::{BackboneQuantization, Quantization};
use crate::models::stored_type::StoredType;

/// A model whose memory is estimated.
#[derive(Clone, Debug)]
pub struct EstimatedModel {
    /// Its sizes.
    pub config: DecoderConfig,
    /// The type most of its weights are stored in.
    pub stored: StoredType,
    /// Bytes of the blocks' linear maps, where a file's header tells them one by one.
    pub blocks_bytes: Option<u64>,
}

/// The shape of a micro-batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchShape {
    /// Rows.
    pub batch: usize,
    /// Tokens of each.
    pub seq: usize,
}

impl EstimatedModel {
    /// A model whose weights are all stored in one type.
    pub fn new(config: DecoderConfig, stored: StoredType) -> Self {
        Self {
            config,
            stored,
            blocks_bytes: None,
        }
    }

    fn forms(&self, quantization: BackboneQuantization) -> WeightForms {
        let stored = Form::Stored(self.stored.clone());
        // What is quantized in the file stays as it is.
        let kept = |quantization| match (quantization, &self.stored) {
            (Quantization::AsStored, _) | (_, StoredType::Blocks(_)) => stored.clone(),
            (Quantization::Nf4, _) => Form::Nf4,
            (Quantization::Nf4DoubleQuantized, _) => Form::Nf4DoubleQuantized,
        };
        let head = kept(quantization.head);
        // Tied, head and embedding are one matrix in the head's form.
        let (embedding, head) = match self.config.tied_head {
            true => (head, None),
            false => (stored.clone(), Some(head)),
        };
        WeightForms {
            embedding,
            head,
            blocks: kept(quantization.blocks),
            blocks_bytes: self.blocks_bytes,
        }
    }
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
    let resolved = ModelPlan::resolve(config, &model.config)?;
    Ok(estimate_resolved(config, &resolved, model, device, shape))
}

/// The same for a config that is resolved already.
pub fn estimate_resolved(
    config: &RunConfig,
    resolved: &ModelPlan,
    model: &EstimatedModel,
    device: DeviceClass,
    BatchShape { batch, seq }: BatchShape,
) -> MemoryPlan {
    plan(&MemoryRequest {
        model: &model.config,
        forms: &model.forms(resolved.quantization),
        shape: &resolved.shape,
        moment_bytes: resolved
            .shape
            .tensors()
            .values()
            .map(|shape| moment_bytes(shape.iter().product(), config.optimizer))
            .sum(),
        training: resolved.training,
        offload_embeddings: config.offload_embeddings == Switch::On,
        batch,
        seq,
        targets: batch * seq.saturating_sub(1),
        step_tokens: config.effective_batch_size.max(batch) * seq,
        device,
    })
}
