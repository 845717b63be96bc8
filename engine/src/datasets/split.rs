//! Which examples are held out for evaluation. An example's own hash decides, so that adding rows
//! moves no other example to the other side, and copies of a conversation stay on one side.

use super::store::ExampleStore;

/// Indices of the two sides, each in the order of the dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Trained on.
    pub training: Vec<usize>,
    /// Evaluated on, never trained on.
    pub held_out: Vec<usize>,
}

/// Holds out about `fraction` of the examples. With a fraction above zero and two or more different
/// conversations, neither side is empty; with only one there is nothing that could be held out.
pub fn split(examples: &ExampleStore, fraction: f64) -> Split {
    let hashes = (0..examples.len()).map(|index| examples.hash(index));
    let smallest = hashes.clone().min().unwrap_or(0);
    let largest = hashes.max().unwrap_or(0);
    let held_out = |hash: u64| {
        if fraction <= 0.0 || smallest == largest {
            false
        } else {
            // The smallest is always held out and the largest never.
            hash == smallest || (hash != largest && is_below(hash, fraction))
        }
    };
    let (held_out, training) =
        (0..examples.len()).partition(|index| held_out(examples.hash(*index)));
    Split { training, held_out }
}

fn is_below(hash: u64, fraction: f64) -> bool {
    (hash as f64) < fraction * 2f64.powi(64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::conversation::{Chat, Message, Role, Sample, SourceLine};
    use crate::datasets::example::Example;

    fn split_of(examples: &[Example], fraction: f64) -> Split {
        split(&ExampleStore::from(examples), fraction)
    }

    fn example(text: &str) -> Example {
        let source = SourceLine { source: 0, line: 1 };
        let messages = vec![Message::new(Role::Assistant, text)];
        let hash = Sample::Chat(Chat {
            messages,
            tools: None,
        })
        .stable_hash();
        Example {
            ids: vec![1, 2],
            targets: vec![false, true],
            source,
            hash,
        }
    }

    fn examples(count: usize) -> Vec<Example> {
        (0..count)
            .map(|index| example(&format!("row {index}")))
            .collect()
    }

    #[test]
    fn about_the_fraction_is_held_out() {
        let examples = examples(4000);
        let split = split_of(&examples, 0.05);
        assert!(
            (150..250).contains(&split.held_out.len()),
            "{}",
            split.held_out.len()
        );
        assert_eq!(split.training.len() + split.held_out.len(), 4000);
        assert!(split_of(&examples, 0.0).held_out.is_empty());
        assert_eq!(split_of(&examples, 1.0).training.len(), 1);
    }

    #[test]
    fn added_rows_move_nothing() {
        let before = examples(500);
        let after = examples(1000);
        let mut held_out = split_of(&after, 0.1).held_out;
        held_out.retain(|index| *index < before.len());
        assert_eq!(held_out, split_of(&before, 0.1).held_out);
    }

    #[test]
    fn neither_side_is_empty_and_copies_stay_together() {
        for count in 2..20 {
            for fraction in [1e-9, 0.05, 0.5, 1.0] {
                let split = split_of(&examples(count), fraction);
                assert!(
                    !split.training.is_empty() && !split.held_out.is_empty(),
                    "{count} {fraction}"
                );
            }
        }
        let mut doubled = examples(50);
        doubled.extend(examples(50));
        let held_out = split_of(&doubled, 0.2).held_out;
        let half = held_out.len() / 2;
        let shifted: Vec<usize> = held_out[..half].iter().map(|index| index + 50).collect();
        assert_eq!(held_out[half..], shifted);
        assert!(
            split_of(&[example("a"), example("a")], 0.5)
                .held_out
                .is_empty()
        );
        assert_eq!(split_of(&[example("a")], 0.5).training, [0]);
        assert_eq!(split_of(&[], 0.5), Split::default());
    }
}
