//! Bookkeeping of bytes that come and go: what is held now, by item, and what was held at the moment
//! when it was most.

/// What bytes are for: the fine split of an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// The embedding's rows.
    Embedding,
    /// Linear maps and norms of the blocks.
    Blocks,
    /// The head, where it is not the embedding.
    Head,
    /// The adapter's parameters.
    Adapter,
    /// Their gradients.
    Gradients,
    /// AdamW's moments.
    Moments,
    /// Backbone states that wait for the backward: taps, or block inputs.
    KeptStates,
    /// What side layers keep for their backward.
    SideActivations,
    /// What blocks keep for their backward.
    BlockActivations,
    /// Keys and values of a held-out prompt and its answer.
    Caches,
    /// Hidden states under way, their gradients, queries, keys and values of the layer at work.
    HiddenStates,
    /// One tile of tokens of everything wider.
    Tiles,
    /// Token ids, positions, rotary angles.
    Inputs,
    /// One chunk of logits and what belongs to it.
    Logits,
    /// Attention's scores of the tiles at work.
    Scores,
    /// Weights widened for the product at work.
    Widened,
    /// What the device takes for itself: packing of matrix products, contexts, libraries.
    Device,
}

/// What a user sees bytes added up as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The backbone.
    Weights,
    /// The adapter's parameters.
    Adapter,
    /// Their gradients.
    Gradients,
    /// The optimizer's moments.
    Optimizer,
    /// Kept states, activations, hidden states.
    Activations,
    /// The chunk of logits.
    Logits,
    /// Everything that exists for one operation.
    Workspace,
}

impl Item {
    /// Every item, in the order they are shown.
    pub const ALL: [Self; 17] = [
        Self::Embedding,
        Self::Blocks,
        Self::Head,
        Self::Adapter,
        Self::Gradients,
        Self::Moments,
        Self::KeptStates,
        Self::SideActivations,
        Self::BlockActivations,
        Self::Caches,
        Self::HiddenStates,
        Self::Tiles,
        Self::Inputs,
        Self::Logits,
        Self::Scores,
        Self::Widened,
        Self::Device,
    ];

    /// The part it belongs to.
    pub fn part(self) -> Part {
        match self {
            Self::Embedding | Self::Blocks | Self::Head => Part::Weights,
            Self::Adapter => Part::Adapter,
            Self::Gradients => Part::Gradients,
            Self::Moments => Part::Optimizer,
            Self::KeptStates
            | Self::SideActivations
            | Self::BlockActivations
            | Self::Caches
            | Self::HiddenStates
            | Self::Tiles
            | Self::Inputs => Part::Activations,
            Self::Logits => Part::Logits,
            Self::Scores | Self::Widened | Self::Device => Part::Workspace,
        }
    }

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Blocks => "blocks",
            Self::Head => "head",
            Self::Adapter => "adapter",
            Self::Gradients => "gradients",
            Self::Moments => "moments",
            Self::KeptStates => "kept_states",
            Self::SideActivations => "side_activations",
            Self::BlockActivations => "block_activations",
            Self::Caches => "caches",
            Self::HiddenStates => "hidden_states",
            Self::Tiles => "tiles",
            Self::Inputs => "inputs",
            Self::Logits => "logits",
            Self::Scores => "attention_scores",
            Self::Widened => "widened_weights",
            Self::Device => "device",
        }
    }
}

/// Bytes of each item.
pub type Items = [u64; Item::ALL.len()];

/// Bytes held, and the most there were.
#[derive(Clone, Debug)]
pub struct Ledger {
    now: Items,
    peak: Items,
    moment: &'static str,
    peak_moment: &'static str,
}

impl Ledger {
    /// Nothing held yet.
    pub fn new() -> Self {
        Self {
            now: [0; Item::ALL.len()],
            peak: [0; Item::ALL.len()],
            moment: "loading",
            peak_moment: "loading",
        }
    }

    /// From here on, this is what happens.
    pub fn moment(&mut self, name: &'static str) {
        self.moment = name;
    }

    /// Takes bytes.
    pub fn take(&mut self, item: Item, bytes: u64) {
        self.now[item as usize] += bytes;
        if total(&self.now) > total(&self.peak) {
            self.peak = self.now;
            self.peak_moment = self.moment;
        }
    }

    /// Gives them back.
    pub fn give(&mut self, item: Item, bytes: u64) {
        let held = &mut self.now[item as usize];
        debug_assert!(*held >= bytes, "{item:?}: {bytes} of {held}");
        *held = held.saturating_sub(bytes);
    }

    /// Takes bytes and gives them back after `work`.
    pub fn during<R>(&mut self, item: Item, bytes: u64, work: impl FnOnce(&mut Self) -> R) -> R {
        self.take(item, bytes);
        let result = work(self);
        self.give(item, bytes);
        result
    }

    /// Bytes that are held for the length of one operation.
    pub fn touch(&mut self, item: Item, bytes: u64) {
        self.during(item, bytes, |_| ());
    }

    /// What is held now.
    pub fn now(&self) -> u64 {
        total(&self.now)
    }

    /// Bytes of each item when most was held, and what happened then.
    pub fn peak(&self) -> (Items, &'static str) {
        (self.peak, self.peak_moment)
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

fn total(items: &Items) -> u64 {
    items.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_remembered_with_its_moment_and_split() {
        let mut ledger = Ledger::new();
        ledger.take(Item::Blocks, 100);
        ledger.moment("forward");
        ledger.during(Item::Tiles, 50, |ledger| ledger.touch(Item::Widened, 7));
        ledger.moment("loss");
        ledger.touch(Item::Logits, 56);
        let (peak, moment) = ledger.peak();
        assert_eq!((total(&peak), moment), (157, "forward"));
        assert_eq!(peak[Item::Widened as usize], 7);
        assert_eq!(ledger.now(), 100);
    }

    #[test]
    fn every_item_stands_at_its_number() {
        for (number, item) in Item::ALL.into_iter().enumerate() {
            assert_eq!(item as usize, number, "{item:?}");
        }
    }
}
