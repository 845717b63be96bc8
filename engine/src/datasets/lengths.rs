//! How long examples are: each length with its number of examples, which says everything that is
//! asked of lengths and takes room by how many different ones there are.

use std::collections::BTreeMap;

/// Lengths of examples in tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LengthCounts {
    counts: BTreeMap<usize, usize>,
    examples: usize,
    tokens: usize,
}

/// Examples whose lengths lie in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthBin {
    /// The least length.
    pub from: usize,
    /// The greatest.
    pub to: usize,
    /// Examples.
    pub examples: usize,
}

impl LengthCounts {
    /// Counts an example.
    pub fn add(&mut self, tokens: usize) {
        *self.counts.entry(tokens).or_default() += 1;
        self.examples += 1;
        self.tokens += tokens;
    }

    /// Examples.
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// Tokens of all of them.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The longest; 0 if there is none.
    pub fn longest(&self) -> usize {
        self.counts
            .last_key_value()
            .map_or(0, |(tokens, _)| *tokens)
    }

    /// The shortest; 0 if there is none.
    pub fn shortest(&self) -> usize {
        self.counts
            .first_key_value()
            .map_or(0, |(tokens, _)| *tokens)
    }

    /// The least length that `percent` of 100 examples do not exceed; 0 if there is none.
    pub fn percentile(&self, percent: usize) -> usize {
        let rank = (self.examples * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (tokens, examples) in &self.counts {
            seen += examples;
            if seen >= rank {
                return *tokens;
            }
        }
        0
    }

    /// At most `bins` ranges of equal width, from the shortest to the longest.
    pub fn histogram(&self, bins: usize) -> Vec<LengthBin> {
        if self.examples == 0 {
            return Vec::new();
        }
        let (shortest, longest) = (self.shortest(), self.longest());
        let width = (longest - shortest + 1).div_ceil(bins.max(1));
        (shortest..=longest)
            .step_by(width)
            .map(|from| {
                let to = (from + width - 1).min(longest);
                let examples = self.counts.range(from..=to).map(|(_, n)| n).sum();
                LengthBin { from, to, examples }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_percentiles_and_bins() {
        let mut lengths = LengthCounts::default();
        assert_eq!((lengths.longest(), lengths.percentile(50)), (0, 0));
        assert!(lengths.histogram(4).is_empty());
        for tokens in (1..=100).rev() {
            lengths.add(tokens);
        }
        lengths.add(1000);
        assert_eq!((lengths.shortest(), lengths.longest()), (1, 1000));
        assert_eq!((lengths.examples(), lengths.tokens()), (101, 6050));
        let percentiles = [0, 50, 90, 99, 100].map(|percent| lengths.percentile(percent));
        assert_eq!(percentiles, [1, 51, 91, 100, 1000]);
        let bins = lengths.histogram(4);
        let counts: Vec<_> = bins
            .iter()
            .map(|bin| (bin.from, bin.to, bin.examples))
            .collect();
        assert_eq!(
            counts,
            [(1, 250, 100), (251, 500, 0), (501, 750, 0), (751, 1000, 1)]
        );
    }
}
