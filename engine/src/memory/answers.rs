//! What an answer to a held-out prompt holds while a run is evaluated: keys and values of every token it
//! may come to, one pass of its prompt, the logits of one position. Follows `training::held_out_answers`.

use super::ledger::Item;
use super::passes::Sizes;
use super::plan::Walk;
use super::side_passes::SideSizes;
use crate::adapters::network::AdapterShape;
use crate::models::config::DecoderConfig;

/// Tokens of an answer, at most.
const MOST_ANSWER: usize = 128;
/// Tokens of a prompt that is answered, at most: what it holds stays small beside a micro-batch.
const MOST_PROMPT: usize = 512;

/// Sizes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerShape {
    /// Tokens of its prompt.
    pub prompt: usize,
    /// Tokens that it may have itself.
    pub answer: usize,
}

impl AnswerShape {
    /// Of a prompt with so many tokens.
    pub fn of(model: &DecoderConfig, prompt: usize) -> Self {
        let room = model.max_positions.saturating_sub(prompt);
        Self {
            prompt,
            answer: MOST_ANSWER.min(room),
        }
    }

    /// The largest in a run whose rows have up to `seq` tokens: longer prompts are not asked.
    pub fn largest(model: &DecoderConfig, seq: usize) -> Self {
        Self::of(model, seq.saturating_sub(1).clamp(1, MOST_PROMPT))
    }

    /// Tokens of both.
    pub fn tokens(self) -> usize {
        self.prompt + self.answer
    }

    /// Tokens of the longest pass. Where LongRoPE turns keys otherwise from some length on, all of
    /// them are taken in anew.
    fn longest_pass(self, model: &DecoderConfig) -> usize {
        let ropes = [Some(&model.rope), model.window_rope.as_ref()];
        let outgrown = ropes.into_iter().flatten().any(|rope| {
            let rotary = rope.rotary_embedding(model.head_dim);
            rotary.changes_between(self.prompt, self.tokens())
        });
        match outgrown {
            true => self.tokens(),
            false => self.prompt,
        }
    }
}

impl Walk<'_> {
    /// One answer; nothing of it stays.
    pub(super) fn answer(&mut self, shape: AnswerShape) {
        let model = self.request.model;
        let room = shape.tokens() as u64;
        let rank = match self.request.shape {
            AdapterShape::Wiring(_) => 0,
            AdapterShape::Lora(shape) => shape.rank as u64,
        };
        let sizes = Sizes {
            device: self.request.device,
            model,
            forms: self.request.forms,
            rank,
            dropout: false,
            batch: 1,
            seq: shape.longest_pass(model) as u64,
        };
        self.ledger.moment("held-out answer");
        // Nothing else is as large then, so what the products of a block pack counts: rows as wide as
        // its middle.
        let device = self.request.device;
        let packed = device.packed_rows * sizes.floats(model.d_ff as u64);
        self.ledger.take(Item::Device, packed);
        let held = match self.request.shape {
            AdapterShape::Lora(_) => self.answering_pass(sizes, room),
            AdapterShape::Wiring(_) => self.answering_pass_beside(sizes, room),
        };
        self.next_token(sizes);
        self.ledger.give(Item::Caches, held);
        self.ledger.give(Item::Device, packed);
    }

    /// The backbone alone; gives the bytes of its caches.
    fn answering_pass(&mut self, sizes: Sizes<'_>, room: u64) -> u64 {
        let ledger = &mut self.ledger;
        let before = ledger.now();
        ledger.take(Item::Inputs, sizes.angles());
        ledger.take(Item::HiddenStates, sizes.hidden());
        for _ in 0..sizes.model.layers {
            sizes.block_forward_caching(ledger, room);
        }
        ledger.give(Item::Inputs, sizes.angles());
        ledger.give(Item::HiddenStates, sizes.hidden());
        ledger.now() - before
    }

    /// With a side network beside it; gives the bytes of all caches.
    fn answering_pass_beside(&mut self, sizes: Sizes<'_>, room: u64) -> u64 {
        let AdapterShape::Wiring(wiring) = self.request.shape else {
            return 0;
        };
        let (tap_bytes, _) = self.kept_bytes();
        let side = SideSizes {
            sizes,
            wiring,
            tap_bytes,
        };
        let narrowed = match tap_bytes < sizes.device.float_bytes {
            true => sizes.tokens() * sizes.d() * tap_bytes,
            false => 0,
        };
        let ledger = &mut self.ledger;
        let before = ledger.now();
        ledger.take(Item::Inputs, side.angles() + sizes.angles());
        ledger.take(Item::HiddenStates, sizes.hidden());
        let mut has_state = false;
        for layer in 1..=sizes.model.layers {
            sizes.block_forward_caching(ledger, room);
            if !wiring.taps.contains(&layer) {
                continue;
            }
            ledger.take(Item::HiddenStates, narrowed);
            side.join(ledger);
            if has_state {
                ledger.give(Item::HiddenStates, side.state());
            }
            has_state = true;
            side.block_forward_caching(ledger, room);
            ledger.give(Item::HiddenStates, narrowed);
        }
        ledger.give(Item::Inputs, sizes.angles());
        for _ in 0..wiring.free_layers {
            side.block_forward_caching(ledger, room);
        }
        ledger.give(Item::Inputs, side.angles());
        ledger.give(Item::HiddenStates, sizes.hidden() + side.state());
        ledger.now() - before
    }

    /// `Decoder::logits` of one position.
    fn next_token(&mut self, sizes: Sizes<'_>) {
        let vocabulary = sizes.model.vocabulary as u64;
        let forms = sizes.forms;
        let head = forms.head.as_ref().unwrap_or(&forms.embedding);
        let product = sizes.widened(head, 1, vocabulary, sizes.d());
        // the state before its norm, the normed one, logits
        let logits = sizes.sums(2 * sizes.d() + vocabulary);
        self.ledger.during(Item::Logits, logits, |ledger| {
            ledger.touch(Item::Widened, product);
            if sizes.model.final_soft_cap.is_some() {
                // beside them their quotient, then its tangent
                ledger.touch(Item::Logits, sizes.floats(2 * vocabulary));
            }
        });
    }
}
