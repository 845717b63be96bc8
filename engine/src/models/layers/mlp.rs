//! The gated MLP of a frozen block.

use candle_core::Tensor;

use super::Weights;
use crate::Result;
use crate::models::config::{Activation, DecoderConfig};
use crate::ops::frozen_linear::FrozenLinear;
use crate::ops::geglu::geglu;
use crate::ops::swiglu::swiglu;

pub(super) struct Mlp {
    gate: FrozenLinear,
    up: FrozenLinear,
    down: FrozenLinear,
    activation: Activation,
}

impl Mlp {
    pub(super) fn load(
        config: &DecoderConfig,
        weights: &Weights<'_>,
        prefix: &str,
    ) -> Result<Self> {
        let (d, f, bias) = (config.d_model, config.d_ff, config.mlp_bias);
        let linear = |name: &str, shape: [usize; 2]| {
            weights.linear(&format!("{prefix}.{name}"), shape, bias)
        };
        let [gate, up] = match config.fused_projections {
            true => weights.fused(&format!("{prefix}.gate_up_proj"), [f, f], d)?,
            false => [linear("gate_proj", [f, d])?, linear("up_proj", [f, d])?],
        };
        Ok(Self {
            gate,
            up,
            down: linear("down_proj", [d, f])?,
            activation: config.activation,
        })
    }

    /// `x` `[tokens, d_model]`, already normalized.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (gate, up) = (self.gate.forward(x)?, self.up.forward(x)?);
        let hidden = match self.activation {
            Activation::Silu => swiglu(&gate, &up)?,
            Activation::GeluTanh => geglu(&gate, &up)?,
        };
        Ok(self.down.forward(&hidden)?)
    }
}
