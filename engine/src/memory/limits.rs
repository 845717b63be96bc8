//! How far a run can go in so much memory: numbers found by trying, over any function that says
//! whether a number fits.

use std::ops::RangeInclusive;

use stepladder_protocol::Verdict;

/// Memory of the usual cards, in GiB.
const CARDS_GIB: [u64; 12] = [4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 80];
/// A run that leaves less than one part in so many is tight.
const TIGHT: u64 = 20;

/// The largest number of the range up to which every number fits; `None` if the first does not. What
/// is needed may go up and down among the first `uneven` numbers, as long as none of them needs more
/// than the last; from there on it grows.
pub fn largest(
    range: RangeInclusive<usize>,
    uneven: usize,
    fits: impl Fn(usize) -> bool,
) -> Option<usize> {
    let (first, last) = (*range.start(), *range.end());
    if range.is_empty() || !fits(first) {
        return None;
    }
    let even_from = last.min(first.saturating_add(uneven));
    if !fits(even_from) {
        let too_large = (first + 1..=even_from).find(|number| !fits(*number))?;
        return Some(too_large - 1);
    }
    let (mut fitting, mut limit) = (even_from, last);
    while fitting < limit {
        let middle = limit - (limit - fitting) / 2;
        match fits(middle) {
            true => fitting = middle,
            false => limit = middle - 1,
        }
    }
    Some(fitting)
}

/// The smallest usual card that holds so much beside the other programs.
pub fn smallest_card(total_bytes: u64, other_programs_bytes: u64) -> Option<u64> {
    CARDS_GIB
        .into_iter()
        .map(|gib| gib << 30)
        .find(|card| total_bytes <= card.saturating_sub(other_programs_bytes))
}

/// Whether so much fits into what is there.
pub fn verdict(total_bytes: u64, available_bytes: u64) -> Verdict {
    match available_bytes.checked_sub(total_bytes) {
        None => Verdict::DoesNotFit,
        Some(spare) if spare < available_bytes / TIGHT => Verdict::Tight,
        Some(_) => Verdict::Fits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word for word.
    fn by_trying(range: RangeInclusive<usize>, fits: impl Fn(usize) -> bool) -> Option<usize> {
        range.take_while(|number| fits(*number)).last()
    }

    #[test]
    fn halving_finds_what_trying_every_number_finds() {
        for last in 1..=40 {
            for limit in 0..=45 {
                for uneven in [0, 1, 7, 100] {
                    let fits = |number| number <= limit;
                    assert_eq!(
                        largest(1..=last, uneven, fits),
                        by_trying(1..=last, fits),
                        "{limit} of {last}"
                    );
                }
            }
        }
        let everything = largest(2..=usize::MAX, 3, |_| true);
        assert_eq!(everything, Some(usize::MAX));
    }

    #[test]
    fn few_numbers_are_tried() {
        let tried = std::cell::Cell::new(0);
        let found = largest(1..=1 << 20, 0, |number| {
            tried.set(tried.get() + 1);
            number <= 777_777
        });
        assert_eq!(found, Some(777_777));
        assert!(tried.get() <= 22, "{}", tried.get());
    }

    #[test]
    fn a_dip_among_the_first_numbers_is_not_jumped_over() {
        // Halving would try 8, 4, 6, 7.
        let needs = |number: usize| [1, 2, 3, 4, 9, 5, 6, 9][number - 1];
        for (available, expected) in [(0, None), (1, Some(1)), (6, Some(4)), (9, Some(8))] {
            let fits = |number| needs(number) <= available;
            assert_eq!(largest(1..=8, 7, fits), expected);
            assert_eq!(by_trying(1..=8, fits), expected);
        }
    }

    #[test]
    fn cards_are_those_one_can_buy() {
        let gib = 1 << 30;
        assert_eq!(smallest_card(4 * gib, 0), Some(4 * gib));
        assert_eq!(smallest_card(4 * gib + 1, 0), Some(6 * gib));
        assert_eq!(smallest_card(4 * gib, 1), Some(6 * gib));
        assert_eq!(smallest_card(80 * gib, 0), Some(80 * gib));
        assert_eq!(smallest_card(80 * gib, 1), None);
    }

    #[test]
    fn the_last_twentieth_is_tight() {
        assert_eq!(verdict(950, 1000), Verdict::Fits);
        assert_eq!(verdict(951, 1000), Verdict::Tight);
        assert_eq!(verdict(1000, 1000), Verdict::Tight);
        assert_eq!(verdict(1001, 1000), Verdict::DoesNotFit);
    }
}
