//! The order in which examples are seen: a pure function of seed and epoch, so that a resumed run
//! needs to remember nothing but its step.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The order of `examples` examples in an epoch, as indices; each occurs once. The shuffle is
/// written out here, because a library may change its own between versions.
pub fn epoch_order(examples: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(epoch);
    let mut order: Vec<usize> = (0..examples).collect();
    for last in (1..examples).rev() {
        order.swap(last, below(&mut random, last as u64 + 1) as usize);
    }
    order
}

/// Steps among which examples are sorted by length; between such windows the order stays random.
const WINDOW_STEPS: usize = 50;

/// Rearranges an epoch so that the examples of a step are of similar length: within windows of some
/// steps they are sorted, cut into steps, and the steps put in random order. The epoch begins at the
/// example `start` of the run, so its first and last step may be shared with its neighbors; those
/// stay in their places.
pub fn grouped_by_length(
    order: &mut [usize],
    lengths: &[usize],
    start: usize,
    per_step: usize,
    seed: u64,
    epoch: u64,
) {
    let shared = (start.next_multiple_of(per_step) - start).min(order.len());
    for (number, window) in order[shared..]
        .chunks_mut(WINDOW_STEPS * per_step)
        .enumerate()
    {
        window.sort_by_key(|&index| lengths[index]);
        let whole = window.len() / per_step;
        let sorted = window.to_vec();
        // Epochs count up from 0, so the streams from the top are free.
        let stream = u64::MAX - (epoch * (1 << 20) + number as u64);
        for (to, from) in epoch_order(whole, seed, stream).into_iter().enumerate() {
            let step = &sorted[from * per_step..(from + 1) * per_step];
            window[to * per_step..(to + 1) * per_step].copy_from_slice(step);
        }
    }
}

/// A number below `bound`, each equally likely (Lemire's method).
fn below(random: &mut ChaCha8Rng, bound: u64) -> u64 {
    loop {
        let wide = u128::from(random.next_u64()) * u128::from(bound);
        let (high, low) = ((wide >> 64) as u64, wide as u64);
        if low >= bound.wrapping_neg() % bound {
            return high;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_example_once_and_the_same_for_ever() {
        let mut sorted = epoch_order(1000, 42, 3);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        // Runs that were begun with an earlier version resume with these.
        assert_eq!(epoch_order(8, 42, 0), [4, 7, 0, 1, 3, 2, 6, 5]);
        assert_eq!(epoch_order(8, 42, 1), [6, 3, 7, 0, 4, 2, 1, 5]);
        assert_ne!(epoch_order(100, 42, 0), epoch_order(100, 43, 0));
        assert_eq!(epoch_order(0, 1, 0), [0usize; 0]);
        assert_eq!(epoch_order(1, 1, 0), [0]);
    }

    #[test]
    fn grouping_keeps_every_example_and_brings_neighbors_together() {
        let lengths: Vec<usize> = (0..1003).map(|index| index * 7919 % 503).collect();
        let padding = |order: &[usize], start: usize| -> usize {
            let first = (16 - start % 16) % 16;
            order[first..]
                .chunks_exact(16)
                .map(|step| {
                    let longest = step.iter().map(|&index| lengths[index]).max().unwrap();
                    step.iter()
                        .map(|&index| longest - lengths[index])
                        .sum::<usize>()
                })
                .sum()
        };
        for start in [0, 1003, 16] {
            let random = epoch_order(1003, 42, 1);
            let mut order = random.clone();
            grouped_by_length(&mut order, &lengths, start, 16, 42, 1);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..1003).collect::<Vec<_>>());
            assert!(10 * padding(&order, start) < padding(&random, start));
            // Steps are not in order of length.
            let longest = |step: &[usize]| lengths[step[0]];
            let steps: Vec<usize> = order[16..800].chunks_exact(16).map(longest).collect();
            assert!(!steps.is_sorted());
        }
    }

    #[test]
    fn every_place_is_equally_likely() {
        let mut first = [0usize; 5];
        for epoch in 0..5000 {
            first[epoch_order(5, 7, epoch)[0]] += 1;
        }
        assert!(
            first.iter().all(|count| (850..1150).contains(count)),
            "{first:?}"
        );
    }
}
