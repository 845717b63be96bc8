//! One pass of the backbone with any number of side networks beside it. They change nothing in the
//! backbone, so the base model and all of them need it only once.

use std::ops::Range;

use candle_core::Tensor;
use stepladder_protocol::TapDtype;

use crate::Result;
use crate::adapters::kept::narrowed;
use crate::adapters::ladder::SideNetwork;
use crate::adapters::ladder::side_network::SideKeep;
use crate::adapters::lora::{Lora, LowRank};
use crate::models::decoder::{Decoder, TokenInput};
use crate::models::kv_cache::KvCache;
use crate::models::layers::Additions;

/// A side network, and the type its taps were trained in.
pub type SideInUse<'a> = (&'a SideNetwork, TapDtype);

/// A side network that reads some rows of a pass.
pub(super) struct Beside<'a> {
    pub(super) side: SideInUse<'a>,
    /// What it holds of these rows.
    pub(super) cache: &'a mut KvCache,
    /// Rows of the batch; at least one.
    pub(super) rows: Range<usize>,
}

/// Runs the tokens `input` through the backbone, whose `cache` they continue, and the side networks:
/// x_L `[batch * seq, d_model]`, and s_l `[rows * seq, d_side]` of each.
pub(super) fn run_beside(
    backbone: &Decoder,
    input: TokenInput<'_>,
    cache: &mut KvCache,
    lora: Option<&Lora>,
    beside: Vec<Beside<'_>>,
) -> Result<(Tensor, Vec<Tensor>)> {
    let mut runs = Vec::with_capacity(beside.len());
    for Beside { side, cache, rows } in beside {
        let tokens = rows.start * input.seq..rows.end * input.seq;
        let own = TokenInput {
            ids: &input.ids[tokens.clone()],
            positions: &input.positions[tokens.clone()],
            first_visible: match input.first_visible.is_empty() {
                true => &[],
                false => &input.first_visible[tokens.clone()],
            },
            batch: rows.len(),
            seq: input.seq,
        };
        let run = side.0.start(own, SideKeep::Nothing, Some(cache));
        runs.push((side, tokens, run));
    }
    let additions = lora.map(LowRank::new);
    let additions = additions.as_ref().map(|added| added as &dyn Additions);
    let hidden = backbone.forward_with(input, Some(cache), additions, |layer, output| {
        for ((network, tap_dtype), tokens, run) in &mut runs {
            if network.layer_at(layer).is_some() {
                let tap = output.narrow(0, tokens.start, tokens.len())?;
                run.tap(&narrowed(&tap, *tap_dtype)?)?;
            }
        }
        Ok(())
    })?;
    let sides = runs.into_iter().map(|(_, _, run)| Ok(run.finish()?.output));
    Ok((hidden, sides.collect::<Result<Vec<_>>>()?))
}
