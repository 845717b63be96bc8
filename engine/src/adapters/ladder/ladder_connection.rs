//! A ladder connection: a tap is normalized, downsampled to the side network's width and joined
//! with the side state. Nothing flows back into the tap: the backbone is frozen.

use candle_core::Tensor;
use stepladder_protocol::{Downsample, Inject};

use super::wiring::Wiring;
use crate::Result;
use crate::adapters::parameters::Parameters;
use crate::ops::elementwise;
use crate::ops::linear::{
    accumulate_bias_gradient, accumulate_weight_gradient, linear, linear_backward_input,
};
use crate::ops::rms_norm::{rms_norm, rms_norm_backward};
use crate::ops::swiglu::{silu, silu_backward};

/// Temperature of the ladder gate (Ladder Side-Tuning, arXiv 2206.06522).
const GATE_TEMPERATURE: f64 = 0.1;

/// One connection of a side network; borrows names and sizes, owns no numbers.
pub struct LadderConnection<'a> {
    wiring: &'a Wiring,
    layer: usize,
}

impl<'a> LadderConnection<'a> {
    /// The connection that feeds this side layer (from 0).
    pub fn new(wiring: &'a Wiring, layer: usize) -> Self {
        Self { wiring, layer }
    }

    fn downsample_name(&self) -> String {
        match self.wiring.downsample {
            Downsample::Shared => "downsample".to_owned(),
            Downsample::Linear | Downsample::Adapter => {
                format!("connections.{}.downsample", self.layer)
            }
        }
    }

    fn gate_name(&self) -> String {
        format!("connections.{}.ladder_gate", self.layer)
    }

    /// `g = sigmoid(a / 0.1)`.
    fn gate(&self, parameters: &Parameters) -> Result<f64> {
        let a = parameters.get(&self.gate_name())?.to_vec1::<f32>()?;
        let a = a.first().copied().map_or(0.0, f64::from);
        Ok(1.0 / (1.0 + (-a / GATE_TEMPERATURE).exp()))
    }

    /// `tap` `[tokens, d_model]`, `state` `[tokens, d_side]` (absent: zero) -> `[tokens, d_side]`.
    pub fn forward(
        &self,
        parameters: &Parameters,
        state: Option<&Tensor>,
        tap: &Tensor,
    ) -> Result<Tensor> {
        let down = self.downsample(parameters, &self.normalized(tap)?)?;
        match self.wiring.inject {
            Inject::Sum => {
                if let Some(state) = state {
                    elementwise::add(&down, state)?;
                }
            }
            Inject::Gate => {
                let gate = self.gate(parameters)?;
                elementwise::scale(&down, 1.0 - gate)?;
                if let Some(state) = state {
                    elementwise::add_scaled(&down, state, gate)?;
                }
            }
        }
        Ok(down)
    }

    /// Adds the connection's gradients and returns the one of `state`; `grad` is given up.
    pub fn backward(
        &self,
        parameters: &Parameters,
        gradients: &Parameters,
        state: Option<&Tensor>,
        tap: &Tensor,
        grad: Tensor,
    ) -> Result<Tensor> {
        let normalized = self.normalized(tap)?;
        match self.wiring.inject {
            Inject::Sum => {
                self.downsample_backward(parameters, gradients, &normalized, &grad)?;
                Ok(grad)
            }
            Inject::Gate => {
                let gate = self.gate(parameters)?;
                let down = self.downsample(parameters, &normalized)?;
                // d loss / d g = sum(grad * (state - down))
                let mut d_gate = -elementwise::inner_product(&grad, &down)?;
                if let Some(state) = state {
                    d_gate += elementwise::inner_product(&grad, state)?;
                }
                let d_a = d_gate * gate * (1.0 - gate) / GATE_TEMPERATURE;
                let d_a = Tensor::new(&[d_a as f32], grad.device())?;
                elementwise::add(gradients.get(&self.gate_name())?, &d_a)?;
                let d_down = grad.copy()?;
                elementwise::scale(&d_down, 1.0 - gate)?;
                self.downsample_backward(parameters, gradients, &normalized, &d_down)?;
                elementwise::scale(&grad, gate)?;
                Ok(grad)
            }
        }
    }

    fn normalized(&self, tap: &Tensor) -> Result<Tensor> {
        let tap = tap.to_dtype(candle_core::DType::F32)?;
        Ok(rms_norm(&tap, None, self.wiring.norm_eps)?)
    }

    fn downsample(&self, parameters: &Parameters, normalized: &Tensor) -> Result<Tensor> {
        let name = self.downsample_name();
        match self.wiring.downsample {
            Downsample::Linear | Downsample::Shared => biased(parameters, &name, normalized),
            Downsample::Adapter => {
                let reduced = biased(parameters, &format!("{name}.reduce"), normalized)?;
                let expanded = biased(parameters, &format!("{name}.expand"), &silu(&reduced)?)?;
                Ok(rms_norm(&expanded, None, self.wiring.norm_eps)?)
            }
        }
    }

    fn downsample_backward(
        &self,
        parameters: &Parameters,
        gradients: &Parameters,
        normalized: &Tensor,
        grad: &Tensor,
    ) -> Result<()> {
        let name = self.downsample_name();
        match self.wiring.downsample {
            Downsample::Linear | Downsample::Shared => {
                accumulate_biased(gradients, &name, normalized, grad)
            }
            Downsample::Adapter => {
                let (reduce, expand) = (format!("{name}.reduce"), format!("{name}.expand"));
                let reduced = biased(parameters, &reduce, normalized)?;
                let active = silu(&reduced)?;
                let expanded = biased(parameters, &expand, &active)?;
                let grad = rms_norm_backward(&expanded, None, self.wiring.norm_eps, grad)?;
                accumulate_biased(gradients, &expand, &active, &grad)?;
                let weight = parameters.get(&format!("{expand}.weight"))?;
                let grad = silu_backward(&reduced, &linear_backward_input(weight, &grad)?)?;
                accumulate_biased(gradients, &reduce, normalized, &grad)
            }
        }
    }
}

/// The linear map with bias of this name.
pub(super) fn biased(parameters: &Parameters, name: &str, x: &Tensor) -> Result<Tensor> {
    let weight = parameters.get(&format!("{name}.weight"))?;
    let bias = parameters.get(&format!("{name}.bias"))?;
    Ok(linear(x, weight, Some(bias))?)
}

/// Gradients of weight and bias of [`biased`].
pub(super) fn accumulate_biased(
    gradients: &Parameters,
    name: &str,
    x: &Tensor,
    grad: &Tensor,
) -> Result<()> {
    accumulate_weight_gradient(gradients.get(&format!("{name}.weight"))?, x, grad)?;
    Ok(accumulate_bias_gradient(
        gradients.get(&format!("{name}.bias"))?,
        grad,
    )?)
}
