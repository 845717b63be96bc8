//! Loss and gradients of a LoRA adapter on one micro-batch. The backbone is driven block by block:
//! forward keeps the blocks' inputs (and, without recomputation, their activations), backward goes
//! through one block at a time and drops what it has used.

use std::ops::Range;

use candle_core::{DType, Tensor};
use stepladder_protocol::Switch;

use super::dropout::Dropout;
use super::{Lora, LowRank};
use crate::Result;
use crate::adapters::kept::KeptStates;
use crate::adapters::parameters::Parameters;
use crate::adapters::targets::{TargetRows, TargetedInput, loss_of_targets};
use crate::models::decoder::Decoder;
use crate::models::layers::BlockActivations;
use crate::ops::elementwise::{add_rows, gather_rows, to_type, zeros_like};
use crate::ops::linear_cross_entropy::Gradient;

/// How an adapter is trained.
#[derive(Clone, Copy, Debug)]
pub struct LoraTraining {
    /// Recompute the blocks in the backward pass.
    pub recompute: Switch,
    /// How the inputs of recomputed blocks are kept.
    pub inputs: KeptStates,
    /// Seed of the dropout.
    pub seed: u64,
    /// Which micro-batch of the run this is; dropout draws anew in each.
    pub draw: u64,
}

/// A block's input, and unless it is recomputed, what its backward needs.
enum KeptBlock {
    Input(Tensor),
    Activations(Tensor, BlockActivations),
}

/// The rows of the last hidden state that predict targets.
struct HiddenRows<'a> {
    /// x_L, `[tokens, d_model]`.
    hidden: &'a Tensor,
    /// Its gradient.
    grad: Option<&'a Tensor>,
    target_rows: &'a [u32],
}

impl TargetRows for HiddenRows<'_> {
    fn hidden(&mut self, targets: Range<usize>) -> Result<Tensor> {
        let rows = gather_rows(self.hidden, &self.target_rows[targets])?;
        Ok(to_type(&rows, DType::F32)?)
    }

    fn take_gradient(&mut self, targets: Range<usize>, gradient: Tensor) -> Result<()> {
        match self.grad {
            Some(grad) => {
                let gradient = to_type(&gradient, grad.dtype())?;
                Ok(add_rows(grad, &gradient, &self.target_rows[targets])?)
            }
            None => Ok(()),
        }
    }
}

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
            let mut rows = HiddenRows {
                hidden: &hidden,
                grad: None,
                target_rows: input.target_rows,
            };
            return loss_of_targets(backbone, &mut rows, input.target_ids, gradient);
        }
        let fraction = self.shape().dropout;
        let dropout = (fraction > 0.0).then_some(Dropout {
            fraction,
            seed: training.seed,
            draw: training.draw,
        });
        let additions = LowRank::training(self, gradients, dropout);
        let pass = backbone.pass(tokens, Some(&additions));
        let mut kept = Vec::with_capacity(backbone.config().layers);
        let mut x = backbone.embed(tokens.ids)?;
        for layer in 0..backbone.config().layers {
            kept.push(match training.recompute {
                Switch::On => {
                    let input = training.inputs.keep(&x)?;
                    backbone.forward_block(layer, &x, &pass)?;
                    KeptBlock::Input(input)
                }
                Switch::Off => {
                    let (output, activations) = backbone.forward_block_keeping(layer, &x, &pass)?;
                    KeptBlock::Activations(std::mem::replace(&mut x, output), activations)
                }
            });
        }
        let grad = zeros_like(&x)?;
        let mut rows = HiddenRows {
            hidden: &x,
            grad: Some(&grad),
            target_rows: input.target_rows,
        };
        let loss = loss_of_targets(backbone, &mut rows, input.target_ids, gradient)?;
        drop(x);
        // A block's activations are dropped before those of the one below are recomputed.
        while let Some(block) = kept.pop() {
            let layer = kept.len();
            let (x, activations) = match block {
                KeptBlock::Activations(x, activations) => (x, activations),
                KeptBlock::Input(input) => {
                    let x = training.inputs.read(&input, backbone.compute())?;
                    drop(input);
                    let activations = backbone.recompute_block(layer, &x, &pass)?;
                    (x, activations)
                }
            };
            backbone.backward_block(layer, &x, activations, &pass, &grad)?;
        }
        Ok(loss)
    }
}
