//! Loss on the held-out examples.

use super::stop_flag::StopFlag;
use super::targeted_input;
use crate::adapters::network::{Network, TrainingSettings};
use crate::adapters::parameters::Parameters;
use crate::datasets::batch::TokenBatch;
use crate::models::decoder::Decoder;
use crate::ops::linear_cross_entropy::Gradient;
use crate::{Error, Result};

/// Micro-batches of held-out examples, made once.
pub struct Evaluation {
    batches: Vec<TokenBatch>,
    target_tokens: usize,
}

impl Evaluation {
    /// Over these micro-batches.
    pub fn new(batches: Vec<TokenBatch>) -> Self {
        let target_tokens = batches.iter().map(|batch| batch.target_ids.len()).sum();
        Self {
            batches,
            target_tokens,
        }
    }

    /// Whether there is nothing to evaluate.
    pub fn is_empty(&self) -> bool {
        self.target_tokens == 0
    }

    /// Mean loss per target token, in nats.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the flag is raised meanwhile.
    pub fn loss(
        &self,
        backbone: &Decoder,
        network: &Network,
        settings: TrainingSettings,
        stop: &StopFlag,
    ) -> Result<f64> {
        let untouched = Parameters::default();
        let mut total = 0.0;
        for batch in &self.batches {
            if stop.is_raised() {
                return Err(Error::Stopped);
            }
            let input = targeted_input(batch);
            total += network.loss(backbone, input, (settings, 0), Gradient::Skip, &untouched)?;
        }
        Ok(total / self.target_tokens as f64)
    }
}
