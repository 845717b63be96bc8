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
