//! An adapter of any method: what the trainer, the chat and the adapter folder see of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stepladder_protocol::Switch;

use super::kept::KeptStates;
use super::ladder::initialization;
use super::ladder::training_pass::SideTraining;
use super::ladder::{SideNetwork, Wiring};
use super::lora::{Lora, LoraShape, LoraTraining};
use super::parameters::Parameters;
use super::targets::TargetedInput;
use crate::Result;
use crate::models::compute::Compute;
use crate::models::config::DecoderConfig;
use crate::models::decoder::Decoder;
use crate::ops::linear_cross_entropy::Gradient;

/// The shape of an adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterShape {
    /// Of a side network.
    Wiring(Wiring),
    /// Of a low-rank addition.
    Lora(LoraShape),
}

/// The adapter itself.
pub enum Network {
    /// Ladder or xLadder.
    Side(SideNetwork),
    /// LoRA, also beside a backbone in four bits.
    Lora(Lora),
}

/// How an adapter is trained.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrainingSettings {
    /// Recompute activations in the backward pass.
    pub recompute: Switch,
    /// Side networks: run the backbone again for the taps instead of keeping them.
    pub recompute_taps: Switch,
    /// How taps, or the inputs of recomputed blocks, are kept.
    pub kept: KeptStates,
    /// Seed of what is random while training.
    pub seed: u64,
}

impl AdapterShape {
    /// Numbers that are trained.
    pub fn parameters(&self) -> usize {
        self.tensors()
            .values()
            .map(|shape| shape.iter().product::<usize>())
            .sum()
    }

    /// Name and shape of every tensor.
    pub fn tensors(&self) -> BTreeMap<String, Vec<usize>> {
        match self {
            Self::Wiring(wiring) => initialization::shapes(wiring),
            Self::Lora(shape) => shape.tensors(),
        }
    }

    /// Checks a shape from a file against the backbone it shall be used with.
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn check(&self, config: &DecoderConfig) -> Result<(), String> {
        match self {
            Self::Wiring(wiring) => wiring.check(config.layers),
            Self::Lora(shape) => shape.check(config),
        }
    }

    /// Checks what can be checked of a shape from a file without its backbone.
    ///
    /// # Errors
    /// Says which number cannot be.
    pub fn check_sizes(&self) -> Result<(), String> {
        match self {
            Self::Wiring(wiring) => wiring.check(usize::MAX),
            Self::Lora(shape) => shape.check_sizes(),
        }
    }
}

impl Network {
    /// A fresh adapter: with it the model still is the base model.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn initialize(shape: AdapterShape, seed: u64) -> Result<Self> {
        Ok(match shape {
            AdapterShape::Wiring(wiring) => Self::Side(SideNetwork::initialize(wiring, seed)?),
            AdapterShape::Lora(shape) => Self::Lora(Lora::initialize(shape, seed)?),
        })
    }

    /// An adapter with given parameters.
    ///
    /// # Errors
    /// Names the first tensor that is missing, unknown or of another shape.
    pub fn from_parameters(shape: AdapterShape, parameters: Parameters) -> Result<Self, String> {
        Ok(match shape {
            AdapterShape::Wiring(wiring) => {
                Self::Side(SideNetwork::from_parameters(wiring, parameters)?)
            }
            AdapterShape::Lora(shape) => Self::Lora(Lora::from_parameters(shape, parameters)?),
        })
    }

    /// The same where its backbone computes.
    ///
    /// # Errors
    /// When memory runs out there.
    pub fn computing_on(self, compute: &Compute) -> Result<Self> {
        Ok(match self {
            Self::Side(network) => Self::Side(network.computing_on(compute)?),
            Self::Lora(lora) => Self::Lora(lora.computing_on(compute)?),
        })
    }

    /// The trained tensors.
    pub fn parameters(&self) -> &Parameters {
        match self {
            Self::Side(network) => network.parameters(),
            Self::Lora(lora) => lora.parameters(),
        }
    }

    /// Numbers that it caches of each token of an answer, beside the backbone's.
    pub fn cached_numbers(&self) -> usize {
        match self {
            Self::Side(network) => 2 * network.wiring().d_side * network.wiring().side_layers(),
            Self::Lora(_) => 0,
        }
    }

    /// Sum of the target tokens' losses, in nats. With [`Gradient::Scaled`], the gradient of
    /// `factor * sum` is added to `gradients`. `draw` numbers the run's micro-batches.
    ///
    /// # Errors
    /// When shapes do not fit or a target lies outside the vocabulary.
    pub fn loss(
        &self,
        backbone: &Decoder,
        input: TargetedInput<'_>,
        (settings, draw): (TrainingSettings, u64),
        gradient: Gradient,
        gradients: &Parameters,
    ) -> Result<f64> {
        match self {
            Self::Side(network) => {
                let training = SideTraining {
                    recompute: settings.recompute,
                    recompute_taps: settings.recompute_taps,
                    taps: settings.kept,
                };
                network.loss(backbone, input, training, gradient, gradients)
            }
            Self::Lora(lora) => {
                let training = LoraTraining {
                    recompute: settings.recompute,
                    inputs: settings.kept,
                    seed: settings.seed,
                    draw,
                };
                lora.loss(backbone, input, training, gradient, gradients)
            }
        }
    }
}
