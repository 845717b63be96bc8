//! The whole side network: connections and blocks in order, the upsample at the end.
//!
//! ```text
//! s_0 = 0
//! u_j = inject(s_{j-1}, D_j(RMSNorm(x_{b_j})))   or s_{j-1} where layer j has no tap
//! s_j = SideBlock_j(u_j)
//! x_L' = x_L + W_up s_l + b_up
//! ```

use candle_core::Tensor;
use stepladder_protocol::Switch;

use super::initialization;
use super::ladder_connection::{LadderConnection, accumulate_biased, biased};
use super::side_block::{BlockActivations, SideBlock, SidePass};
use super::wiring::{ROPE_THETA, Wiring};
use crate::adapters::parameters::Parameters;
use crate::models::decoder::TokenInput;
use crate::models::kv_cache::KvCache;
use crate::ops::elementwise;
use crate::ops::linear::linear_backward_input;
use crate::ops::rope::RotaryEmbedding;
use crate::{Error, Result};

/// A Ladder or xLadder adapter.
pub struct SideNetwork {
    wiring: Wiring,
    parameters: Parameters,
}

/// One forward pass, kept for its backward.
pub struct SideForward {
    /// s_l, `[tokens, d_side]`.
    pub output: Tensor,
    layers: Vec<KeptLayer>,
}

struct KeptLayer {
    /// s_{j-1}; absent where it is zero.
    state: Option<Tensor>,
    /// Everything else, unless it is recomputed.
    activations: Option<(Tensor, BlockActivations)>,
}

impl SideNetwork {
    /// A fresh network: with it the model still is the base model.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn initialize(wiring: Wiring, seed: u64) -> Result<Self> {
        let parameters = initialization::initialize(&wiring, seed)?;
        Ok(Self { wiring, parameters })
    }

    /// A network with given parameters.
    ///
    /// # Errors
    /// Names the first tensor that is missing, unknown or of another shape.
    pub fn from_parameters(wiring: Wiring, parameters: Parameters) -> Result<Self, String> {
        parameters.expect(&initialization::shapes(&wiring))?;
        Ok(Self { wiring, parameters })
    }

    /// The network's shape.
    pub fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// The trained tensors.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn pass<'a>(&self, input: TokenInput<'a>) -> SidePass<'a> {
        let rotary = RotaryEmbedding::plain(ROPE_THETA, self.wiring.head_dim());
        SidePass {
            batch: input.batch,
            seq: input.seq,
            angles: rotary.angles(input.positions),
            first_visible: input.first_visible,
        }
    }

    /// u_j of layer `layer` (from 0): the tap joined with the state, or the state alone.
    fn inject(&self, layer: usize, state: Option<&Tensor>, taps: &[Tensor]) -> Result<Tensor> {
        match (taps.get(layer), state) {
            (Some(tap), _) => {
                LadderConnection::new(&self.wiring, layer).forward(&self.parameters, state, tap)
            }
            (None, Some(state)) => Ok(state.clone()),
            (None, None) => Err(missing_tap(layer)),
        }
    }

    /// Runs the network on `taps` (one `[tokens, d_model]` per connection, in order) and keeps what
    /// the backward needs: all activations, or with `recompute` the layers' inputs alone.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward(
        &self,
        taps: &[Tensor],
        input: TokenInput<'_>,
        recompute: Switch,
    ) -> Result<SideForward> {
        let pass = self.pass(input);
        let mut state: Option<Tensor> = None;
        let mut layers = Vec::with_capacity(self.wiring.side_layers());
        for layer in 0..self.wiring.side_layers() {
            let joined = self.inject(layer, state.as_ref(), taps)?;
            let block = SideBlock::new(&self.wiring, &self.parameters, layer);
            let (output, activations) = block.forward(&joined, &pass, None)?;
            let activations = match recompute {
                Switch::Off => Some((joined, activations)),
                Switch::On => None,
            };
            layers.push(KeptLayer {
                state: state.replace(output),
                activations,
            });
        }
        let output = state.ok_or_else(|| missing_tap(0))?;
        Ok(SideForward { output, layers })
    }

    /// Adds every gradient below the upsample, for the upstream gradient `grad` of the output.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn backward(
        &self,
        gradients: &Parameters,
        forward: SideForward,
        taps: &[Tensor],
        input: TokenInput<'_>,
        grad: Tensor,
    ) -> Result<()> {
        let pass = self.pass(input);
        let SideForward { output, mut layers } = forward;
        drop(output);
        let mut grad = grad;
        // The last layer's activations are dropped before the one below is recomputed.
        while let Some(KeptLayer { state, activations }) = layers.pop() {
            let layer = layers.len();
            let block = SideBlock::new(&self.wiring, &self.parameters, layer);
            let (joined, activations) = match activations {
                Some(kept) => kept,
                None => {
                    let joined = self.inject(layer, state.as_ref(), taps)?;
                    let (_, activations) = block.forward(&joined, &pass, None)?;
                    (joined, activations)
                }
            };
            grad = block.backward(gradients, &joined, &activations, &pass, grad)?;
            if let Some(tap) = taps.get(layer) {
                let connection = LadderConnection::new(&self.wiring, layer);
                grad =
                    connection.backward(&self.parameters, gradients, state.as_ref(), tap, grad)?;
            }
        }
        Ok(())
    }

    /// s_l of new tokens that continue what `cache` holds, `[tokens, d_side]`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward_cached(
        &self,
        taps: &[Tensor],
        input: TokenInput<'_>,
        cache: &mut KvCache,
    ) -> Result<Tensor> {
        let pass = self.pass(input);
        let mut state: Option<Tensor> = None;
        for layer in 0..self.wiring.side_layers() {
            let joined = self.inject(layer, state.as_ref(), taps)?;
            let block = SideBlock::new(&self.wiring, &self.parameters, layer);
            state = Some(block.forward(&joined, &pass, cache.layer(layer))?.0);
        }
        cache.advance(input.seq);
        state.ok_or_else(|| missing_tap(0))
    }

    /// `x + W_up s + b_up` for rows of the last hidden state and of the side output.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn upsample(&self, hidden: &Tensor, side: &Tensor) -> Result<Tensor> {
        let shifted = biased(&self.parameters, "upsample", side)?;
        elementwise::add(&shifted, hidden)?;
        Ok(shifted)
    }

    /// Adds the upsample's gradients and returns the one of `side`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn upsample_backward(
        &self,
        gradients: &Parameters,
        side: &Tensor,
        grad: &Tensor,
    ) -> Result<Tensor> {
        accumulate_biased(gradients, "upsample", side, grad)?;
        Ok(linear_backward_input(
            self.parameters.get("upsample.weight")?,
            grad,
        )?)
    }
}

fn missing_tap(layer: usize) -> Error {
    Error::Tensor(candle_core::Error::Msg(format!(
        "side layer {layer} has neither tap nor state"
    )))
}
