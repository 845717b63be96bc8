//! Means, medians, paired differences with bootstrap intervals, repetition. Everything here is a
//! function of its arguments: the resamples come from a stream of their own.

use std::collections::HashSet;

use stepladder_protocol::{Difference, Interval};

/// Resamples of a bootstrap.
pub const RESAMPLES: usize = 10_000;
/// The interval leaves out this share of them on either side.
const TAIL: f64 = 0.025;
/// Seed of all resamples.
const SEED: u64 = 0x5354_4550_4c41_4444;

/// The mean; none of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The median, between the two in the middle of an even number; none of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    percentile(&sorted, 0.5)
}

/// The value below which a share of sorted values lies, between two of them where it has to be.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let below = place.floor();
    let (low, high) = (sorted[below as usize], sorted[place.ceil() as usize]);
    let part = place - below;
    // As numpy does it, to the last bit.
    Some(match part < 0.5 {
        true => low + (high - low) * part,
        false => high - (high - low) * (1.0 - part),
    })
}

/// The mean of paired differences, with its 95 % percentile bootstrap interval. `stream` numbers the
/// resamples, so that two figures never share theirs.
pub fn difference(differences: &[f64], stream: u64) -> Option<Difference> {
    let mean = mean(differences)?;
    let interval = (differences.len() > 1).then(|| interval(differences, stream));
    let (low, high) = interval.flatten().unzip();
    Some(Difference {
        mean,
        low,
        high,
        pairs: differences.len(),
    })
}

fn interval(differences: &[f64], stream: u64) -> Option<(f64, f64)> {
    let mut random = Stream::new(stream);
    let count = differences.len();
    let resample = |_| {
        let sum: f64 = (0..count).map(|_| differences[random.below(count)]).sum();
        sum / count as f64
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(resample).collect();
    means.sort_by(f64::total_cmp);
    Some((percentile(&means, TAIL)?, percentile(&means, 1.0 - TAIL)?))
}

/// The mean of a table of questions for each seed, with its 95 % percentile bootstrap interval. A resample
/// draws seeds and then questions anew; every drawn seed answers the same drawn questions. Where a seed
/// has no figure for a question it counts for nothing.
pub fn over_seeds_and_questions(table: &[Vec<Option<f64>>], stream: u64) -> Option<Interval> {
    let values: Vec<f64> = table.iter().flatten().flatten().copied().collect();
    let mean = mean(&values)?;
    let asked = (0..table[0].len()).filter(|question| {
        let mut seeds = table.iter();
        seeds.any(|seed| seed[*question].is_some())
    });
    let (low, high) = (asked.count() > 1)
        .then(|| crossed_interval(table, stream))
        .flatten()
        .unzip();
    Some(Interval {
        mean,
        low,
        high,
        replies: values.len(),
    })
}

fn crossed_interval(table: &[Vec<Option<f64>>], stream: u64) -> Option<(f64, f64)> {
    let mut random = Stream::new(stream);
    let mut resample = |_| {
        let seeds: Vec<usize> = table.iter().map(|_| random.below(table.len())).collect();
        let (mut sum, mut count) = (0.0, 0);
        for _ in 0..table[0].len() {
            let question = random.below(table[0].len());
            for value in seeds.iter().filter_map(|seed| table[*seed][question]) {
                sum += value;
                count += 1;
            }
        }
        (count > 0).then(|| sum / f64::from(count))
    };
    let mut means: Vec<f64> = (0..RESAMPLES).filter_map(&mut resample).collect();
    means.sort_by(f64::total_cmp);
    Some((percentile(&means, TAIL)?, percentile(&means, 1.0 - TAIL)?))
}

/// SplitMix64, written out here because a library may change its own between versions.
struct Stream(u64);

impl Stream {
    fn new(number: u64) -> Self {
        let mut stream = Self(SEED ^ number);
        // Streams whose numbers are neighbors begin far from each other.
        let start = stream.next();
        Self(start)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound, each equally likely (Lemire's method).
    fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        loop {
            let wide = u128::from(self.next()) * u128::from(bound);
            let (high, low) = ((wide >> 64) as u64, wide as u64);
            if low >= bound.wrapping_neg() % bound {
                return high as usize;
            }
        }
    }
}

/// The share of runs of three tokens that are different; none of less than three.
pub fn distinct_3(tokens: &[u32]) -> Option<f64> {
    let runs = tokens.len().checked_sub(2).filter(|runs| *runs > 0)?;
    let different: HashSet<&[u32]> = tokens.windows(3).collect();
    Some(different.len() as f64 / runs as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_there_is_nothing() {
        assert_eq!((mean(&[]), median(&[])), (None, None));
        assert_eq!(difference(&[], 0), None);
        let one = difference(&[-3.0], 0).unwrap();
        assert_eq!(
            (one.mean, one.low, one.high, one.pairs),
            (-3.0, None, None, 1)
        );
    }

    #[test]
    fn the_middle_of_an_even_number_is_between_two() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn an_interval_holds_the_mean_and_shrinks_with_more_pairs() {
        let values =
            |count: usize| -> Vec<f64> { (0..count).map(|n| (n * 37 % 11) as f64).collect() };
        let width = |count: usize| {
            let found = difference(&values(count), 1).unwrap();
            let (low, high) = (found.low.unwrap(), found.high.unwrap());
            assert!(low < found.mean && found.mean < high);
            high - low
        };
        assert!(width(400) < 0.6 * width(100));
        let same = difference(&[2.0; 9], 0).unwrap();
        assert_eq!((same.low, same.high), (Some(2.0), Some(2.0)));
    }

    #[test]
    fn the_same_stream_gives_the_same_and_another_gives_another() {
        let values: Vec<f64> = (0..50).map(|n| (n * n % 17) as f64).collect();
        assert_eq!(difference(&values, 3), difference(&values, 3));
        assert_ne!(difference(&values, 3), difference(&values, 4));
        // A report that was written is written again alike.
        let mut stream = Stream::new(0);
        let first: Vec<usize> = (0..8).map(|_| stream.below(100)).collect();
        assert_eq!(first, [77, 90, 92, 57, 22, 53, 38, 90]);
    }

    #[test]
    fn seeds_that_disagree_widen_an_interval() {
        let seed = |offset: f64| -> Vec<Option<f64>> {
            (0..100)
                .map(|n| Some(offset + (n * 37 % 11) as f64))
                .collect()
        };
        let width = |table: &[Vec<Option<f64>>]| {
            let found = over_seeds_and_questions(table, 1).unwrap();
            assert!(found.low.unwrap() < found.mean && found.mean < found.high.unwrap());
            found.high.unwrap() - found.low.unwrap()
        };
        let alike = width(&[seed(0.0), seed(0.0), seed(0.0)]);
        let apart = width(&[seed(-5.0), seed(0.0), seed(5.0)]);
        assert!(apart > 3.0 * alike, "{apart} beside {alike}");
        // One seed says nothing of seeds: what is left are questions.
        let questions: Vec<f64> = seed(0.0).into_iter().flatten().collect();
        let plain = difference(&questions, 1).unwrap();
        let plain = plain.high.unwrap() - plain.low.unwrap();
        assert!((width(&[seed(0.0)]) - plain).abs() < 0.1 * plain);
    }

    #[test]
    fn what_is_missing_from_a_table_counts_for_nothing() {
        let found = over_seeds_and_questions(&[vec![Some(1.0), None], vec![None, Some(3.0)]], 0);
        let found = found.unwrap();
        assert_eq!((found.mean, found.replies), (2.0, 2));
        assert_eq!((found.low, found.high), (Some(1.0), Some(3.0)));
        assert_eq!(over_seeds_and_questions(&[vec![None], vec![None]], 0), None);
        assert_eq!(over_seeds_and_questions(&[], 0), None);
        let one = over_seeds_and_questions(&[vec![Some(1.0)], vec![Some(2.0)]], 0).unwrap();
        assert_eq!((one.low, one.high), (None, None));
    }

    #[test]
    fn repetition_lowers_the_share_of_different_runs() {
        assert_eq!(distinct_3(&[1, 2]), None);
        assert_eq!(distinct_3(&[1, 2, 3, 4]), Some(1.0));
        assert_eq!(distinct_3(&[1, 2, 1, 2, 1, 2, 1, 2]), Some(2.0 / 6.0));
    }
}
