//! Tokens that go through the wide parts of a network together. Whatever is wider than a hidden
//! state (an MLP's activations, attention's queries in use) exists for one tile at a time, so what a
//! pass takes beside its hidden states does not grow with the context.

use candle_core::{Result, Tensor};

/// Tokens in a tile, at most.
pub const TOKEN_TILE: usize = 512;

/// Some tokens of a batch: several whole rows, or a part of one, so that no tile holds the end of a
/// long row and the beginning of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTile {
    /// First row of the batch.
    pub row: usize,
    /// Rows.
    pub rows: usize,
    /// First token inside each row.
    pub first: usize,
    /// Tokens of each row.
    pub tokens_per_row: usize,
    /// First of the batch's tokens, `row * seq + first`.
    pub start: usize,
}

impl TokenTile {
    /// Tokens in it.
    pub fn tokens(&self) -> usize {
        self.rows * self.tokens_per_row
    }

    /// Its rows of `x` `[batch * seq, width]`: a view.
    ///
    /// # Errors
    /// When `x` has fewer rows.
    pub fn of(&self, x: &Tensor) -> Result<Tensor> {
        x.narrow(0, self.start, self.tokens())
    }

    /// Its part of a list with an entry for each token; an empty list stays empty.
    pub fn of_list<'a, T>(&self, list: &'a [T]) -> &'a [T] {
        match list.is_empty() {
            true => list,
            false => &list[self.start..self.start + self.tokens()],
        }
    }
}

/// The tokens of `batch` rows of `seq` tokens, in order.
pub fn token_tiles(batch: usize, seq: usize) -> Vec<TokenTile> {
    if batch == 0 || seq == 0 {
        return Vec::new();
    }
    let tile = |row, rows, first, tokens_per_row| TokenTile {
        row,
        rows,
        first,
        tokens_per_row,
        start: row * seq + first,
    };
    if seq <= TOKEN_TILE {
        let rows = TOKEN_TILE / seq;
        return (0..batch)
            .step_by(rows)
            .map(|row| tile(row, rows.min(batch - row), 0, seq))
            .collect();
    }
    (0..batch)
        .flat_map(|row| {
            (0..seq)
                .step_by(TOKEN_TILE)
                .map(move |first| tile(row, 1, first, TOKEN_TILE.min(seq - first)))
        })
        .collect()
}

/// Tokens in the largest tile of such a batch.
pub fn largest_tile(batch: usize, seq: usize) -> usize {
    match seq {
        0 => 0,
        _ if seq <= TOKEN_TILE => (TOKEN_TILE / seq).min(batch) * seq,
        _ => TOKEN_TILE.min(batch * seq),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_in_one_tile() {
        for (batch, seq) in [(1, 1), (4, 110), (3, 512), (2, 513), (1, 2000), (7, 300)] {
            let tiles = token_tiles(batch, seq);
            let mut next = 0;
            for tile in &tiles {
                assert_eq!(tile.start, next, "{batch} x {seq}: {tile:?}");
                assert!(tile.tokens() <= TOKEN_TILE);
                assert!(tile.rows == 1 || tile.tokens_per_row == seq);
                next += tile.tokens();
            }
            assert_eq!(next, batch * seq);
            let largest = tiles.iter().map(TokenTile::tokens).max();
            assert_eq!(largest, Some(largest_tile(batch, seq)));
        }
        assert!(token_tiles(0, 5).is_empty());
        assert_eq!(token_tiles(4, 110).len(), 1);
        assert_eq!(token_tiles(2, 513).len(), 4);
    }
}
