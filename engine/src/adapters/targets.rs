//! What every method shares at the end of a micro-batch: frozen norm, frozen head, and the loss of
//! the rows that predict something.

use candle_core::Tensor;

use crate::Result;
use crate::models::decoder::{Decoder, TokenInput};
use crate::ops::linear_cross_entropy::{Gradient, linear_cross_entropy};
use crate::ops::rms_norm::{rms_norm, rms_norm_backward};

/// Tokens and what they should predict.
#[derive(Clone, Copy, Debug)]
pub struct TargetedInput<'a> {
    /// The tokens.
    pub tokens: TokenInput<'a>,
    /// Rows (of `batch * seq`) whose hidden state predicts a target.
    pub target_rows: &'a [u32],
    /// The token each of them should predict.
    pub target_ids: &'a [u32],
}

/// Sum of the losses of `hidden` `[targets, d_model]` (the last block's output) in nats, and its
/// gradient with respect to `hidden`, if asked for.
///
/// # Errors
/// When shapes do not fit or a target lies outside the vocabulary.
pub fn loss_of_rows(
    backbone: &Decoder,
    hidden: Tensor,
    target_ids: &[u32],
    gradient: Gradient,
) -> Result<(f64, Option<Tensor>)> {
    let (eps, soft_cap) = (backbone.config().norm_eps, backbone.config().final_soft_cap);
    let norm = Some(backbone.final_norm());
    let normed = rms_norm(&hidden, norm, eps)?;
    let loss = linear_cross_entropy(&normed, backbone.head(), soft_cap, target_ids, gradient)?;
    drop(normed);
    let hidden_gradient = match loss.hidden_gradient {
        Some(grad) => Some(rms_norm_backward(&hidden, norm, eps, &grad)?),
        None => None,
    };
    Ok((loss.loss_sum, hidden_gradient))
}
