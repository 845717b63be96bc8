//! How examples are laid into micro-batches: which share a row, and which rows lie side by side.
//! Within a step this changes what is spent on padding and never the result.

use std::collections::BTreeMap;

use super::batch::TokenBatch;
use super::example::Example;

/// What stands in a row of a micro-batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// One example.
    OneEach,
    /// As many examples as there is room for, each seeing itself alone.
    Packed {
        /// Tokens of a row.
        tokens: usize,
    },
}

/// How examples are laid into micro-batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Rows of a micro-batch.
    pub batch_size: usize,
    /// What stands in them.
    pub rows: Rows,
}

/// The examples of each row of a micro-batch, as indices.
pub type MicroBatchRows = Vec<Vec<usize>>;

impl Layout {
    /// Lays examples of these lengths into micro-batches, rows of similar length together.
    pub fn arrange(&self, lengths: &[usize]) -> Vec<MicroBatchRows> {
        let mut rows: Vec<Vec<usize>> = match self.rows {
            Rows::OneEach => (0..lengths.len()).map(|index| vec![index]).collect(),
            Rows::Packed { tokens } => packed(lengths, tokens),
        };
        let tokens = |row: &Vec<usize>| row.iter().map(|&index| lengths[index]).sum::<usize>();
        rows.sort_by_key(tokens);
        let rows = rows.chunks(self.batch_size.max(1));
        rows.map(<[Vec<usize>]>::to_vec).collect()
    }

    /// The examples in micro-batches.
    pub fn batches(&self, examples: &[Example]) -> Vec<TokenBatch> {
        let lengths: Vec<usize> = examples.iter().map(|example| example.ids.len()).collect();
        let arranged = self.arrange(&lengths);
        let examples_of = |row: &Vec<usize>| row.iter().map(|&index| &examples[index]).collect();
        arranged
            .iter()
            .map(|rows| TokenBatch::of_rows(&rows.iter().map(examples_of).collect::<Vec<_>>()))
            .collect()
    }
}

/// Best-fit decreasing: from the longest example to the shortest, each goes where it leaves least
/// room. What is longer than a row has one to itself.
fn packed(lengths: &[usize], tokens: usize) -> Vec<Vec<usize>> {
    let mut longest_first: Vec<usize> = (0..lengths.len()).collect();
    longest_first.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
    let mut rows: Vec<Vec<usize>> = Vec::new();
    // Rows by the room left in them.
    let mut by_room: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in longest_first {
        let length = lengths[index];
        let fullest = by_room.range(length..).next().map(|(room, _)| *room);
        let (row, room) = match fullest.and_then(|room| Some((take(&mut by_room, room)?, room))) {
            Some(found) => found,
            None => {
                rows.push(Vec::new());
                (rows.len() - 1, tokens.max(length))
            }
        };
        rows[row].push(index);
        by_room.entry(room - length).or_default().push(row);
    }
    rows
}

fn take(by_room: &mut BTreeMap<usize, Vec<usize>>, room: usize) -> Option<usize> {
    let rows = by_room.get_mut(&room)?;
    let row = rows.pop();
    if rows.is_empty() {
        by_room.remove(&room);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(batch_size: usize, rows: Rows) -> Layout {
        Layout { batch_size, rows }
    }

    #[test]
    fn one_each_puts_neighbors_in_length_together() {
        let arranged = layout(2, Rows::OneEach).arrange(&[5, 1, 3, 2, 4]);
        assert_eq!(
            arranged,
            [
                vec![vec![1], vec![3]],
                vec![vec![2], vec![4]],
                vec![vec![0]]
            ]
        );
        assert!(layout(2, Rows::OneEach).arrange(&[]).is_empty());
    }

    #[test]
    fn packed_rows_hold_every_example_once_and_little_else() {
        let lengths: Vec<usize> = (0..500).map(|index| 1 + index * 7919 % 97).collect();
        let tokens = 128;
        let arranged = layout(4, Rows::Packed { tokens }).arrange(&lengths);
        let rows: Vec<&Vec<usize>> = arranged.iter().flatten().collect();
        let mut seen: Vec<usize> = rows.iter().flat_map(|row| row.iter().copied()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..500).collect::<Vec<_>>());
        let filled = |row: &Vec<usize>| row.iter().map(|&index| lengths[index]).sum::<usize>();
        assert!(rows.iter().all(|row| filled(row) <= tokens));
        // No packing needs fewer rows than all tokens fill, and this one hardly needs more.
        let fewest = lengths.iter().sum::<usize>().div_ceil(tokens);
        assert!(rows.len() <= fewest + 1, "{} of {fewest}", rows.len());
        assert!(arranged.iter().all(|batch| batch.len() <= 4));
    }

    #[test]
    fn an_example_longer_than_a_row_has_one_to_itself() {
        let arranged = layout(8, Rows::Packed { tokens: 10 }).arrange(&[12, 4, 6]);
        assert_eq!(arranged, [[vec![2, 1], vec![0]]]);
    }
}
