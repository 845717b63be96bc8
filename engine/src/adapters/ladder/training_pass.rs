//! Loss and gradients of a side network on one micro-batch. The backbone runs forward only, and the
//! side network beside it; what survives of the backbone is its last hidden state and the taps. Even
//! those need not survive: with taps recomputed, the backbone runs a second time, once the gradients
//! are known that the connections multiply them with.

use std::ops::Range;

use candle_core::Tensor;
use stepladder_protocol::{Switch, TapDtype};

use super::side_network::{JoinedGradient, SideKeep, SideNetwork, missing_tap};
use crate::Result;
use crate::adapters::kept::{KeptStates, narrowed};
use crate::adapters::parameters::Parameters;
use crate::adapters::targets::{TargetRows, TargetedInput, loss_of_targets};
use crate::models::decoder::{Decoder, TokenInput};
use crate::models::kv_cache::KvCache;
use crate::ops::elementwise::{add_rows, gather_rows, zeros_like};
use crate::ops::linear_cross_entropy::Gradient;

/// How a side network is trained.
#[derive(Clone, Copy, Debug, Default)]
pub struct SideTraining {
    /// Recompute side layers in the backward pass.
    pub recompute: Switch,
    /// Run the backbone again for the taps instead of keeping them.
    pub recompute_taps: Switch,
    /// How taps are kept.
    pub taps: KeptStates,
}

/// The rows of the last hidden state that predict targets, with the side network's share.
struct UpsampledRows<'a> {
    network: &'a SideNetwork,
    gradients: &'a Parameters,
    /// x_L, `[tokens, d_model]`.
    hidden: &'a Tensor,
    /// s_l, `[tokens, d_side]`.
    side: &'a Tensor,
    /// Gradient of s_l.
    d_side: Option<&'a Tensor>,
    target_rows: &'a [u32],
}

impl TargetRows for UpsampledRows<'_> {
    fn hidden(&mut self, targets: Range<usize>) -> Result<Tensor> {
        let rows = &self.target_rows[targets];
        let (hidden, side) = (
            gather_rows(self.hidden, rows)?,
            gather_rows(self.side, rows)?,
        );
        self.network.upsample(&hidden, &side)
    }

    fn take_gradient(&mut self, targets: Range<usize>, gradient: Tensor) -> Result<()> {
        let rows = &self.target_rows[targets];
        let side = gather_rows(self.side, rows)?;
        let grad = self
            .network
            .upsample_backward(self.gradients, &side, &gradient)?;
        match self.d_side {
            Some(d_side) => Ok(add_rows(d_side, &grad, rows)?),
            None => Ok(()),
        }
    }
}

impl SideNetwork {
    /// Runs backbone and side network side by side: x_L `[tokens, d_model]` and s_l
    /// `[tokens, d_side]`. With caches (of the backbone and of this network), the tokens continue
    /// what they hold.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn run(
        &self,
        backbone: &Decoder,
        input: TokenInput<'_>,
        caches: Option<(&mut KvCache, &mut KvCache)>,
        tap_dtype: TapDtype,
    ) -> Result<(Tensor, Tensor)> {
        let (cache, side_cache) = caches.unzip();
        let mut side = self.start(input, SideKeep::Nothing, side_cache);
        let hidden =
            backbone.forward(input, cache, |layer, output| match self.layer_at(layer) {
                Some(_) => side.tap(&narrowed(output, tap_dtype)?),
                None => Ok(()),
            })?;
        Ok((hidden, side.finish()?.output))
    }

    /// Sum of the target tokens' losses, in nats. With [`Gradient::Scaled`], the gradient of
    /// `factor * sum` is added to `gradients`.
    ///
    /// # Errors
    /// When shapes do not fit or a target lies outside the vocabulary.
    pub fn loss(
        &self,
        backbone: &Decoder,
        input: TargetedInput<'_>,
        training: SideTraining,
        gradient: Gradient,
        gradients: &Parameters,
    ) -> Result<f64> {
        let tokens = input.tokens;
        if let Gradient::Skip = gradient {
            let (hidden, side) = self.run(backbone, tokens, None, training.taps.dtype)?;
            let mut rows = UpsampledRows {
                network: self,
                gradients,
                hidden: &hidden,
                side: &side,
                d_side: None,
                target_rows: input.target_rows,
            };
            return loss_of_targets(backbone, &mut rows, input.target_ids, gradient);
        }
        let keep = match training.recompute {
            Switch::On => SideKeep::Inputs,
            Switch::Off => SideKeep::Activations,
        };
        let mut run = self.start(tokens, keep, None);
        let mut taps = Vec::new();
        let hidden = backbone.forward(tokens, None, |layer, output| {
            if self.layer_at(layer).is_none() {
                return Ok(());
            }
            if training.recompute_taps == Switch::On {
                return run.tap(&narrowed(output, training.taps.dtype)?);
            }
            let tap = training.taps.keep(output)?;
            run.tap(&tap)?;
            taps.push(tap);
            Ok(())
        })?;
        let forward = run.finish()?;
        let d_side = zeros_like(&forward.output)?;
        let mut rows = UpsampledRows {
            network: self,
            gradients,
            hidden: &hidden,
            side: &forward.output,
            d_side: Some(&d_side),
            target_rows: input.target_rows,
        };
        let loss = loss_of_targets(backbone, &mut rows, input.target_ids, gradient)?;
        drop(hidden);
        match training.recompute_taps {
            Switch::Off => {
                self.backward(gradients, forward, tokens, &d_side, |layer, grad, state| {
                    let tap = taps.pop().ok_or_else(|| missing_tap(layer))?;
                    let joined = JoinedGradient::new(grad.clone(), state);
                    self.connection_backward(gradients, layer, &tap, &joined, tokens)
                })?;
            }
            Switch::On => {
                let mut joined = Vec::new();
                self.backward(gradients, forward, tokens, &d_side, |_, grad, state| {
                    joined.push(JoinedGradient::new(grad.copy()?, state));
                    Ok(())
                })?;
                drop(d_side);
                backbone.forward(tokens, None, |layer, output| {
                    let Some(layer) = self.layer_at(layer) else {
                        return Ok(());
                    };
                    let joined = joined.pop().ok_or_else(|| missing_tap(layer))?;
                    let tap = narrowed(output, training.taps.dtype)?;
                    self.connection_backward(gradients, layer, &tap, &joined, tokens)
                })?;
            }
        }
        Ok(loss)
    }
}
