//! Which examples each step sees: epochs one after the other, every epoch in an order of its own.
//! A pure function of seed and step, so that resuming needs the step alone.

use crate::datasets::order::{epoch_order, grouped_by_length};

/// The training examples of a run, step by step.
#[derive(Clone, Debug)]
pub struct ExampleStream {
    examples: usize,
    per_step: usize,
    seed: u64,
    /// Examples seen in the whole run, repetitions counted.
    total: usize,
    /// Each example's length, if steps shall hold examples of similar length.
    lengths: Option<Vec<usize>>,
    /// The order of the epoch that was last asked for, so that it is not made anew for every step.
    epoch: Option<(usize, Vec<usize>)>,
}

impl ExampleStream {
    /// Every example `epochs` times; the last step may be smaller.
    pub fn for_epochs(examples: usize, per_step: usize, seed: u64, epochs: f64) -> Self {
        let total = (examples as f64 * epochs).round() as usize;
        Self {
            examples,
            per_step,
            seed,
            total: total.max(1),
            lengths: None,
            epoch: None,
        }
    }

    /// `steps` full steps.
    pub fn for_steps(examples: usize, per_step: usize, seed: u64, steps: usize) -> Self {
        Self {
            examples,
            per_step,
            seed,
            total: steps.saturating_mul(per_step),
            lengths: None,
            epoch: None,
        }
    }

    /// Steps hold examples of similar length, so that less is spent on padding.
    pub fn grouped_by_length(self, lengths: Vec<usize>) -> Self {
        Self {
            lengths: Some(lengths),
            ..self
        }
    }

    /// Examples of a full step.
    pub fn per_step(&self) -> usize {
        self.per_step
    }

    /// Steps in the run.
    pub fn steps(&self) -> usize {
        self.total.div_ceil(self.per_step)
    }

    /// Indices of the examples of step `step` (from 1).
    pub fn step(&mut self, step: usize) -> Vec<usize> {
        let start = (step - 1) * self.per_step;
        let end = (start + self.per_step).min(self.total);
        (start..end)
            .map(|position| {
                let place = position % self.examples;
                self.order_of(position / self.examples)[place]
            })
            .collect()
    }

    fn order_of(&mut self, epoch: usize) -> &[usize] {
        if { self.epoch.as_ref() }.is_none_or(|(number, _)| *number != epoch) {
            let mut order = epoch_order(self.examples, self.seed, epoch as u64);
            if let Some(lengths) = &self.lengths {
                let begin = epoch * self.examples;
                let (step, seed) = (self.per_step, self.seed);
                grouped_by_length(&mut order, lengths, begin, step, seed, epoch as u64);
            }
            self.epoch = Some((epoch, order));
        }
        self.epoch.as_ref().map_or(&[], |(_, order)| order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_seen_once_per_epoch() {
        let mut stream = ExampleStream::for_epochs(10, 4, 1, 2.0);
        assert_eq!(stream.steps(), 5);
        let seen: Vec<usize> = (1..=5).flat_map(|step| stream.step(step)).collect();
        for epoch in seen.chunks(10) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(seen[..10], seen[10..], "each epoch has its own order");
    }

    #[test]
    fn grouping_by_length_changes_which_examples_meet_not_how_often() {
        let lengths: Vec<usize> = (0..10).map(|index| index * 3 % 10).collect();
        let mut stream = ExampleStream::for_epochs(10, 4, 1, 2.0).grouped_by_length(lengths);
        let mut seen: Vec<usize> = (1..=5).flat_map(|step| stream.step(step)).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..20).map(|index| index / 2).collect::<Vec<_>>());
        assert_eq!(stream.step(2), stream.clone().step(2));
    }

    #[test]
    fn the_last_step_of_an_odd_number_is_smaller() {
        let mut stream = ExampleStream::for_epochs(5, 2, 1, 1.0);
        assert_eq!((stream.steps(), stream.step(3).len()), (3, 1));
        assert_eq!(ExampleStream::for_steps(5, 2, 1, 7).step(7).len(), 2);
    }
}
