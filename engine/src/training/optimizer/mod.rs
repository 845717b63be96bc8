//! AdamW as PyTorch defines it (Loshchilov & Hutter 2019, arXiv 1711.05101; torch.optim.AdamW), with
//! moments that can be saved and restored to the bit.

use candle_core::Tensor;

use crate::adapters::parameters::Parameters;
use crate::ops::cpu;
use crate::{Error, Result};

/// Settings that stay the same over a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSettings {
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
    first_moments: Parameters,
    second_moments: Parameters,
}

impl AdamW {
    /// Zero moments for these parameters.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn new(settings: AdamWSettings, parameters: &Parameters) -> Result<Self> {
        let (first, second) = (parameters.zeros_like()?, parameters.zeros_like()?);
        Ok(Self::restore(settings, 0, first, second))
    }

    /// Continues after `updates` updates with saved moments.
    pub fn restore(
        settings: AdamWSettings,
        updates: usize,
        first_moments: Parameters,
        second_moments: Parameters,
    ) -> Self {
        Self {
            settings,
            updates,
            first_moments,
            second_moments,
        }
    }

    /// Running means of the gradients.
    pub fn first_moments(&self) -> &Parameters {
        &self.first_moments
    }

    /// Running means of the squared gradients.
    pub fn second_moments(&self) -> &Parameters {
        &self.second_moments
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
            let gradient = gradients.get(name)?;
            let first = self.first_moments.get(name)?;
            let second = self.second_moments.get(name)?;
            if gradient.shape() != parameter.shape() || first.shape() != parameter.shape() {
                return Err(Error::Tensor(candle_core::Error::Msg(format!(
                    "gradient or moment of {name} has another shape"
                ))));
            }
            self.update_tensor(parameter, gradient, first, second, learning_rate)?;
        }
        Ok(())
    }

    fn update_tensor(
        &self,
        parameter: &Tensor,
        gradient: &Tensor,
        first: &Tensor,
        second: &Tensor,
        learning_rate: f64,
    ) -> Result<()> {
        let AdamWSettings {
            beta1,
            beta2,
            eps,
            weight_decay,
            decayed,
        } = self.settings;
        let weight_decay = match decayed {
            DecayGroup::Matrices if parameter.rank() < 2 => 0.0,
            _ => weight_decay,
        };
        let updates = self.updates as i32;
        let step_size = (learning_rate / (1.0 - beta1.powi(updates))) as f32;
        let root_correction = (1.0 - beta2.powi(updates)).sqrt() as f32;
        let keep = (1.0 - learning_rate * weight_decay) as f32;
        let (eps, beta2_f32) = (eps as f32, beta2 as f32);
        let (one_minus_beta1, one_minus_beta2) = ((1.0 - beta1) as f32, (1.0 - beta2) as f32);
        let gradient = cpu::read::<f32>(gradient)?;
        let gradient: &[f32] = &gradient;
        cpu::update::<f32, _>(parameter, |p| {
            cpu::update::<f32, _>(first, |m| {
                cpu::update::<f32, _>(second, |v| {
                    cpu::vectorized(|| {
                        for (((p, m), v), &g) in p
                            .iter_mut()
                            .zip(m.iter_mut())
                            .zip(v.iter_mut())
                            .zip(gradient)
                        {
                            *m += one_minus_beta1 * (g - *m);
                            *v = *v * beta2_f32 + one_minus_beta2 * g * g;
                            let root = v.sqrt() / root_correction + eps;
                            *p = *p * keep - step_size * (*m / root);
                        }
                    });
                })
            })
        })???;
        Ok(())
    }
}
