//! Loss and gradients of a side network on one micro-batch. The backbone runs forward only; what
//! survives of it are the taps and the last hidden state of the target rows.

use candle_core::{DType, Tensor};
use stepladder_protocol::{Switch, TapDtype};

use super::side_network::SideNetwork;
use crate::Result;
use crate::adapters::parameters::Parameters;
use crate::adapters::targets::{TargetedInput, loss_of_rows};
use crate::models::decoder::{Decoder, TokenInput};
use crate::ops::elementwise::{gather_rows, scatter_rows};
use crate::ops::linear_cross_entropy::Gradient;

/// How a side network is trained.
#[derive(Clone, Copy, Debug, Default)]
pub struct SideTraining {
    /// Recompute side layers in the backward pass.
    pub recompute: Switch,
    /// The type taps are kept in.
    pub tap_dtype: TapDtype,
}

/// The candle type of a tap.
pub fn tap_type(dtype: TapDtype) -> DType {
    match dtype {
        TapDtype::F32 => DType::F32,
        TapDtype::Bf16 => DType::BF16,
        TapDtype::F16 => DType::F16,
    }
}

impl SideNetwork {
    /// Runs the backbone, keeping the taps this network reads, in connection order.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn run_backbone(
        &self,
        backbone: &Decoder,
        input: TokenInput<'_>,
        cache: Option<&mut crate::models::kv_cache::KvCache>,
        tap_dtype: TapDtype,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let mut taps = Vec::with_capacity(self.wiring().taps.len());
        let hidden = backbone.forward(input, cache, |layer, output| {
            // Taps are strictly increasing, so they arrive in connection order.
            if self.wiring().taps.get(taps.len()) == Some(&layer) {
                taps.push(output.to_dtype(tap_type(tap_dtype))?);
            }
            Ok(())
        })?;
        Ok((hidden, taps))
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
        let (hidden, taps) = self.run_backbone(backbone, tokens, None, training.tap_dtype)?;
        let hidden = gather_rows(&hidden, input.target_rows)?; // [targets, d_model]
        let recompute = match gradient {
            Gradient::Skip => Switch::On,
            Gradient::Scaled(_) => training.recompute,
        };
        let side = self.forward(&taps, tokens, recompute)?;
        let side_rows = gather_rows(&side.output, input.target_rows)?; // [targets, d_side]
        let shifted = self.upsample(&hidden, &side_rows)?;
        drop(hidden);
        let (loss, grad) = loss_of_rows(backbone, shifted, input.target_ids, gradient)?;
        if let Some(grad) = grad {
            let grad = self.upsample_backward(gradients, &side_rows, &grad)?;
            drop(side_rows);
            let grad = scatter_rows(&grad, input.target_rows, tokens.batch * tokens.seq)?;
            self.backward(gradients, side, &taps, tokens, grad)?;
        }
        Ok(loss)
    }
}
