//! The memory plan of a run: the trainer's allocations, followed without making them. Weights, the
//! adapter and its optimizer are always held; one micro-batch goes forward and back beside them, and
//! the moment at which most is held is the peak.

use super::answers::AnswerShape;
use super::device_class::DeviceClass;
use super::ledger::{Item, Items, Ledger, Part};
use super::passes::Sizes;
use super::side_passes::{Keeps, SideSizes};
use super::weights::{WeightForms, small_bytes};
use crate::adapters::ladder::Wiring;
use crate::adapters::lora::LoraShape;
use crate::adapters::network::{AdapterShape, TrainingSettings};
use crate::models::config::DecoderConfig;
use crate::ops::linear_cross_entropy::chunk_of;
use stepladder_protocol::{Switch, TapDtype};

/// What a plan is made for.
#[derive(Clone, Copy, Debug)]
pub struct MemoryRequest<'a> {
    /// The backbone.
    pub model: &'a DecoderConfig,
    /// How its weights are kept.
    pub forms: &'a WeightForms,
    /// The adapter.
    pub shape: &'a AdapterShape,
    /// Numbers that are trained.
    pub parameters: u64,
    /// Bytes of the optimizer's moments.
    pub moment_bytes: u64,
    /// How it is trained.
    pub training: TrainingSettings,
    /// Whether embeddings lie in RAM while the rest is on a card.
    pub offload_embeddings: bool,
    /// Rows of a micro-batch.
    pub batch: usize,
    /// Tokens of each.
    pub seq: usize,
    /// Tokens of the micro-batch that are predicted; all but the first of each row at most.
    pub targets: usize,
    /// Tokens of all micro-batches of a step, whose ids are made at once.
    pub step_tokens: usize,
    /// What is answered at each evaluation, if anything is.
    pub answer: Option<AnswerShape>,
    /// Where it runs.
    pub device: DeviceClass,
}

/// The peak of a run, and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Bytes at the peak.
    pub total_bytes: u64,
    /// What happens then.
    pub peak_moment: &'static str,
    /// Bytes of each item then.
    items: Items,
    /// Bytes in RAM because they were moved there from the card.
    pub offloaded_bytes: u64,
}

impl MemoryPlan {
    /// Bytes of one item at the peak.
    pub fn item(&self, item: Item) -> u64 {
        self.items[item as usize]
    }

    /// Bytes of a part at the peak.
    pub fn part(&self, part: Part) -> u64 {
        let of_part = Item::ALL.into_iter().filter(|item| item.part() == part);
        of_part.map(|item| self.item(item)).sum()
    }
}

/// The plan of one run.
pub fn plan(request: &MemoryRequest<'_>) -> MemoryPlan {
    let mut walk = Walk {
        request,
        ledger: Ledger::new(),
        offloaded: 0,
    };
    walk.hold_what_stays();
    if let Some(answer) = request.answer {
        walk.answer(answer);
    }
    match request.shape {
        AdapterShape::Wiring(wiring) => walk.side_network(wiring),
        AdapterShape::Lora(shape) => walk.lora(shape),
    }
    let (items, peak_moment) = walk.ledger.peak();
    MemoryPlan {
        total_bytes: items.iter().sum(),
        peak_moment,
        items,
        offloaded_bytes: walk.offloaded,
    }
}

pub(super) struct Walk<'a> {
    pub(super) request: &'a MemoryRequest<'a>,
    pub(super) ledger: Ledger,
    offloaded: u64,
}

impl<'a> Walk<'a> {
    fn sizes(&self, rank: u64, dropout: bool) -> Sizes<'a> {
        Sizes {
            device: self.request.device,
            model: self.request.model,
            forms: self.request.forms,
            rank,
            dropout,
            batch: self.request.batch as u64,
            seq: self.request.seq as u64,
        }
    }

    /// Weights, adapter, gradients, moments, and a step's token ids.
    fn hold_what_stays(&mut self) {
        let MemoryRequest { model, forms, .. } = *self.request;
        let (vocabulary, d) = (model.vocabulary as u64, model.d_model as u64);
        let embedding = forms.embedding.bytes(vocabulary, d);
        // Where the embedding is the head it is needed on the card.
        let offload = self.request.device.has_own_memory && self.request.offload_embeddings;
        match offload && forms.head.is_some() {
            true => self.offloaded += embedding,
            false => self.ledger.take(Item::Embedding, embedding),
        }
        if let Some(head) = &forms.head {
            self.ledger.take(Item::Head, head.bytes(vocabulary, d));
        }
        let blocks = forms.blocks_bytes + small_bytes(model);
        self.ledger.take(Item::Blocks, blocks);
        let parameters = 4 * self.request.parameters;
        self.ledger.take(Item::Adapter, parameters);
        self.ledger.take(Item::Gradients, parameters);
        self.ledger.take(Item::Moments, self.request.moment_bytes);
        let device = self.request.device;
        let packed = device.packed_rows * d * device.float_bytes;
        self.ledger
            .take(Item::Device, device.constant_bytes + packed);
        // ids, positions, target rows and target ids: in RAM
        if !device.has_own_memory {
            let inputs = 16 * self.request.step_tokens as u64;
            self.ledger.take(Item::Inputs, inputs);
        }
    }

    /// Bytes of a number of a kept state, and whether such states are in RAM.
    pub(super) fn kept_bytes(&self) -> (u64, bool) {
        let kept = self.request.training.kept;
        let bytes = match kept.dtype {
            TapDtype::F32 => self.request.device.float_bytes,
            TapDtype::Bf16 | TapDtype::F16 => 2,
        };
        let in_ram = kept.in_ram == Switch::On && self.request.device.has_own_memory;
        (bytes, in_ram)
    }

    fn keep(&mut self, bytes: u64, in_ram: bool) {
        match in_ram {
            true => self.offloaded += bytes,
            false => self.ledger.take(Item::KeptStates, bytes),
        }
    }

    fn give_kept(&mut self, bytes: u64, in_ram: bool) {
        if !in_ram {
            self.ledger.give(Item::KeptStates, bytes);
        }
    }

    /// One chunk of target rows through norm and head and back; `beside` numbers per row are held
    /// meanwhile.
    fn loss(&mut self, sizes: Sizes<'_>, beside: u64) {
        if self.request.device.has_own_memory {
            return self.loss_on_card(sizes, beside);
        }
        let MemoryRequest { model, forms, .. } = *self.request;
        let (vocabulary, d) = (model.vocabulary as u64, sizes.d());
        let numbers = self.request.device.chunk_numbers;
        let chunk = chunk_of(model.vocabulary, numbers).min(self.request.targets) as u64;
        let rows = |width: u64| sizes.floats(chunk * width);
        let head = forms.head.as_ref().unwrap_or(&forms.embedding);
        let product = sizes.widened(head, chunk, vocabulary, d);
        let capped = match model.final_soft_cap {
            Some(_) => self.request.device.attention_workers * sizes.floats(vocabulary),
            None => 0,
        };
        self.ledger.touch(Item::Logits, rows(2 * d + 2 * beside));
        self.ledger
            .during(Item::Logits, rows(2 * d + vocabulary), |ledger| {
                ledger.touch(Item::Widened, product);
                ledger.touch(Item::Logits, capped);
                ledger.during(Item::Logits, rows(d), |ledger| {
                    ledger.touch(Item::Widened, product)
                });
            });
        self.ledger.touch(Item::Logits, rows(3 * d));
        self.ledger.touch(Item::Logits, rows(d + 2 * beside));
    }

    /// The same where hidden states, logits and their gradients are f32 and products have factors in the
    /// type of activations.
    fn loss_on_card(&mut self, sizes: Sizes<'_>, beside: u64) {
        let MemoryRequest { model, forms, .. } = *self.request;
        let (vocabulary, d) = (model.vocabulary as u64, sizes.d());
        let numbers = self.request.device.chunk_numbers;
        let chunk = chunk_of(model.vocabulary, numbers).min(self.request.targets) as u64;
        let (wide, narrow) = (
            |width| sizes.sums(chunk * width),
            |width| sizes.rounded(chunk * width),
        );
        let head = forms.head.as_ref().unwrap_or(&forms.embedding);
        let product = sizes.widened(head, chunk, vocabulary, d);
        // rows of the last hidden state and of the side network's output, in the type of activations
        let rows = sizes.floats(chunk * (d + beside));
        let upsample = sizes.rounded(d * beside);
        let ledger = &mut self.ledger;
        ledger.touch(Item::Logits, rows + wide(d) + upsample);
        // hidden states and normed ones
        ledger.during(Item::Logits, wide(2 * d), |ledger| {
            ledger.during(Item::Logits, wide(vocabulary) + narrow(d), |ledger| {
                ledger.touch(Item::Widened, product)
            });
            ledger.touch(
                Item::Logits,
                wide(vocabulary) + sizes.floats(chunk * vocabulary),
            );
            let d_logits = sizes.floats(chunk * vocabulary);
            ledger.during(Item::Logits, d_logits + wide(d), |ledger| {
                ledger.touch(Item::Widened, product)
            });
        });
        ledger.touch(Item::Logits, wide(3 * d));
        // the gradient, rounded; of the side network's output
        let side = sizes.floats(chunk * 2 * beside);
        ledger.touch(Item::Logits, wide(d) + narrow(d) + side + upsample);
    }

    fn side_network(&mut self, wiring: &Wiring) {
        let sizes = self.sizes(0, false);
        let (tap_bytes, in_ram) = self.kept_bytes();
        let side = SideSizes {
            sizes,
            wiring,
            tap_bytes,
        };
        let training = self.request.training;
        let keeps = match training.recompute {
            Switch::On => Keeps::Inputs,
            Switch::Off => Keeps::Activations,
        };
        let again = training.recompute_taps == Switch::On;
        let tap = sizes.tokens() * sizes.d() * tap_bytes;
        let gated = wiring.inject == stepladder_protocol::Inject::Gate;

        self.ledger.moment("forward");
        self.ledger.take(Item::Inputs, side.angles());
        self.ledger.take(Item::Inputs, sizes.angles());
        self.ledger.take(Item::HiddenStates, sizes.hidden());
        let mut kept = Vec::with_capacity(wiring.side_layers());
        for layer in 1..=self.request.model.layers {
            sizes.block_forward(&mut self.ledger);
            if !wiring.taps.contains(&layer) {
                continue;
            }
            // a tap that is made again is narrowed for as long as it is read
            let narrowed = match again && tap_bytes < sizes.device.float_bytes {
                true => tap,
                false => 0,
            };
            if !again {
                self.keep(tap, in_ram);
            }
            self.ledger.take(Item::HiddenStates, narrowed);
            side.join(&mut self.ledger);
            // s_{j-1} goes once it is joined, unless a gate's gradient needs it
            if !kept.is_empty() {
                self.ledger.give(Item::HiddenStates, side.state());
                if gated {
                    self.ledger.take(Item::SideActivations, side.state());
                }
            }
            kept.push(side.layer_forward(&mut self.ledger, keeps));
            self.ledger.give(Item::HiddenStates, narrowed);
        }
        self.ledger.give(Item::Inputs, sizes.angles());
        for _ in 0..wiring.free_layers {
            kept.push(side.layer_forward(&mut self.ledger, keeps));
        }
        self.ledger.give(Item::Inputs, side.angles());

        self.ledger.moment("loss");
        self.ledger.take(Item::HiddenStates, side.state()); // d_side
        self.loss(sizes, wiring.d_side as u64);
        self.ledger.give(Item::HiddenStates, sizes.hidden());

        self.ledger.moment("side network's backward");
        self.ledger.take(Item::Inputs, side.angles());
        self.ledger.give(Item::HiddenStates, side.state()); // s_l
        let connected = wiring.taps.len();
        while let Some(activations) = kept.pop() {
            side.layer_backward(&mut self.ledger, keeps, activations);
            let layer = kept.len();
            if layer >= connected {
                continue;
            }
            match again {
                // its gradient waits for the tap, and with a gate the state does
                true => self.ledger.take(Item::SideActivations, side.state()),
                false => {
                    side.connection_backward(&mut self.ledger);
                    self.give_kept(tap, in_ram);
                    if gated && layer > 0 {
                        self.ledger.give(Item::SideActivations, side.state());
                    }
                }
            }
        }
        self.ledger.give(Item::Inputs, side.angles());
        self.ledger.give(Item::HiddenStates, side.state()); // d_side
        if !again {
            return;
        }
        self.ledger.moment("second forward");
        self.ledger.take(Item::Inputs, sizes.angles());
        self.ledger.take(Item::HiddenStates, sizes.hidden());
        for layer in 1..=self.request.model.layers {
            sizes.block_forward(&mut self.ledger);
            if wiring.taps.contains(&layer) {
                let narrowed = match tap_bytes < sizes.device.float_bytes {
                    true => tap,
                    false => 0,
                };
                self.ledger.during(Item::HiddenStates, narrowed, |ledger| {
                    side.connection_backward(ledger);
                });
                self.ledger.give(Item::SideActivations, side.state());
            }
        }
    }

    fn lora(&mut self, shape: &LoraShape) {
        let sizes = self.sizes(shape.rank as u64, shape.dropout > 0.0);
        let (kept_bytes, in_ram) = self.kept_bytes();
        let recompute = self.request.training.recompute == Switch::On;
        let layers = self.request.model.layers;
        let input = sizes.tokens() * sizes.d() * kept_bytes;

        self.ledger.moment("forward");
        self.ledger.take(Item::Inputs, sizes.angles());
        self.ledger.take(Item::HiddenStates, sizes.hidden());
        let mut kept = Vec::with_capacity(layers);
        for _ in 0..layers {
            if recompute {
                self.keep(input, in_ram);
                sizes.block_forward(&mut self.ledger);
                continue;
            }
            kept.push(sizes.block_forward_keeping(&mut self.ledger));
            // the input is kept, the output takes its place
            self.ledger.give(Item::HiddenStates, sizes.hidden());
            self.ledger.take(Item::KeptStates, sizes.hidden());
        }

        self.ledger.moment("loss");
        self.ledger.take(Item::HiddenStates, sizes.hidden()); // gradient
        self.loss(sizes, 0);
        self.ledger.give(Item::HiddenStates, sizes.hidden());

        self.ledger.moment("backward");
        for _ in 0..layers {
            match kept.pop() {
                Some(activations) => {
                    sizes.block_backward(&mut self.ledger, Some(activations));
                    self.ledger.give(Item::KeptStates, sizes.hidden());
                }
                None => {
                    // a narrower or absent input is widened whole, and then given back
                    let widened = kept_bytes < sizes.device.float_bytes || in_ram;
                    if widened {
                        self.ledger.take(Item::HiddenStates, sizes.hidden());
                        self.give_kept(input, in_ram);
                    }
                    sizes.block_backward(&mut self.ledger, None);
                    match widened {
                        true => self.ledger.give(Item::HiddenStates, sizes.hidden()),
                        false => self.give_kept(input, in_ram),
                    }
                }
            }
        }
    }
}
