//! The whole side network: connections and blocks in order, the upsample at the end.
//!
//! ```text
//! s_0 = 0
//! u_j = inject(s_{j-1}, D_j(RMSNorm(x_{b_j})))   or s_{j-1} where layer j has no tap
//! s_j = SideBlock_j(u_j)
//! x_L' = x_L + W_up s_l + b_up
//! ```

use candle_core::Tensor;

use super::initialization;
use super::ladder_connection::{LadderConnection, accumulate_biased};
use super::side_block::{SideActivations, SideBlock, SidePass};
use super::wiring::{ROPE_THETA, Wiring};
use crate::adapters::parameters::Parameters;
use crate::models::compute::Compute;
use crate::models::decoder::TokenInput;
use crate::models::kv_cache::KvCache;
use crate::ops::elementwise;
use crate::ops::linear::{linear_backward_input, linear_wide};
use crate::ops::rope::RotaryEmbedding;
use crate::ops::token_tiles::token_tiles;
use crate::{Error, Result};

/// A Ladder or xLadder adapter.
pub struct SideNetwork {
    wiring: Wiring,
    parameters: Parameters,
    compute: Compute,
}

/// One forward pass, kept for its backward.
pub struct SideForward {
    /// s_l, `[tokens, d_side]`.
    pub output: Tensor,
    layers: Vec<KeptLayer>,
}

/// What a forward pass keeps of each layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideKeep {
    /// Nothing: there is no backward.
    Nothing,
    /// Its input; everything else is made again.
    Inputs,
    /// Its input and all activations.
    Activations,
}

struct KeptLayer {
    /// u_j, `[tokens, d_side]`.
    joined: Tensor,
    /// s_{j-1}, where a gate's gradient needs it.
    state: Option<Tensor>,
    /// Everything else, unless it is recomputed.
    activations: Option<SideActivations>,
}

/// A forward pass under way: it takes the taps one by one, as the backbone makes them, and needs
/// none of them again.
pub struct SideRun<'a> {
    network: &'a SideNetwork,
    pass: SidePass<'a>,
    keep: SideKeep,
    cache: Option<&'a mut KvCache>,
    /// Layers that have run.
    layer: usize,
    state: Option<Tensor>,
    kept: Vec<KeptLayer>,
}

/// The gradient of what a connection joined, for its own gradients later.
pub struct JoinedGradient {
    grad: Tensor,
    state: Option<Tensor>,
}

impl SideNetwork {
    /// A fresh network: with it the model still is the base model.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn initialize(wiring: Wiring, seed: u64) -> Result<Self> {
        let parameters = initialization::initialize(&wiring, seed)?;
        Ok(Self {
            wiring,
            parameters,
            compute: Compute::cpu(),
        })
    }

    /// A network with given parameters.
    ///
    /// # Errors
    /// Names the first tensor that is missing, unknown or of another shape.
    pub fn from_parameters(wiring: Wiring, parameters: Parameters) -> Result<Self, String> {
        parameters.expect(&initialization::shapes(&wiring))?;
        Ok(Self {
            wiring,
            parameters,
            compute: Compute::cpu(),
        })
    }

    /// The same where its backbone computes.
    ///
    /// # Errors
    /// When memory runs out there.
    pub fn computing_on(self, compute: &Compute) -> Result<Self> {
        Ok(Self {
            parameters: self.parameters.to_device(compute.device())?,
            compute: compute.clone(),
            ..self
        })
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
        SidePass::new(input, rotary.angles(input.positions))
    }

    fn block(&self, layer: usize) -> SideBlock<'_> {
        SideBlock::new(&self.wiring, &self.parameters, layer)
    }

    /// The layer that reads backbone layer `tap` (1-based), if one does.
    pub fn layer_at(&self, tap: usize) -> Option<usize> {
        self.wiring.taps.iter().position(|at| *at == tap)
    }

    /// Begins a pass. With a cache, the tokens continue what it holds.
    pub fn start<'a>(
        &'a self,
        input: TokenInput<'a>,
        keep: SideKeep,
        cache: Option<&'a mut KvCache>,
    ) -> SideRun<'a> {
        SideRun {
            network: self,
            pass: self.pass(input),
            keep,
            cache,
            layer: 0,
            state: None,
            kept: Vec::new(),
        }
    }

    /// s_l `[tokens, d_side]` for given taps (one `[tokens, d_model]` per connection, in order).
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward(
        &self,
        taps: &[Tensor],
        input: TokenInput<'_>,
        cache: Option<&mut KvCache>,
    ) -> Result<Tensor> {
        let mut run = self.start(input, SideKeep::Nothing, cache);
        for tap in taps {
            run.tap(tap)?;
        }
        Ok(run.finish()?.output)
    }

    /// Adds every gradient below the upsample, for the upstream gradient `grad` of the output, which
    /// is given up. `joined(layer, gradient)` is handed what each connection needs, from the last to
    /// the first; see [`Self::connection_backward`].
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn backward(
        &self,
        gradients: &Parameters,
        forward: SideForward,
        input: TokenInput<'_>,
        grad: &Tensor,
        mut joined: impl FnMut(usize, &Tensor, Option<Tensor>) -> Result<()>,
    ) -> Result<()> {
        let pass = self.pass(input);
        let SideForward { output, mut layers } = forward;
        drop(output);
        // The last layer's activations are dropped before the one below is recomputed.
        while let Some(kept) = layers.pop() {
            let layer = layers.len();
            let block = self.block(layer);
            let activations = match kept.activations {
                Some(activations) => activations,
                None => block.recompute(&kept.joined, &pass)?,
            };
            block.backward(gradients, &kept.joined, activations, &pass, grad)?;
            drop(kept.joined);
            if layer < self.wiring.taps.len() {
                joined(layer, grad, kept.state)?;
                LadderConnection::new(&self.wiring, layer)
                    .state_gradient(&self.parameters, grad)?;
            }
        }
        Ok(())
    }

    /// Adds the gradients of the connection that feeds `layer`: `tap` `[tokens, d_model]` is what it
    /// read, `grad` the gradient of what it joined.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn connection_backward(
        &self,
        gradients: &Parameters,
        layer: usize,
        tap: &Tensor,
        JoinedGradient { grad, state }: &JoinedGradient,
        input: TokenInput<'_>,
    ) -> Result<()> {
        let tiles = token_tiles(input.batch, input.seq);
        LadderConnection::new(&self.wiring, layer).accumulate(
            &self.parameters,
            gradients,
            state.as_ref(),
            tap,
            (grad, &tiles),
        )
    }

    /// `x + W_up s + b_up` for rows of the last hidden state and of the side output, in f32: the sum is
    /// rounded no further.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn upsample(&self, hidden: &Tensor, side: &Tensor) -> Result<Tensor> {
        let (weight, bias) = ("upsample.weight", "upsample.bias");
        let (weight, bias) = (self.parameters.get(weight)?, self.parameters.get(bias)?);
        let shifted = linear_wide(side, weight, Some(bias))?;
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
        let grad = &elementwise::to_type(grad, side.dtype())?;
        accumulate_biased(gradients, "upsample", side, grad)?;
        Ok(linear_backward_input(
            self.parameters.get("upsample.weight")?,
            grad,
        )?)
    }
}

impl JoinedGradient {
    /// As [`SideNetwork::backward`] hands them over.
    pub fn new(grad: Tensor, state: Option<Tensor>) -> Self {
        Self { grad, state }
    }
}

impl SideRun<'_> {
    /// Runs the next connected layer on its tap `[tokens, d_model]`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn tap(&mut self, tap: &Tensor) -> Result<()> {
        let SideNetwork {
            wiring,
            parameters,
            compute,
        } = self.network;
        let connection = LadderConnection::new(wiring, self.layer);
        let state = self.state.take();
        let place = (self.pass.tiles.as_slice(), compute);
        let joined = connection.forward(parameters, state.as_ref(), tap, place)?;
        let state = state.filter(|_| connection.needs_state());
        self.run_layer(joined, state)
    }

    /// Runs the layers that have no tap.
    ///
    /// # Errors
    /// When a connected layer had none.
    pub fn finish(mut self) -> Result<SideForward> {
        let wiring = &self.network.wiring;
        if self.layer < wiring.taps.len() {
            return Err(missing_tap(self.layer));
        }
        while self.layer < wiring.side_layers() {
            let state = self.state.take().ok_or_else(|| missing_tap(self.layer))?;
            self.run_layer(state, None)?;
        }
        if let Some(cache) = self.cache {
            cache.advance(self.pass.input.seq);
        }
        Ok(SideForward {
            output: self.state.ok_or_else(|| missing_tap(0))?,
            layers: self.kept,
        })
    }

    fn run_layer(&mut self, joined: Tensor, state: Option<Tensor>) -> Result<()> {
        let network = self.network;
        let (block, pass) = (network.block(self.layer), &self.pass);
        let cache = self.cache.as_deref_mut();
        let (output, activations) = match self.keep {
            SideKeep::Nothing => {
                let cache = cache.and_then(|cache| cache.layer(self.layer));
                block.forward(&joined, pass, cache)?;
                self.state = Some(joined);
                self.layer += 1;
                return Ok(());
            }
            SideKeep::Inputs => {
                let output = joined.copy()?;
                block.forward(&output, pass, None)?;
                (output, None)
            }
            SideKeep::Activations => {
                let (output, activations) = block.forward_keeping(&joined, pass)?;
                (output, Some(activations))
            }
        };
        self.kept.push(KeptLayer {
            joined,
            state,
            activations,
        });
        self.state = Some(output);
        self.layer += 1;
        Ok(())
    }
}

pub(super) fn missing_tap(layer: usize) -> Error {
    Error::Tensor(candle_core::Error::Msg(format!(
        "side layer {layer} has neither tap nor state"
    )))
}
