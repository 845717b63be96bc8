//! AdamW as PyTorch defines it (Loshchilov & Hutter 2019, arXiv 1711.05101; torch.optim.AdamW), and
//! with moments in 8 bits as bitsandbytes has it, both to be saved and restored to the bit.

pub mod moments;

use candle_core::Tensor;
use stepladder_protocol::Optimizer;

use crate::adapters::parameters::Parameters;
use crate::ops::adamw::{self, Factors};
use crate::{Error, Result};
use moments::{Moments, TensorMoments};

/// Settings that stay the same over a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSettings {
    /// How the moments are kept.
    pub optimizer: Optimizer,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay, per unit of learning rate.
    pub weight_decay: f64,
    /// Which tensors decay.
    pub decayed: DecayGroup,
}

/// Tensors that weight decay applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecayGroup {
    /// All of them.
    All,
    /// Matrices; biases and gates, which have little to overfit with, do not decay.
    Matrices,
}

impl Default for AdamWSettings {
    fn default() -> Self {
        Self {
            optimizer: Optimizer::default(),
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            decayed: DecayGroup::Matrices,
        }
    }
}

/// The optimizer of one adapter.
pub struct AdamW {
    settings: AdamWSettings,
    /// Updates made.
    updates: usize,
    moments: Moments,
}

impl AdamW {
    /// Zero moments for these parameters.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn new(settings: AdamWSettings, parameters: &Parameters) -> Result<Self> {
        let moments = Moments::zeros(parameters, settings.optimizer)?;
        Ok(Self {
            settings,
            updates: 0,
            moments,
        })
    }

    /// Continues after `updates` updates with saved moments, which are moved to where the parameters are.
    ///
    /// # Errors
    /// Says what is wrong, when they are not the moments of these parameters or are kept otherwise.
    pub fn restore(
        settings: AdamWSettings,
        updates: usize,
        moments: Moments,
        parameters: &Parameters,
    ) -> Result<Self, String> {
        moments.expect(parameters, settings.optimizer)?;
        let moments = moments
            .beside(parameters)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            settings,
            updates,
            moments,
        })
    }

    /// Running means of the gradients and of their squares.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Changes `parameters` in place by one update.
    ///
    /// # Errors
    /// When a gradient is missing or of another shape.
    pub fn update(
        &mut self,
        parameters: &Parameters,
        gradients: &Parameters,
        learning_rate: f64,
    ) -> Result<()> {
        self.updates += 1;
        for (name, parameter) in parameters.iter() {
            let factors = self.factors(parameter, learning_rate);
            let gradient = gradients.get(name)?;
            let Some(moments) = self.moments.get(name) else {
                return Err(misfit(format!("no moments of {name}")));
            };
            let updated = match moments {
                TensorMoments::F32 { first, second } => {
                    adamw::adamw(factors, parameter, gradient, first, second)
                }
                TensorMoments::Codes { first, second } => {
                    let (first, second) = (first.parts(), second.parts());
                    adamw::adamw_8bit(factors, parameter, gradient, first, second)
                }
            };
            updated.map_err(|error| misfit(format!("the update of {name}: {error}")))?;
        }
        Ok(())
    }

    fn factors(&self, parameter: &Tensor, learning_rate: f64) -> Factors {
        let AdamWSettings {
            beta1,
            beta2,
            eps,
            weight_decay,
            decayed,
            ..
        } = self.settings;
        let weight_decay = match decayed {
            DecayGroup::Matrices if parameter.rank() < 2 => 0.0,
            _ => weight_decay,
        };
        let updates = self.updates as i32;
        Factors {
            step_size: (learning_rate / (1.0 - beta1.powi(updates))) as f32,
            root_correction: (1.0 - beta2.powi(updates)).sqrt() as f32,
            keep: (1.0 - learning_rate * weight_decay) as f32,
            eps: eps as f32,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            one_minus_beta1: (1.0 - beta1) as f32,
            one_minus_beta2: (1.0 - beta2) as f32,
        }
    }
}

fn misfit(problem: String) -> Error {
    Error::Tensor(candle_core::Error::Msg(problem))
}
