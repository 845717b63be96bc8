//! The gated MLP of a frozen block, for one tile of tokens at a time.

use candle_core::Tensor;

use super::additions::{LinearMap, Siblings};
use super::{Pass, Weights};
use crate::Result;
use crate::models::config::{Activation, DecoderConfig};
use crate::ops::elementwise::zeros;
use crate::ops::frozen_linear::FrozenLinear;
use crate::ops::geglu::{geglu, geglu_backward};
use crate::ops::swiglu::{swiglu, swiglu_backward};
use crate::ops::token_tiles::TokenTile;

pub(super) struct Mlp {
    layer: usize,
    gate: FrozenLinear,
    up: FrozenLinear,
    down: FrozenLinear,
    gate_up: Siblings<2>,
    activation: Activation,
}

const DOWN: Siblings<1> = Siblings::Apart([LinearMap::Down]);

/// Gate and up, each `[tokens, d_ff]`.
pub(super) struct MlpActivations {
    gate: Tensor,
    up: Tensor,
}

impl Mlp {
    pub(super) fn load(
        config: &DecoderConfig,
        weights: &Weights<'_>,
        layer: usize,
    ) -> Result<Self> {
        let prefix = format!("layers.{layer}.mlp");
        let (d, f, bias) = (config.d_model, config.d_ff, config.mlp_bias);
        let linear = |name: &str, shape: [usize; 2]| {
            weights.linear(&format!("{prefix}.{name}"), shape, bias)
        };
        let [gate, up] = match config.fused_projections {
            true => weights.fused(&format!("{prefix}.gate_up_proj"), [f, f], d)?,
            false => [linear("gate_proj", [f, d])?, linear("up_proj", [f, d])?],
        };
        Ok(Self {
            layer,
            gate,
            up,
            down: linear("down_proj", [d, f])?,
            gate_up: match config.fused_projections {
                true => Siblings::Fused(LinearMap::GateUp),
                false => Siblings::Apart([LinearMap::Gate, LinearMap::Up]),
            },
            activation: config.activation,
        })
    }

    /// Gate and up of one tile's `x` `[tile, d_model]`, already normalized, written to `activations`.
    pub(super) fn activate(
        &self,
        x: &Tensor,
        pass: &Pass<'_>,
        tile: &TokenTile,
        MlpActivations { gate, up }: &MlpActivations,
    ) -> Result<()> {
        self.gate.forward_into(x, gate)?;
        self.up.forward_into(x, up)?;
        self.gate_up.add(pass, self.layer, tile, x, [gate, up])
    }

    /// Room for the activations of so many tokens.
    pub(super) fn empty(&self, tokens: usize, like: &Tensor) -> Result<MlpActivations> {
        let empty = || zeros((tokens, self.gate.outputs()), like.dtype(), like.device());
        Ok(MlpActivations {
            gate: empty()?,
            up: empty()?,
        })
    }

    /// What the MLP makes of one tile's activations, `[tile, d_model]`.
    pub(super) fn output(
        &self,
        activations: &MlpActivations,
        pass: &Pass<'_>,
        tile: &TokenTile,
    ) -> Result<Tensor> {
        let hidden = self.hidden(activations)?;
        let output = self.down.forward(&hidden)?;
        DOWN.add(pass, self.layer, tile, &hidden, [&output])?;
        Ok(output)
    }

    fn hidden(&self, MlpActivations { gate, up }: &MlpActivations) -> Result<Tensor> {
        Ok(match self.activation {
            Activation::Silu => swiglu(gate, up)?,
            Activation::GeluTanh => geglu(gate, up)?,
        })
    }

    /// The gradient of one tile's `x` for the gradient of its output, both `[tile, d_model]`.
    pub(super) fn backward(
        &self,
        x: &Tensor,
        activations: &MlpActivations,
        pass: &Pass<'_>,
        tile: &TokenTile,
        grad: &Tensor,
    ) -> Result<Tensor> {
        let d_hidden = self.down.backward_input(grad)?;
        if pass.additions.is_some() {
            let hidden = self.hidden(activations)?;
            DOWN.backward(pass, self.layer, tile, &hidden, [grad], &d_hidden)?;
        }
        let MlpActivations { gate, up } = activations;
        let (d_gate, d_up) = match self.activation {
            Activation::Silu => swiglu_backward(gate, up, &d_hidden)?,
            Activation::GeluTanh => geglu_backward(gate, up, &d_hidden)?,
        };
        drop(d_hidden);
        let d_x = self.gate.backward_input(&d_gate)?;
        self.up.accumulate_backward_input(&d_up, &d_x)?;
        self.gate_up
            .backward(pass, self.layer, tile, x, [&d_gate, &d_up], &d_x)?;
        Ok(d_x)
    }
}

impl MlpActivations {
    /// Those of one tile: a view.
    pub(super) fn of_tile(&self, tile: &TokenTile) -> Result<Self> {
        Ok(Self {
            gate: tile.of(&self.gate)?,
            up: tile.of(&self.up)?,
        })
    }
}
