//! The backbone's passes, as the ledger sees them: each function takes and gives what the function of
//! the same name in `models::layers::block` allocates, in the same order.

use super::device_class::DeviceClass;
use super::ledger::{Item, Ledger};
use super::weights::{Form, WeightForms};
use crate::models::config::DecoderConfig;
use crate::ops::attention;
use crate::ops::frozen_linear::{FEW_TOKENS, UNPACKED_ROWS, UNPACKED_TOKENS};
use crate::ops::token_tiles::largest_tile;

/// Query rows of one tile of attention.
const QUERY_TILE: u64 = attention::QUERY_TILE as u64;

/// Sizes of one micro-batch going through a model.
#[derive(Clone, Copy)]
pub(super) struct Sizes<'a> {
    pub(super) device: DeviceClass,
    pub(super) model: &'a DecoderConfig,
    pub(super) forms: &'a WeightForms,
    /// Rank of LoRA's additions, and whether inputs are dropped out; 0: nothing is added.
    pub(super) rank: u64,
    pub(super) dropout: bool,
    pub(super) batch: u64,
    pub(super) seq: u64,
}

/// Heads of an attention, for its scratch.
#[derive(Clone, Copy)]
pub(super) struct Heads {
    pub(super) heads: u64,
    pub(super) kv_heads: u64,
    pub(super) head_dim: u64,
}

impl Sizes<'_> {
    pub(super) fn tokens(&self) -> u64 {
        self.batch * self.seq
    }

    pub(super) fn tile(&self) -> u64 {
        largest_tile(self.batch as usize, self.seq as usize) as u64
    }

    /// Bytes of so many numbers in the type of activations.
    pub(super) fn floats(&self, numbers: u64) -> u64 {
        numbers * self.device.float_bytes
    }

    /// Bytes of so many numbers that are f32 whatever the type of activations: log-sum-exps, the hidden
    /// states that predict targets, their logits.
    pub(super) fn sums(&self, numbers: u64) -> u64 {
        4 * numbers
    }

    /// Bytes of a trained weight's copy in the type of activations, which it is rounded to for a product.
    pub(super) fn rounded(&self, numbers: u64) -> u64 {
        match self.device.float_bytes {
            4 => 0,
            narrow => narrow * numbers,
        }
    }

    pub(super) fn d(&self) -> u64 {
        self.model.d_model as u64
    }

    fn q(&self) -> u64 {
        (self.model.heads * self.model.head_dim) as u64
    }

    fn kv(&self) -> u64 {
        (self.model.kv_heads * self.model.head_dim) as u64
    }

    fn f(&self) -> u64 {
        self.model.d_ff as u64
    }

    /// `x` or `x_L`, `[tokens, d_model]`.
    pub(super) fn hidden(&self) -> u64 {
        self.floats(self.tokens() * self.d())
    }

    /// Rotary angles of the backbone.
    pub(super) fn angles(&self) -> u64 {
        let of = |rope: &crate::models::rope_scaling::RopeConfig| {
            2 * rope.pairs(self.model.head_dim) as u64
        };
        let window = self.model.window_rope.as_ref().map_or(0, of);
        self.tokens() * (of(&self.model.rope) + window) * self.device.angle_bytes
    }

    /// Scratch of a product of `tokens` tokens with a frozen weight `[rows, columns]`.
    pub(super) fn widened(&self, form: &Form, tokens: u64, rows: u64, columns: u64) -> u64 {
        let tile = match form.is_widened(self.device.float_bytes) {
            true => self.device.widened_rows(rows, columns) * columns,
            false => 0,
        };
        // With few tokens a product on the CPU gives its outputs transposed.
        let transposed_rows = match tokens as usize {
            tokens if tokens > UNPACKED_TOKENS || self.device.has_own_memory => 0,
            tokens if tokens > FEW_TOKENS => rows.min(UNPACKED_ROWS as u64),
            _ => rows,
        };
        let transposed = transposed_rows * tokens;
        self.floats(tile + transposed)
    }

    fn block_product(&self, ledger: &mut Ledger, rows: u64, columns: u64) {
        let tile = self.tile();
        ledger.touch(
            Item::Widened,
            self.widened(&self.forms.blocks, tile, rows, columns),
        );
        self.addition(ledger, columns);
    }

    /// What LoRA makes of a tile to add to a product: its low-rank state, and its input dropped out.
    fn addition(&self, ledger: &mut Ledger, inputs: u64) {
        if self.rank > 0 {
            let dropped = if self.dropout { inputs } else { 0 };
            ledger.touch(
                Item::Tiles,
                self.floats(self.tile() * (self.rank + dropped)),
            );
            ledger.touch(Item::Widened, self.rounded(self.rank * inputs));
        }
    }

    /// The same in the backward: two low-rank states, and with dropout two more copies.
    fn addition_backward(&self, ledger: &mut Ledger, inputs: u64) {
        if self.rank > 0 {
            let dropped = if self.dropout { 3 * inputs } else { 0 };
            ledger.touch(
                Item::Tiles,
                self.floats(self.tile() * (2 * self.rank + dropped)),
            );
            ledger.touch(Item::Widened, self.rounded(self.rank * inputs));
        }
    }

    fn heads(&self) -> Heads {
        Heads {
            heads: self.model.heads as u64,
            kv_heads: self.model.kv_heads as u64,
            head_dim: self.model.head_dim as u64,
        }
    }

    /// Scores of attention for the queries of `rows` rows with `queries` each.
    pub(super) fn scores(&self, rows: u64, queries: u64) -> u64 {
        let tiles = rows * queries.div_ceil(QUERY_TILE);
        let workers = self.device.attention_workers.min(tiles);
        self.floats(workers * QUERY_TILE.min(queries) * self.seq)
    }

    pub(super) fn scores_of_a_tile(&self) -> u64 {
        let rows = (self.tile() / self.seq.max(1)).max(1);
        self.scores(rows, self.tile() / rows)
    }

    /// Gradients of keys and values and two tiles of scores, for each head at work; on a card a sum for
    /// each query and head.
    pub(super) fn scores_backward(&self, heads: Heads) -> u64 {
        if self.device.has_own_memory {
            return self.sums(self.tokens() * heads.heads);
        }
        let workers = self
            .device
            .attention_workers
            .min(self.batch * heads.kv_heads);
        let own = 2 * self.seq * heads.head_dim + QUERY_TILE * heads.head_dim;
        self.floats(workers * (own + 2 * QUERY_TILE.min(self.seq) * self.seq))
    }

    /// Queries, keys and values of a block: made in `item`, and what making them takes.
    fn project(&self, ledger: &mut Ledger, item: Item, keeps_unnormed: bool) -> u64 {
        let (t, tile, d) = (self.tokens(), self.tile(), self.d());
        let (q, kv) = (self.floats(t * self.q()), self.floats(t * self.kv()));
        ledger.take(item, q + 2 * kv);
        ledger.during(Item::Tiles, self.floats(tile * d), |ledger| {
            self.block_product(ledger, self.q(), d);
        });
        if !self.model.qk_norm {
            return q + 2 * kv;
        }
        if keeps_unnormed {
            ledger.take(item, q + kv);
            return 2 * q + 3 * kv;
        }
        ledger.touch(item, q);
        ledger.touch(item, kv);
        q + 2 * kv
    }

    /// `Block::forward`: the hidden states are replaced where they lie.
    pub(super) fn block_forward(&self, ledger: &mut Ledger) {
        let projected = self.project(ledger, Item::HiddenStates, false);
        self.block_forward_projected(ledger, projected);
    }

    /// The same with a cache that has room for so many tokens; it stays held.
    pub(super) fn block_forward_caching(&self, ledger: &mut Ledger, room: u64) {
        let projected = self.project(ledger, Item::HiddenStates, false);
        ledger.take(Item::Caches, self.floats(self.batch * room * 2 * self.kv()));
        // keys and values are copied there
        let copied = 2 * self.floats(self.tokens() * self.kv());
        ledger.give(Item::HiddenStates, copied);
        self.block_forward_projected(ledger, projected - copied);
    }

    /// What follows, with `projected` bytes of what was projected still held; they are given back.
    fn block_forward_projected(&self, ledger: &mut Ledger, projected: u64) {
        let tile = |width: u64| self.floats(self.tile() * width);
        let (d, q, f) = (self.d(), self.q(), self.f());
        let attended = tile(q) + self.sums(self.tile() * self.model.heads as u64);
        ledger.during(Item::Tiles, attended, |ledger| {
            ledger.touch(Item::Scores, self.scores_of_a_tile());
            ledger.during(Item::Tiles, tile(d), |ledger| {
                self.block_product(ledger, d, q)
            });
        });
        let behind = if self.model.sandwich_norms { d } else { 0 };
        ledger.touch(Item::Tiles, tile(d + behind));
        self.mlp_forward(ledger, tile(2 * f));
        ledger.give(Item::HiddenStates, projected);
    }

    /// Norm, gate and up, their product, and what it makes of a tile; `activations` are the bytes of
    /// gate and up that are not held already.
    fn mlp_forward(&self, ledger: &mut Ledger, activations: u64) {
        let tile = |width: u64| self.floats(self.tile() * width);
        let (d, f) = (self.d(), self.f());
        ledger.during(Item::Tiles, activations, |ledger| {
            ledger.during(Item::Tiles, tile(d), |ledger| {
                self.block_product(ledger, f, d)
            });
            ledger.during(Item::Tiles, tile(f + d), |ledger| {
                self.block_product(ledger, d, f)
            });
        });
        let behind = if self.model.sandwich_norms { d } else { 0 };
        ledger.touch(Item::Tiles, tile(d + behind));
    }

    /// `Block::recompute`: attention's activations, held as `item`.
    fn recompute(&self, ledger: &mut Ledger, item: Item) -> u64 {
        let projected = self.project(ledger, item, true);
        let sums = self.sums(self.tokens() * self.model.heads as u64);
        let attended = self.floats(self.tokens() * self.q()) + sums;
        ledger.take(item, attended);
        ledger.touch(Item::Scores, self.scores(self.batch, self.seq));
        projected + attended
    }

    /// `Block::forward_keeping`: returns what stays held in [`Item::BlockActivations`], attention's
    /// share and the rest. The output is held in [`Item::HiddenStates`].
    pub(super) fn block_forward_keeping(&self, ledger: &mut Ledger) -> (u64, u64) {
        let (d, f, t) = (self.d(), self.f(), self.tokens());
        let attention = self.recompute(ledger, Item::BlockActivations);
        let made = if self.model.sandwich_norms { 2 * d } else { 0 };
        let rest = self.floats(t * (d + 2 * f + made));
        ledger.take(Item::BlockActivations, rest);
        ledger.take(Item::HiddenStates, self.hidden());
        let behind = if self.model.sandwich_norms { d } else { 0 };
        ledger.during(
            Item::Tiles,
            self.floats(self.tile() * (d + behind)),
            |ledger| {
                self.block_product(ledger, d, self.q());
            },
        );
        self.mlp_forward(ledger, 0);
        (attention, rest)
    }

    /// `Block::backward` after `Block::recompute`, or with what was kept; both are given back.
    pub(super) fn block_backward(&self, ledger: &mut Ledger, kept: Option<(u64, u64)>) {
        let tile = |width: u64| self.floats(self.tile() * width);
        let (d, q, f) = (self.d(), self.q(), self.f());
        let sandwich = if self.model.sandwich_norms { d } else { 0 };
        let item = match kept {
            Some(_) => Item::BlockActivations,
            None => Item::HiddenStates,
        };
        let (attention, rest) = match kept {
            Some(kept) => kept,
            None => (self.recompute(ledger, item), 0),
        };
        let d_attended = self.floats(self.tokens() * q);
        ledger.take(Item::HiddenStates, d_attended);
        let half = match kept {
            Some(_) => 0,
            None => {
                ledger.during(Item::Tiles, tile(d + sandwich), |ledger| {
                    self.block_product(ledger, d, q);
                    self.mlp_forward(ledger, tile(2 * f));
                });
                tile(d + 2 * sandwich + 2 * f)
            }
        };
        ledger.during(Item::Tiles, half, |ledger| {
            // the gradient behind the norm, the normalized input, the gradient of the MLP's middle
            let narrow = tile(sandwich + d + f);
            ledger.during(Item::Tiles, narrow, |ledger| {
                let down = self.widened(&self.forms.blocks, self.tile(), d, f);
                ledger.touch(Item::Widened, down);
                if self.rank > 0 {
                    ledger.during(Item::Tiles, tile(f), |ledger| {
                        self.addition_backward(ledger, f)
                    });
                }
                ledger.touch(Item::Tiles, tile(2 * f));
            });
            // gate's and up's gradients, the normalized input's
            ledger.during(Item::Tiles, tile(sandwich + d + 2 * f + d), |ledger| {
                let gate = self.widened(&self.forms.blocks, self.tile(), f, d);
                ledger.touch(Item::Widened, gate);
                self.addition_backward(ledger, d);
            });
            ledger.touch(Item::Tiles, tile(2 * d));
            ledger.during(Item::Tiles, tile(sandwich), |ledger| {
                let o = self.widened(&self.forms.blocks, self.tile(), d, q);
                ledger.touch(Item::Widened, o);
                self.addition_backward(ledger, q);
            });
        });
        ledger.give(item, rest);
        let gradients = self.floats(self.tokens() * (q + 2 * self.kv()));
        ledger.take(Item::HiddenStates, gradients);
        ledger.touch(Item::Scores, self.scores_backward(self.heads()));
        ledger.give(Item::HiddenStates, d_attended);
        // what the norms of queries and keys read stays until their backward
        let unnormed = match self.model.qk_norm {
            true => self.floats(self.tokens() * (q + self.kv())),
            false => 0,
        };
        ledger.give(item, attention - unnormed);
        if self.model.qk_norm {
            ledger.touch(Item::HiddenStates, self.floats(self.tokens() * q));
        }
        ledger.give(item, unnormed);
        ledger.during(Item::Tiles, tile(2 * d), |ledger| {
            let product = self.widened(&self.forms.blocks, self.tile(), q, d);
            ledger.touch(Item::Widened, product);
            self.addition_backward(ledger, d);
        });
        ledger.touch(Item::Tiles, tile(2 * d));
        ledger.give(Item::HiddenStates, gradients);
    }
}
