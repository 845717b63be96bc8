//! Loss and gradients of a LoRA adapter on one micro-batch. The backbone is driven block by block:
//! forward keeps the blocks' inputs (and, without recomputation, their activations), backward goes
//! through one block at a time and drops what it has used.

use candle_core::Tensor;
use stepladder_protocol::Switch;

use super::dropout::Dropout;
use super::{Lora, LowRank};
use crate::adapters::parameters::Parameters;
use crate::adapters::targets::{TargetedInput, loss_of_rows};
use crate::models::decoder::Decoder;
use crate::models::layers::{BlockActivations, Keep};
use crate::ops::elementwise::{gather_rows, scatter_rows};
use crate::ops::linear_cross_entropy::Gradient;
use crate::{Error, Result};

/// How an adapter is trained.
#[derive(Clone, Copy, Debug)]
pub struct LoraTraining {
    /// Recompute the blocks in the backward pass.
    pub recompute: Switch,
    /// Seed of the dropout.
    pub seed: u64,
    /// Which micro-batch of the run this is; dropout draws anew in each.
    pub draw: u64,
}

/// A block's input and, unless it is recomputed, what its backward needs.
type KeptBlock = (Tensor, Option<BlockActivations>);

impl Lora {
    /// Sum of the target tokens' losses, in nats. With [`Gradient::Scaled`], the gradient of
    /// `factor * sum` is added to `gradients`.
    ///
    /// # Errors
    /// When shapes do not fit or a target lies outside the vocabulary.
    pub fn loss(
        &self,
        backbone: &Decoder,
        input: TargetedInput<'_>,
        training: LoraTraining,
        gradient: Gradient,
        gradients: &Parameters,
    ) -> Result<f64> {
        let tokens = input.tokens;
        if let Gradient::Skip = gradient {
            let additions = LowRank::new(self);
            let hidden = backbone.forward_with(tokens, None, Some(&additions), |_, _| Ok(()))?;
            let rows = gather_rows(&hidden, input.target_rows)?;
            drop(hidden);
            return Ok(loss_of_rows(backbone, rows, input.target_ids, gradient)?.0);
        }
        let fraction = self.shape().dropout;
        let dropout = (fraction > 0.0).then_some(Dropout {
            fraction,
            seed: training.seed,
            draw: training.draw,
        });
        let additions = LowRank::training(self, gradients, dropout);
        let pass = backbone.pass(tokens, Some(&additions));
        let keep = match training.recompute {
            Switch::On => Keep::Nothing,
            Switch::Off => Keep::Activations,
        };
        let layers = backbone.config().layers;
        let mut kept: Vec<KeptBlock> = Vec::with_capacity(layers);
        let mut x = backbone.embed(tokens.ids)?;
        for layer in 0..layers {
            let (output, activations) = backbone.forward_block(layer, &x, &pass, keep)?;
            kept.push((std::mem::replace(&mut x, output), activations));
        }
        let rows = gather_rows(&x, input.target_rows)?;
        drop(x);
        let (loss, grad) = loss_of_rows(backbone, rows, input.target_ids, gradient)?;
        let Some(grad) = grad else {
            return Ok(loss);
        };
        let mut grad = scatter_rows(&grad, input.target_rows, tokens.batch * tokens.seq)?;
        // A block's activations are dropped before those of the one below are recomputed.
        while let Some((x, activations)) = kept.pop() {
            let layer = kept.len();
            let activations = match activations {
                Some(activations) => activations,
                None => backbone
                    .forward_block(layer, &x, &pass, Keep::Activations)?
                    .1
                    .ok_or_else(nothing_kept)?,
            };
            grad = backbone.backward_block(layer, &x, activations, &pass, grad)?;
        }
        Ok(loss)
    }
}

fn nothing_kept() -> Error {
    Error::Tensor(candle_core::Error::Msg(
        "a block kept no activations".to_owned(),
    ))
}
