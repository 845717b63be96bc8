//! What every method shares at the end of a micro-batch: frozen norm, frozen head, and the loss of
//! the rows that predict something. Those rows go through it in chunks, so nothing as wide as the
//! model is made for all of them.

use std::ops::Range;

use candle_core::Tensor;

use crate::Result;
use crate::models::decoder::{Decoder, TokenInput};
use crate::ops::linear_cross_entropy::{Gradient, chunk_tokens, linear_cross_entropy};
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

/// Where the hidden states come from that predict targets, and where their gradients go.
pub trait TargetRows {
    /// The last block's output at these targets, with what the adapter adds to it, `[targets, d_model]`
    /// in f32.
    ///
    /// # Errors
    /// When they cannot be made.
    fn hidden(&mut self, targets: Range<usize>) -> Result<Tensor>;

    /// Takes the gradient of what [`Self::hidden`] gave last, in f32.
    ///
    /// # Errors
    /// When it does not fit.
    fn take_gradient(&mut self, targets: Range<usize>, gradient: Tensor) -> Result<()>;
}

/// Sum of the targets' losses in nats; with [`Gradient::Scaled`], gradients are handed to `rows`.
///
/// # Errors
/// When shapes do not fit or a target lies outside the vocabulary.
pub fn loss_of_targets(
    backbone: &Decoder,
    rows: &mut dyn TargetRows,
    target_ids: &[u32],
    gradient: Gradient,
) -> Result<f64> {
    let (eps, soft_cap) = (backbone.config().norm_eps, backbone.config().final_soft_cap);
    let norm = Some(backbone.final_norm());
    let device = backbone.compute().device();
    let chunk = chunk_tokens(backbone.config().vocabulary, device);
    let mut loss_sum = 0.0;
    for first in (0..target_ids.len()).step_by(chunk) {
        let targets = first..(first + chunk).min(target_ids.len());
        let hidden = rows.hidden(targets.clone())?;
        let normed = rms_norm(&hidden, norm, eps)?;
        let ids = &target_ids[targets.clone()];
        let loss = linear_cross_entropy(&normed, backbone.head(), soft_cap, ids, gradient)?;
        drop(normed);
        loss_sum += loss.loss_sum;
        if let Some(grad) = loss.hidden_gradient {
            let grad = rms_norm_backward(&hidden, norm, eps, &grad)?;
            drop(hidden);
            rows.take_gradient(targets, grad)?;
        }
    }
    Ok(loss_sum)
}
