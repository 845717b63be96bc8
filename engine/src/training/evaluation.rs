//! Loss on the held-out examples.

use super::progress::{Phase, Progress, StageProgress};
use super::stop_flag::StopFlag;
use super::targeted_input;
use crate::adapters::network::{Network, TrainingSettings};
use crate::adapters::parameters::Parameters;
use crate::datasets::example_set::ExampleSet;
use crate::datasets::layout::{Layout, MicroBatchRows};
use crate::models::decoder::Decoder;
use crate::ops::linear_cross_entropy::Gradient;
use crate::{Error, Result};

/// The held-out examples, arranged once and laid into a micro-batch when it is its turn.
pub struct Evaluation<'a> {
    examples: ExampleSet<'a>,
    batches: Vec<MicroBatchRows>,
}

impl<'a> Evaluation<'a> {
    /// Over these examples.
    pub fn new(examples: ExampleSet<'a>, layout: Layout) -> Self {
        Self {
            batches: examples.arrange_all(layout),
            examples,
        }
    }

    /// Whether there is nothing to evaluate.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// Mean loss per target token, in nats; tells how many examples are done.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the run is told to leave meanwhile.
    pub fn loss(
        &self,
        backbone: &Decoder,
        network: &Network,
        settings: TrainingSettings,
        progress: &mut dyn Progress,
        stop: &StopFlag,
    ) -> Result<f64> {
        let mut so_far = StageProgress {
            phase: Phase::Evaluating,
            done: 0,
            total: self.examples.len() as u64,
        };
        let untouched = Parameters::default();
        let (mut total, mut target_tokens) = (0.0, 0);
        for rows in &self.batches {
            if stop.is_urgent() {
                return Err(Error::Stopped);
            }
            let batch = self.examples.batch(rows);
            target_tokens += batch.target_ids.len();
            let input = targeted_input(&batch);
            total += network.loss(backbone, input, (settings, 0), Gradient::Skip, &untouched)?;
            so_far.done += rows.iter().map(Vec::len).sum::<usize>() as u64;
            progress.stage(so_far);
        }
        Ok(total / target_tokens as f64)
    }
}
