//! Examples side by side: the index arithmetic of a micro-batch, without a tensor.

use super::example::Example;

/// Some examples padded on the right to the longest among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    /// Token ids, `[batch, seq]` row by row. Padding holds 0; nothing may depend on it.
    pub ids: Vec<u32>,
    /// Position of each token in its example, `[batch, seq]`.
    pub positions: Vec<u32>,
    /// Tokens of each example; what lies at or behind its length is padding.
    pub lengths: Vec<usize>,
    /// Flat indices `b * seq + t` into the hidden states that predict a target, ascending.
    pub target_rows: Vec<u32>,
    /// The token to be predicted at each of `target_rows`: the one at `t + 1`.
    pub target_ids: Vec<u32>,
    /// Tokens without padding.
    pub tokens: usize,
    /// Examples.
    pub batch: usize,
    /// Length of the longest example.
    pub seq: usize,
}

impl TokenBatch {
    /// Rows of arbitrary tokens, all but the first of each row to be predicted: as much work as a
    /// batch of this shape can be.
    pub fn of_length(batch: usize, seq: usize, vocabulary: usize) -> Self {
        let ids: Vec<u32> = (0..batch * seq)
            .map(|i| ((i * 7919 + 13) % vocabulary.max(1)) as u32)
            .collect();
        let batch = Self {
            positions: (0..batch).flat_map(|_| 0..seq as u32).collect(),
            lengths: vec![seq; batch],
            target_ids: Vec::new(),
            target_rows: Vec::new(),
            tokens: ids.len(),
            ids,
            batch,
            seq,
        };
        batch.predicting_everything()
    }

    /// The same with every token predicted but the first of each row, padding too.
    pub fn predicting_everything(self) -> Self {
        let last = |row: &u32| (*row as usize + 1).is_multiple_of(self.seq.max(1));
        let target_rows: Vec<u32> = (0..self.ids.len() as u32)
            .filter(|row| !last(row))
            .collect();
        Self {
            target_ids: target_rows
                .iter()
                .map(|row| self.ids[*row as usize + 1])
                .collect(),
            target_rows,
            ..self
        }
    }

    /// Lays the examples side by side.
    pub fn new(examples: &[&Example]) -> Self {
        let seq = examples
            .iter()
            .map(|example| example.ids.len())
            .max()
            .unwrap_or(0);
        let mut batch = Self {
            ids: Vec::with_capacity(examples.len() * seq),
            positions: Vec::with_capacity(examples.len() * seq),
            lengths: examples.iter().map(|example| example.ids.len()).collect(),
            target_rows: Vec::new(),
            target_ids: Vec::new(),
            tokens: examples.iter().map(|example| example.ids.len()).sum(),
            batch: examples.len(),
            seq,
        };
        for example in examples {
            let row = batch.ids.len();
            batch.ids.extend_from_slice(&example.ids);
            batch.ids.resize(row + seq, 0);
            batch.positions.extend(0..seq as u32);
            // The first token is predicted by nothing.
            for (t, id) in example.ids.iter().enumerate().skip(1) {
                if example.targets[t] {
                    batch.target_rows.push((row + t - 1) as u32);
                    batch.target_ids.push(*id);
                }
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::conversation::SourceLine;

    fn example(ids: &[u32], targets: &[u8]) -> Example {
        Example {
            ids: ids.to_vec(),
            targets: targets.iter().map(|target| *target == 1).collect(),
            source: SourceLine { source: 0, line: 1 },
            hash: 0,
        }
    }

    #[test]
    fn pads_right_and_points_one_back() {
        let long = example(&[5, 6, 7, 8], &[0, 0, 1, 1]);
        let short = example(&[9, 4], &[0, 1]);
        let batch = TokenBatch::new(&[&short, &long]);
        assert_eq!((batch.batch, batch.seq, batch.tokens), (2, 4, 6));
        assert_eq!(batch.ids, [9, 4, 0, 0, 5, 6, 7, 8]);
        assert_eq!(batch.positions, [0, 1, 2, 3, 0, 1, 2, 3]);
        assert_eq!(batch.lengths, [2, 4]);
        assert_eq!(batch.target_rows, [0, 5, 6]);
        assert_eq!(batch.target_ids, [4, 7, 8]);
    }

    #[test]
    fn padding_and_first_tokens_are_never_targets() {
        let odd = example(&[1, 2], &[1, 0]);
        let batch = TokenBatch::new(&[&odd]);
        assert!(batch.target_rows.is_empty());
        let none = TokenBatch::new(&[]);
        assert_eq!((none.batch, none.seq, none.tokens), (0, 0, 0));
    }
}
