//! Examples side by side: the index arithmetic of a micro-batch, without a tensor.

use super::example::Example;

/// Rows of one or more examples, padded on the right to the longest row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    /// Token ids, `[batch, seq]` row by row. Padding holds 0; nothing may depend on it.
    pub ids: Vec<u32>,
    /// Position of each token in its example, `[batch, seq]`.
    pub positions: Vec<u32>,
    /// First index in its row that each token sees, `[batch, seq]`; empty: all from 0.
    pub first_visible: Vec<u32>,
    /// Tokens of each row; what lies at or behind its length is padding.
    pub lengths: Vec<usize>,
    /// Flat indices `b * seq + t` into the hidden states that predict a target, ascending.
    pub target_rows: Vec<u32>,
    /// The token to be predicted at each of `target_rows`: the one at `t + 1`.
    pub target_ids: Vec<u32>,
    /// Tokens without padding.
    pub tokens: usize,
    /// Rows.
    pub batch: usize,
    /// Length of the longest row.
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
            first_visible: Vec::new(),
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

    /// Lays the examples side by side, one in a row.
    pub fn new(examples: &[&Example]) -> Self {
        let rows: Vec<Vec<&Example>> = examples.iter().map(|example| vec![*example]).collect();
        Self::of_rows(&rows)
    }

    /// Lays rows of examples side by side. Of the examples in a row each counts its positions from 0
    /// and sees itself alone.
    pub fn of_rows(rows: &[Vec<&Example>]) -> Self {
        let tokens_of = |row: &Vec<&Example>| row.iter().map(|example| example.ids.len()).sum();
        let lengths: Vec<usize> = rows.iter().map(tokens_of).collect();
        let seq = lengths.iter().copied().max().unwrap_or(0);
        let packed = rows.iter().any(|row| row.len() > 1);
        let mut batch = Self {
            ids: Vec::with_capacity(rows.len() * seq),
            positions: Vec::with_capacity(rows.len() * seq),
            first_visible: Vec::with_capacity(if packed { rows.len() * seq } else { 0 }),
            target_rows: Vec::new(),
            target_ids: Vec::new(),
            tokens: lengths.iter().sum(),
            batch: rows.len(),
            seq,
            lengths,
        };
        for row in rows {
            let begin = batch.ids.len();
            let (mut first, mut next_position) = (begin, 0);
            for example in row {
                first = batch.ids.len();
                next_position = example.ids.len() as u32;
                batch.ids.extend_from_slice(&example.ids);
                batch.positions.extend(0..next_position);
                if packed {
                    let visible = (first - begin) as u32;
                    batch.first_visible.resize(batch.ids.len(), visible);
                }
                // The first token is predicted by nothing.
                for (t, id) in example.ids.iter().enumerate().skip(1) {
                    if example.targets[t] {
                        batch.target_rows.push((first + t - 1) as u32);
                        batch.target_ids.push(*id);
                    }
                }
            }
            // Padding goes on like the last example. It lies behind the tokens, where causal
            // attention does not look.
            let padding = (begin + seq - batch.ids.len()) as u32;
            batch.ids.resize(begin + seq, 0);
            batch
                .positions
                .extend(next_position..next_position + padding);
            if packed {
                let visible = (first - begin) as u32;
                batch.first_visible.resize(begin + seq, visible);
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
    fn packed_examples_count_and_see_from_their_own_beginning() {
        let (a, b) = (example(&[5, 6, 7], &[0, 1, 1]), example(&[9, 4], &[1, 1]));
        let c = example(&[8, 3, 2], &[0, 0, 1]);
        let batch = TokenBatch::of_rows(&[vec![&a, &b], vec![&c]]);
        assert_eq!((batch.batch, batch.seq, batch.tokens), (2, 5, 8));
        assert_eq!(batch.ids, [5, 6, 7, 9, 4, 8, 3, 2, 0, 0]);
        assert_eq!(batch.positions, [0, 1, 2, 0, 1, 0, 1, 2, 3, 4]);
        assert_eq!(batch.first_visible, [0, 0, 0, 3, 3, 0, 0, 0, 0, 0]);
        assert_eq!(batch.lengths, [5, 3]);
        // The first token of the second example is not predicted from the last of the first.
        assert_eq!(batch.target_rows, [0, 1, 3, 6]);
        assert_eq!(batch.target_ids, [6, 7, 4, 2]);
        assert!(TokenBatch::new(&[&a, &b]).first_visible.is_empty());
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
