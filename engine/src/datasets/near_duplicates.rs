//! Held-out examples that nearly repeat one that is trained on: an evaluation on them measures
//! memory. Found by MinHash (Broder 1997) over runs of tokens, with the bands of locality-sensitive
//! hashing in a library.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;

use gaoya::minhash::{MinHashIndex, MinHasher, MinHasher32};
use rayon::prelude::*;

use super::conversation::SourceLine;
use super::split::Split;
use super::store::ExampleStore;
use crate::{Error, Result};

/// Tokens of a run.
const RUN: usize = 5;
/// Two examples are near when they share this part of all their runs.
const SIMILARITY: f64 = 0.8;
/// Estimated similarity from which two examples are compared.
const WORTH_A_LOOK: f64 = 0.6;
/// 12 bands of 5 hashes find 99 of 100 pairs as near as that, and 1 in 250 that share a fifth.
const BANDS: usize = 12;
const BAND_WIDTH: usize = 5;
/// Held-out examples that are looked at.
const MAX_HELD_OUT: usize = 20_000;
/// Trained examples that a held-out one is compared with, token by token: where many are so alike,
/// more would say nothing new.
const MAX_COMPARED: usize = 32;
/// Runs of tokens that more than this part of the examples have are the template's or a system
/// prompt's, and say nothing.
const COMMON: f64 = 0.2;
/// Examples among which common runs are counted.
const SAMPLE: usize = 1_000;
/// Examples with fewer runs than this of their own are too short to be told apart.
const FEWEST_RUNS: usize = 8;

/// Held-out examples that nearly repeat one that is trained on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NearDuplicates {
    /// How many.
    pub held_out: usize,
    /// The first of them, and an example that it nearly repeats.
    pub first: Option<(SourceLine, SourceLine)>,
}

/// Compares the sides of a split, for as long as it is told to go on.
///
/// # Errors
/// [`Error::Stopped`] when it is not.
pub fn near_duplicates(
    examples: &ExampleStore,
    split: &Split,
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<NearDuplicates> {
    let mut go_on = || match go_on() {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Stopped),
    };
    let held_out = &split.held_out[..split.held_out.len().min(MAX_HELD_OUT)];
    let signing = Signing::new(examples, held_out, &split.training);
    let mut index = MinHashIndex::new(BANDS, BAND_WIDTH, WORTH_A_LOOK);
    for part in held_out.chunks(SAMPLE) {
        go_on()?;
        for signed in signing.all(part) {
            index.insert(signed.example, signed.signature);
        }
    }
    let mut repeats = equal(examples, held_out, &split.training);
    let mut compared: HashMap<usize, usize> = HashMap::new();
    for part in split.training.chunks(SAMPLE) {
        go_on()?;
        for trained in signing.all(part) {
            for candidate in index.query_owned(&trained.signature) {
                let compared = compared.entry(candidate).or_default();
                if *compared >= MAX_COMPARED || repeats.contains_key(&candidate) {
                    continue;
                }
                *compared += 1;
                if similarity(&signing.own_runs(candidate), &trained.runs) >= SIMILARITY {
                    repeats.insert(candidate, trained.example);
                }
            }
        }
    }
    let first = repeats.iter().min_by_key(|(held_out, _)| **held_out);
    Ok(NearDuplicates {
        held_out: repeats.len(),
        first: first.map(|(one, other)| (examples.source(*one), examples.source(*other))),
    })
}

/// Held-out examples that are trained on to the token, each with one that is.
fn equal(examples: &ExampleStore, held_out: &[usize], training: &[usize]) -> HashMap<usize, usize> {
    let contents: HashMap<u64, usize> = { held_out.iter() }
        .map(|&example| (examples.content(example), example))
        .collect();
    let mut equal = HashMap::new();
    for &trained in training {
        if let Some(&held_out) = contents.get(&examples.content(trained)) {
            equal.entry(held_out).or_insert(trained);
        }
    }
    equal
}

struct Signing<'a> {
    examples: &'a ExampleStore,
    common: HashSet<u64>,
    hasher: MinHasher32<fnv::FnvBuildHasher>,
}

impl<'a> Signing<'a> {
    fn new(examples: &'a ExampleStore, held_out: &[usize], training: &[usize]) -> Self {
        let sample = { held_out.iter().chain(training) }.take(SAMPLE);
        let mut counts: HashMap<u64, usize> = HashMap::new();
        let mut sampled = 0;
        for &example in sample {
            sampled += 1;
            for run in runs(examples, example) {
                *counts.entry(run).or_default() += 1;
            }
        }
        let most = (COMMON * sampled as f64).max(2.0) as usize;
        Self {
            examples,
            common: { counts.into_iter() }
                .filter(|(_, count)| *count > most)
                .map(|(run, _)| run)
                .collect(),
            hasher: MinHasher32::new(BANDS * BAND_WIDTH),
        }
    }

    /// Those of the examples that are long enough, signed.
    fn all(&self, examples: &[usize]) -> Vec<Signed> {
        let sign = |&example: &usize| {
            let runs = self.own_runs(example);
            (runs.len() >= FEWEST_RUNS).then(|| Signed {
                example,
                signature: self.hasher.create_signature(runs.iter()),
                runs,
            })
        };
        examples.par_iter().filter_map(sign).collect()
    }

    /// The runs of an example that are not common.
    fn own_runs(&self, example: usize) -> HashSet<u64> {
        let mut own = runs(self.examples, example);
        own.retain(|run| !self.common.contains(run));
        own
    }
}

struct Signed {
    example: usize,
    runs: HashSet<u64>,
    signature: Vec<u32>,
}

/// The part of all their runs that two examples share.
fn similarity(a: &HashSet<u64>, b: &HashSet<u64>) -> f64 {
    let shared = a.intersection(b).count();
    shared as f64 / (a.len() + b.len() - shared).max(1) as f64
}

/// The runs of tokens of an example, each once.
fn runs(examples: &ExampleStore, example: usize) -> HashSet<u64> {
    let ids: Vec<u32> = examples.ids(example).collect();
    let hash = |run: &[u32]| {
        let mut hasher = DefaultHasher::new();
        run.hash(&mut hasher);
        hasher.finish()
    };
    ids.windows(RUN).map(hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::example::Example;

    /// A beginning that all share, then words of their own.
    fn example(number: u32, words: impl Iterator<Item = u32>) -> Example {
        let ids: Vec<u32> = (0..40).chain(words).collect();
        Example {
            targets: vec![false; ids.len()],
            ids,
            source: SourceLine {
                source: 0,
                line: number as usize + 1,
            },
            hash: u64::from(number),
        }
    }

    fn own_words(number: u32) -> impl Iterator<Item = u32> {
        (0..60).map(move |t| 100 + (number * 7919 + t * t * 31 + t * number) % 5000)
    }

    #[test]
    fn near_copies_are_found_and_shared_beginnings_are_none() {
        let mut examples: Vec<Example> = (0..100).map(|n| example(n, own_words(n))).collect();
        // One word in 60 differs.
        let changed = own_words(50).enumerate();
        let changed = changed.map(|(t, word)| if t == 30 { 1 } else { word });
        examples[3] = example(3, changed);
        // Too short for runs, and yet the same.
        let short = |number: u32| Example {
            ids: vec![1, 2, 3],
            targets: vec![false, true, true],
            ..example(number, own_words(number))
        };
        (examples[7], examples[70]) = (short(7), short(70));
        let store = ExampleStore::from(examples.as_slice());
        let split = Split {
            held_out: (0..10).collect(),
            training: (10..100).collect(),
        };
        let line = |number: usize| SourceLine {
            source: 0,
            line: number + 1,
        };
        let compared = |split: &Split| {
            near_duplicates(&store, split, &mut || ControlFlow::Continue(())).unwrap()
        };
        assert_eq!(
            compared(&split),
            NearDuplicates {
                held_out: 2,
                first: Some((line(3), line(50)))
            }
        );
        assert_eq!(compared(&Split::default()), NearDuplicates::default());
        let mut asked = 0;
        let stopped = near_duplicates(&store, &split, &mut || {
            asked += 1;
            match asked {
                1 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        });
        assert!(matches!(stopped, Err(Error::Stopped)));
    }
}
