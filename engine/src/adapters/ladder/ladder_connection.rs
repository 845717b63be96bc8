//! A ladder connection: a tap is normalized, downsampled to the side network's width and joined
//! with the side state, a tile of tokens at a time. Nothing flows back into the tap: the backbone is
//! frozen.

use candle_core::Tensor;
use stepladder_protocol::{Downsample, Inject};

use super::wiring::Wiring;
use crate::Result;
use crate::adapters::parameters::Parameters;
use crate::models::compute::Compute;
use crate::ops::elementwise;
use crate::ops::linear::{
    accumulate_bias_gradient, accumulate_weight_gradient, linear, linear_backward_input,
};
use crate::ops::rms_norm::{rms_norm, rms_norm_backward};
use crate::ops::swiglu::{silu, silu_backward};
use crate::ops::token_tiles::TokenTile;

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
        (tiles, compute): (&[TokenTile], &Compute),
    ) -> Result<Tensor> {
        let shape = (tap.dim(0)?, self.wiring.d_side);
        let joined = elementwise::zeros(shape, compute.activations(), compute.device())?;
        for tile in tiles {
            let down = self.downsample(parameters, &self.normalized(&tile.of(tap)?, &joined)?)?;
            elementwise::add(&tile.of(&joined)?, &down)?;
        }
        match self.wiring.inject {
            Inject::Sum => {
                if let Some(state) = state {
                    elementwise::add(&joined, state)?;
                }
            }
            Inject::Gate => {
                let gate = self.gate(parameters)?;
                elementwise::scale(&joined, 1.0 - gate)?;
                if let Some(state) = state {
                    elementwise::add_scaled(&joined, state, gate)?;
                }
            }
        }
        Ok(joined)
    }

    /// Whether the gradients need the state that the tap was joined with.
    pub fn needs_state(&self) -> bool {
        self.wiring.inject == Inject::Gate
    }

    /// Adds the connection's gradients for `grad`, the gradient of what it joined; `state` as
    /// [`Self::needs_state`] says.
    pub fn accumulate(
        &self,
        parameters: &Parameters,
        gradients: &Parameters,
        state: Option<&Tensor>,
        tap: &Tensor,
        (grad, tiles): (&Tensor, &[TokenTile]),
    ) -> Result<()> {
        let gate = match self.wiring.inject {
            Inject::Sum => None,
            Inject::Gate => Some(self.gate(parameters)?),
        };
        // d loss / d g = sum(grad * (state - down))
        let mut d_gate = match state {
            Some(state) if gate.is_some() => elementwise::inner_product(grad, state)?,
            _ => 0.0,
        };
        for tile in tiles {
            let normalized = self.normalized(&tile.of(tap)?, grad)?;
            let grad = tile.of(grad)?;
            let d_down = match gate {
                None => grad,
                Some(gate) => {
                    let down = self.downsample(parameters, &normalized)?;
                    d_gate -= elementwise::inner_product(&grad, &down)?;
                    let d_down = elementwise::copy(&grad)?;
                    elementwise::scale(&d_down, 1.0 - gate)?;
                    d_down
                }
            };
            self.downsample_backward(parameters, gradients, &normalized, &d_down)?;
        }
        if let Some(gate) = gate {
            let d_a = d_gate * gate * (1.0 - gate) / GATE_TEMPERATURE;
            let d_a = Tensor::new(&[d_a as f32], grad.device())?;
            elementwise::add(gradients.get(&self.gate_name())?, &d_a)?;
        }
        Ok(())
    }

    /// Turns the gradient of what was joined into the one of the state, in place.
    pub fn state_gradient(&self, parameters: &Parameters, grad: &Tensor) -> Result<()> {
        match self.wiring.inject {
            Inject::Sum => Ok(()),
            Inject::Gate => Ok(elementwise::scale(grad, self.gate(parameters)?)?),
        }
    }

    /// A tile of a tap, brought to the device and into the type of `like`; the whole may lie in RAM and
    /// in 16 bits.
    fn normalized(&self, tap: &Tensor, like: &Tensor) -> Result<Tensor> {
        let tap = elementwise::to_type(&elementwise::to_device(tap, like.device())?, like.dtype())?;
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
fn biased(parameters: &Parameters, name: &str, x: &Tensor) -> Result<Tensor> {
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
