//! All examples of a dataset, one behind the other, in lists that leave RAM when they are long.

use std::hash::{Hash, Hasher};

use bytemuck::{Pod, Zeroable};

use super::conversation::SourceLine;
use super::example::Example;
use super::spill::{SpillWriter, Spilled};
use crate::{Error, Result};

/// Set in a stored token that is trained.
const TRAINED: u32 = 1 << 31;

/// What is known of an example besides its tokens.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
struct Record {
    /// Index of its first token.
    first: u64,
    hash: u64,
    /// Of tokens and mask, to find equal ones.
    content: u64,
    line: u64,
    source: u32,
    tokens: u32,
}

/// Examples that are being gathered.
#[derive(Debug, Default)]
pub struct StoreWriter {
    tokens: SpillWriter<u32>,
    records: SpillWriter<Record>,
}

/// Examples of a dataset, in the order of its rows.
#[derive(Debug)]
pub struct ExampleStore {
    tokens: Spilled<u32>,
    records: Spilled<Record>,
}

/// A number that equal tokens and masks share. Where there are no tokens, what was said counts.
fn content_hash(example: &Example) -> u64 {
    let mut hasher = fnv::FnvHasher::default();
    match example.ids.is_empty() {
        true => example.hash.hash(&mut hasher),
        false => (&example.ids, &example.targets).hash(&mut hasher),
    }
    hasher.finish()
}

/// A row of which there is an example, ordered so that equal ones stand together.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
struct RowOf {
    content: u64,
    source: u64,
    line: u64,
}

/// Rows that say the same as an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// How many.
    pub rows: usize,
    /// One of them, and the row that it repeats.
    pub first: Option<(SourceLine, SourceLine)>,
}

impl StoreWriter {
    /// Appends an example.
    ///
    /// # Errors
    /// When there is no room left for it on disk.
    pub fn push(&mut self, example: &Example) -> Result<()> {
        if let Some(id) = example.ids.iter().find(|id| **id >= TRAINED) {
            return Err(Error::ModelFileInvalid {
                path: "tokenizer.json".into(),
                problem: format!("token id {id} is too large"),
            });
        }
        let record = Record {
            first: self.tokens.len() as u64,
            hash: example.hash,
            content: content_hash(example),
            line: example.source.line as u64,
            source: example.source.source as u32,
            tokens: example.ids.len() as u32,
        };
        let marked = example.ids.iter().zip(&example.targets);
        self.tokens
            .extend(marked.map(|(id, target)| if *target { id | TRAINED } else { *id }))?;
        self.records.extend([record])
    }

    /// All examples.
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    pub fn finish(self) -> Result<ExampleStore> {
        Ok(ExampleStore {
            tokens: self.tokens.finish()?,
            records: self.records.finish()?,
        })
    }
}

impl ExampleStore {
    /// Examples.
    pub fn len(&self) -> usize {
        self.records.as_slice().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An example.
    ///
    /// # Panics
    /// When there is none of that index.
    pub fn get(&self, index: usize) -> Example {
        let marked = self.marked(index);
        Example {
            ids: marked.iter().map(|token| token & !TRAINED).collect(),
            targets: marked.iter().map(|token| token & TRAINED != 0).collect(),
            source: self.source(index),
            hash: self.hash(index),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Example> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Its tokens.
    pub fn tokens(&self, index: usize) -> usize {
        self.records.as_slice()[index].tokens as usize
    }

    /// Its ids, one after the other.
    pub fn ids(&self, index: usize) -> impl Iterator<Item = u32> {
        self.marked(index).iter().map(|token| token & !TRAINED)
    }

    /// The stable hash of what its row says.
    pub fn hash(&self, index: usize) -> u64 {
        self.records.as_slice()[index].hash
    }

    /// A number that examples of equal tokens and masks share.
    pub fn content(&self, index: usize) -> u64 {
        self.records.as_slice()[index].content
    }

    /// The row it came from.
    pub fn source(&self, index: usize) -> SourceLine {
        let record = &self.records.as_slice()[index];
        SourceLine {
            source: record.source as usize,
            line: record.line as usize,
        }
    }

    fn marked(&self, index: usize) -> &[u32] {
        let record = &self.records.as_slice()[index];
        let first = record.first as usize;
        &self.tokens.as_slice()[first..first + record.tokens as usize]
    }

    /// Recognizes examples of this store: their tokens and masks, in this order.
    pub fn fingerprint(&self, parts: &[&[usize]]) -> String {
        let mut hasher = blake3::Hasher::new();
        for indices in parts {
            hasher.update(&(indices.len() as u64).to_le_bytes());
            for &index in *indices {
                let marked = self.marked(index);
                hasher.update(&(marked.len() as u64).to_le_bytes());
                hasher.update(bytemuck::cast_slice(marked));
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Rows that say the same as an earlier one.
    ///
    /// # Errors
    /// When there is no room on disk to sort them.
    pub fn duplicates(&self) -> Result<Duplicates> {
        let mut rows = SpillWriter::default();
        let is_same_row = |a: &Record, b: &Record| (a.source, a.line) == (b.source, b.line);
        // Several examples of one row stand together.
        for examples in self.records.as_slice().chunk_by(is_same_row) {
            let mut content = fnv::FnvHasher::default();
            examples
                .iter()
                .for_each(|record| record.content.hash(&mut content));
            rows.extend([RowOf {
                content: content.finish(),
                source: u64::from(examples[0].source),
                line: examples[0].line,
            }])?;
        }
        let mut rows = rows.finish()?;
        let rows = rows.as_mut_slice();
        rows.sort_unstable();
        let line = |row: &RowOf| SourceLine {
            source: row.source as usize,
            line: row.line as usize,
        };
        let mut found = Duplicates::default();
        for pair in rows
            .windows(2)
            .filter(|pair| pair[0].content == pair[1].content)
        {
            found.rows += 1;
            let repeated = (line(&pair[1]), line(&pair[0]));
            found.first = Some(found.first.map_or(repeated, |first| first.min(repeated)));
        }
        Ok(found)
    }
}

#[cfg(test)]
impl From<&[Example]> for ExampleStore {
    fn from(examples: &[Example]) -> Self {
        let mut writer = StoreWriter::default();
        for example in examples {
            writer.push(example).unwrap();
        }
        writer.finish().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(number: usize, line: usize, hash: u64) -> Example {
        Example {
            ids: (0..number as u32).collect(),
            targets: (0..number).map(|t| t % 3 == 1).collect(),
            source: SourceLine {
                source: number % 2,
                line,
            },
            hash,
        }
    }

    #[test]
    fn gives_back_what_was_put_in() {
        let examples: Vec<Example> = (0..200).map(|n| example(n, 3 * n, n as u64)).collect();
        let store = ExampleStore::from(examples.as_slice());
        assert_eq!(store.len(), 200);
        for (index, example) in examples.iter().enumerate() {
            assert_eq!(&store.get(index), example);
            assert_eq!(store.tokens(index), index);
            assert!(store.ids(index).eq(example.ids.iter().copied()));
        }
        assert_eq!(store.duplicates().unwrap(), Duplicates::default());
        let mut writer = StoreWriter::default();
        let mut odd = example(3, 1, 1);
        odd.ids[1] = TRAINED;
        assert!(writer.push(&odd).is_err());
    }

    #[test]
    fn rows_that_repeat_are_counted_and_one_is_named() {
        // Tokens, line, hash; the second row has two examples. What was said may differ where what is
        // trained does not.
        let rows = [
            (4, 1, 1),
            (2, 2, 2),
            (4, 2, 2),
            (4, 3, 3),
            (2, 4, 4),
            (4, 5, 1),
        ];
        let examples: Vec<Example> = rows.map(|(n, line, hash)| example(n, line, hash)).into();
        let found = ExampleStore::from(examples.as_slice())
            .duplicates()
            .unwrap();
        let at = |line| SourceLine { source: 0, line };
        assert_eq!(
            found,
            Duplicates {
                rows: 2,
                first: Some((at(3), at(1)))
            }
        );
    }

    #[test]
    fn the_fingerprint_knows_tokens_masks_and_order() {
        let fingerprint = |examples: &[Example], order: &[usize]| {
            ExampleStore::from(examples).fingerprint(&[order, &[0]])
        };
        let examples = [example(4, 1, 1), example(5, 2, 2)];
        let base = fingerprint(&examples, &[0, 1]);
        let mut moved = examples.clone();
        moved[0].source.line = 9;
        assert_eq!(fingerprint(&moved, &[0, 1]), base);
        assert_ne!(fingerprint(&examples, &[1, 0]), base);
        let mut masked = examples.clone();
        masked[0].targets[2] = true;
        assert_ne!(fingerprint(&masked, &[0, 1]), base);
        let mut other = examples;
        other[1].ids[0] = 77;
        assert_ne!(fingerprint(&other, &[0, 1]), base);
    }
}
