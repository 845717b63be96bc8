//! The side network's passes, as the ledger sees them; see `passes`. Their twins are in
//! `adapters::ladder::side_network` and `adapters::ladder::side_block`.

use stepladder_protocol::{Downsample, Inject};

use super::ledger::{Item, Ledger};
use super::passes::{Heads, Sizes};
use crate::adapters::ladder::Wiring;

/// A side network beside such a micro-batch.
#[derive(Clone, Copy)]
pub(super) struct SideSizes<'a> {
    pub(super) sizes: Sizes<'a>,
    pub(super) wiring: &'a Wiring,
    /// Bytes of a number in a kept tap.
    pub(super) tap_bytes: u64,
}

/// What a side layer's forward pass keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    Inputs,
    Activations,
}

impl SideSizes<'_> {
    fn h(&self) -> u64 {
        self.wiring.d_side as u64
    }

    fn f(&self) -> u64 {
        self.wiring.d_ff as u64
    }

    fn heads(&self) -> u64 {
        self.wiring.heads as u64
    }

    fn tile(&self, width: u64) -> u64 {
        self.sizes.floats(self.sizes.tile() * width)
    }

    /// s_j, `[tokens, d_side]`.
    pub(super) fn state(&self) -> u64 {
        self.sizes.floats(self.sizes.tokens() * self.h())
    }

    /// Rotary angles of the side network.
    pub(super) fn angles(&self) -> u64 {
        let half = self.wiring.head_dim() as u64 / 2;
        2 * half * self.sizes.tokens() * self.sizes.device.angle_bytes
    }

    /// One tile of a tap, widened, normalized and downsampled; `grad` numbers per token of more.
    fn connection(&self, ledger: &mut Ledger, more: u64) {
        let d = self.sizes.d();
        let widened = match self.tap_bytes == self.sizes.device.float_bytes {
            true => 0,
            false => d,
        };
        ledger.during(Item::Tiles, self.tile(widened), |ledger| {
            ledger.touch(Item::Tiles, self.tile(d));
        });
        ledger.during(Item::Tiles, self.tile(d + more), |ledger| {
            ledger.touch(Item::Widened, self.sizes.rounded(d * self.h()));
        });
    }

    /// `SideRun::tap`'s joined state, which is taken, before the layer runs.
    pub(super) fn join(&self, ledger: &mut Ledger) {
        ledger.take(Item::HiddenStates, self.state());
        let adapter = match self.wiring.downsample {
            Downsample::Adapter => 2 * self.h(),
            _ => self.h(),
        };
        self.connection(ledger, adapter);
    }

    fn project(&self, ledger: &mut Ledger, item: Item) -> u64 {
        let all = 3 * self.state();
        ledger.take(item, all);
        ledger.touch(Item::Tiles, self.tile(self.h()));
        all
    }

    /// `SideBlock::forward`: the state is replaced where it lies.
    fn block_forward(&self, ledger: &mut Ledger) {
        let projected = self.project(ledger, Item::HiddenStates);
        self.block_forward_projected(ledger, projected);
    }

    /// The same with a cache that has room for so many tokens; it stays held.
    pub(super) fn block_forward_caching(&self, ledger: &mut Ledger, room: u64) {
        let projected = self.project(ledger, Item::HiddenStates);
        let caches = self.sizes.floats(self.sizes.batch * room * 2 * self.h());
        ledger.take(Item::Caches, caches);
        // keys and values are copied there
        ledger.give(Item::HiddenStates, 2 * self.state());
        self.block_forward_projected(ledger, projected - 2 * self.state());
    }

    fn block_forward_projected(&self, ledger: &mut Ledger, projected: u64) {
        let (h, f) = (self.h(), self.f());
        // attended and log-sum-exp stay to the end of the tile
        let sums = self.sizes.sums(self.sizes.tile() * self.heads());
        ledger.during(Item::Tiles, self.tile(h) + sums, |ledger| {
            ledger.touch(Item::Scores, self.sizes.scores_of_a_tile());
            ledger.during(Item::Tiles, self.tile(h + 2 * f + f + h), |ledger| {
                ledger.touch(Item::Widened, self.sizes.rounded(h * f));
            });
        });
        ledger.give(Item::HiddenStates, projected);
    }

    fn recompute(&self, ledger: &mut Ledger, item: Item) -> u64 {
        let projected = self.project(ledger, item);
        let heads = self.sizes.sums(self.sizes.tokens() * self.heads());
        ledger.take(item, self.state() + heads);
        ledger.touch(
            Item::Scores,
            self.sizes.scores(self.sizes.batch, self.sizes.seq),
        );
        projected + self.state() + heads
    }

    /// `SideRun::run_layer` on a joined state that is held as hidden state; the output is, afterwards.
    /// Returns what the layer keeps in [`Item::SideActivations`]: attention's share and the rest.
    pub(super) fn layer_forward(&self, ledger: &mut Ledger, keeps: Keeps) -> (u64, u64) {
        let (h, f, state) = (self.h(), self.f(), self.state());
        // The joined state is kept, and the output takes its place among the hidden states.
        ledger.take(Item::SideActivations, state);
        if keeps == Keeps::Inputs {
            self.block_forward(ledger);
            return (0, 0);
        }
        let before = ledger.now();
        ledger.give(Item::HiddenStates, state);
        let attention = self.recompute(ledger, Item::SideActivations);
        let rest = self.sizes.floats(self.sizes.tokens() * (h + 2 * f));
        ledger.take(Item::SideActivations, rest);
        ledger.take(Item::HiddenStates, state);
        ledger.during(Item::Tiles, self.tile(h + f + h), |ledger| {
            ledger.touch(Item::Widened, self.sizes.rounded(h * f));
        });
        debug_assert_eq!(ledger.now(), before + attention + rest);
        (attention, rest)
    }

    /// One layer's backward, its kept input and activations given back.
    pub(super) fn layer_backward(&self, ledger: &mut Ledger, keeps: Keeps, kept: (u64, u64)) {
        let (h, f, state) = (self.h(), self.f(), self.state());
        let (item, attention, rest) = match keeps {
            Keeps::Activations => (Item::SideActivations, kept.0, kept.1),
            Keeps::Inputs => {
                let attention = self.recompute(ledger, Item::HiddenStates);
                (Item::HiddenStates, attention, 0)
            }
        };
        ledger.take(Item::HiddenStates, state); // d_attended
        let half = match keeps {
            Keeps::Activations => 0,
            Keeps::Inputs => self.tile(h + 2 * f),
        };
        ledger.during(Item::Tiles, half, |ledger| {
            if keeps == Keeps::Inputs {
                ledger.touch(Item::Tiles, self.tile(h));
            }
            // swiglu for down's gradient; then its own gradient, and those of gate and up
            ledger.touch(Item::Tiles, self.tile(f));
            ledger.touch(Item::Tiles, self.tile(3 * f));
            ledger.during(Item::Tiles, self.tile(2 * f + 2 * h), |ledger| {
                ledger.touch(Item::Widened, self.sizes.rounded(h * f));
            });
            ledger.touch(Item::Tiles, self.tile(2 * h));
        });
        ledger.give(item, rest);
        ledger.take(Item::HiddenStates, 3 * state);
        let heads = Heads {
            heads: self.heads(),
            kv_heads: self.heads(),
            head_dim: self.wiring.head_dim() as u64,
        };
        ledger.touch(Item::Scores, self.sizes.scores_backward(heads));
        ledger.give(Item::HiddenStates, state); // d_attended
        ledger.give(item, attention);
        ledger.touch(Item::Tiles, self.tile(3 * h));
        ledger.give(Item::HiddenStates, 3 * state);
        ledger.give(Item::SideActivations, state);
    }

    /// `SideNetwork::connection_backward`, for one tile of a tap.
    pub(super) fn connection_backward(&self, ledger: &mut Ledger) {
        let more = match self.wiring.inject {
            Inject::Sum => 0,
            Inject::Gate => 2 * self.h(),
        };
        let adapter = match self.wiring.downsample {
            Downsample::Adapter => 3 * self.h(),
            _ => 0,
        };
        self.connection(ledger, more + adapter);
    }
}
