//! What may be added to the linear maps of a block while it runs. The backbone itself does not know
//! what that is; adapters of the LoRA kind are.

use candle_core::Tensor;

use super::Pass;
use crate::Result;
use crate::ops::token_tiles::TokenTile;

/// A linear map of a block, as the checkpoint has it: some families store several as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinearMap {
    /// Queries.
    Q,
    /// Keys.
    K,
    /// Values.
    V,
    /// Queries, keys and values as one.
    Qkv,
    /// The output of attention.
    O,
    /// The MLP's gate.
    Gate,
    /// The MLP's other half.
    Up,
    /// Gate and up as one.
    GateUp,
    /// The output of the MLP.
    Down,
}

impl LinearMap {
    /// Its module inside a decoder layer.
    pub fn module(self) -> &'static str {
        match self {
            Self::Q => "self_attn.q_proj",
            Self::K => "self_attn.k_proj",
            Self::V => "self_attn.v_proj",
            Self::Qkv => "self_attn.qkv_proj",
            Self::O => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::GateUp => "mlp.gate_up_proj",
            Self::Down => "mlp.down_proj",
        }
    }
}

/// Which linear map is being added to, and for which tokens.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The block, from 0.
    pub layer: usize,
    /// The linear map.
    pub map: LinearMap,
    /// The tokens.
    pub tile: &'a TokenTile,
}

/// Adds to linear maps, and takes part in their backward.
pub trait Additions: Sync {
    /// Adds to what the linear map made of `x` `[tokens, inputs]`: `outputs` are its columns, in
    /// parts, each `[tokens, width]`.
    ///
    /// # Errors
    /// When shapes do not fit.
    fn forward(&self, place: Place<'_>, x: &Tensor, outputs: &[&Tensor]) -> Result<()>;

    /// Takes the gradients of those outputs, and adds its share to the gradient of `x`.
    ///
    /// # Errors
    /// When shapes do not fit.
    fn backward(
        &self,
        place: Place<'_>,
        x: &Tensor,
        gradients: &[&Tensor],
        input_gradient: &Tensor,
    ) -> Result<()>;
}

/// Linear maps of one input: each for itself, or stored as one.
#[derive(Clone, Copy)]
pub(super) enum Siblings<const N: usize> {
    Apart([LinearMap; N]),
    Fused(LinearMap),
}

impl<const N: usize> Siblings<N> {
    /// Adds to the outputs, where something is to be added.
    pub(super) fn add(
        self,
        pass: &Pass<'_>,
        layer: usize,
        tile: &TokenTile,
        x: &Tensor,
        outputs: [&Tensor; N],
    ) -> Result<()> {
        let Some(additions) = pass.additions else {
            return Ok(());
        };
        let place = |map| Place { layer, map, tile };
        match self {
            Self::Fused(map) => additions.forward(place(map), x, &outputs),
            Self::Apart(maps) => maps
                .into_iter()
                .zip(outputs)
                .try_for_each(|(map, output)| additions.forward(place(map), x, &[output])),
        }
    }

    /// The backward of [`Self::add`].
    pub(super) fn backward(
        self,
        pass: &Pass<'_>,
        layer: usize,
        tile: &TokenTile,
        x: &Tensor,
        gradients: [&Tensor; N],
        input_gradient: &Tensor,
    ) -> Result<()> {
        let Some(additions) = pass.additions else {
            return Ok(());
        };
        let place = |map| Place { layer, map, tile };
        match self {
            Self::Fused(map) => additions.backward(place(map), x, &gradients, input_gradient),
            Self::Apart(maps) => maps.into_iter().zip(gradients).try_for_each(|(map, grad)| {
                additions.backward(place(map), x, &[grad], input_gradient)
            }),
        }
    }
}
