//! One side of the split: some examples of a store, numbered from 0.

use super::batch::TokenBatch;
use super::example::Example;
use super::layout::{Layout, MicroBatchRows, Rows};
use super::store::ExampleStore;

/// Examples among which those are looked for that fill a row; more make no row fuller.
const PACKED_TOGETHER: usize = 4096;

/// Some examples of a store.
#[derive(Clone, Debug)]
pub struct ExampleSet<'a> {
    store: &'a ExampleStore,
    indices: Vec<usize>,
}

impl<'a> ExampleSet<'a> {
    /// Those of these indices in the store.
    pub fn new(store: &'a ExampleStore, indices: Vec<usize>) -> Self {
        Self { store, indices }
    }

    /// Examples.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Tokens of each.
    pub fn lengths(&self) -> Vec<usize> {
        let tokens = |&index: &usize| self.store.tokens(index);
        self.indices.iter().map(tokens).collect()
    }

    /// An example.
    ///
    /// # Panics
    /// When there is none of that number.
    pub fn get(&self, number: usize) -> Example {
        self.store.get(self.indices[number])
    }

    /// Some of them laid into micro-batches, as numbers.
    pub fn arrange(&self, numbers: &[usize], layout: Layout) -> Vec<MicroBatchRows> {
        let tokens = |&number: &usize| self.store.tokens(self.indices[number]);
        let lengths: Vec<usize> = numbers.iter().map(tokens).collect();
        let mut batches = layout.arrange(&lengths);
        for place in batches.iter_mut().flatten().flatten() {
            *place = numbers[*place];
        }
        batches
    }

    /// All of them laid into micro-batches, as numbers.
    pub fn arrange_all(&self, layout: Layout) -> Vec<MicroBatchRows> {
        let all: Vec<usize> = (0..self.len()).collect();
        let together = match layout.rows {
            Rows::OneEach => all.len().max(1),
            Rows::Packed { .. } => PACKED_TOGETHER,
        };
        let parts = all.chunks(together);
        parts.flat_map(|part| self.arrange(part, layout)).collect()
    }

    /// A micro-batch of these numbers.
    pub fn batch(&self, rows: &MicroBatchRows) -> TokenBatch {
        let examples: Vec<Vec<Example>> = rows
            .iter()
            .map(|row| row.iter().map(|&number| self.get(number)).collect())
            .collect();
        let rows: Vec<Vec<&Example>> = examples.iter().map(|row| row.iter().collect()).collect();
        TokenBatch::of_rows(&rows)
    }
}
