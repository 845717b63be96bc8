//! The worst that a run will do, done before its first step: the longest micro-batch forward and
//! backward, the longest of the evaluation, one checkpoint written and deleted. Neither weights nor
//! random streams notice.

use super::checkpoint::{self, CheckpointState};
use super::estimate::BatchShape;
use super::optimizer::AdamW;
use super::run_folder::RunFolder;
use super::stop_flag::StopFlag;
use super::targeted_input;
use crate::Result;
use crate::adapters::network::{Network, TrainingSettings};
use crate::adapters::parameters::Parameters;
use crate::datasets::batch::TokenBatch;
use crate::datasets::example::Example;
use crate::models::decoder::Decoder;
use crate::ops::linear_cross_entropy::Gradient;

/// What is rehearsed.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    training: TokenBatch,
    evaluation: Option<TokenBatch>,
}

/// The loaded run.
pub struct Stage<'a> {
    /// The frozen backbone.
    pub backbone: &'a Decoder,
    /// The adapter.
    pub network: &'a Network,
    /// Its optimizer.
    pub optimizer: &'a AdamW,
    /// How it is trained.
    pub settings: TrainingSettings,
    /// Where a checkpoint is tried.
    pub folder: &'a RunFolder,
    /// The counters that it holds.
    pub state: &'a CheckpointState,
}

fn longest(examples: &[&Example], batch_size: usize) -> TokenBatch {
    let mut by_length = examples.to_vec();
    by_length.sort_by_key(|example| std::cmp::Reverse(example.ids.len()));
    by_length.truncate(batch_size);
    // Other examples of a step may have more targets than the longest.
    TokenBatch::new(&by_length).predicting_everything()
}

impl Rehearsal {
    /// Of a run on these examples.
    pub fn new(training: &[&Example], held_out: &[&Example], batch_size: usize) -> Self {
        Self {
            training: longest(training, batch_size),
            evaluation: (!held_out.is_empty()).then(|| longest(held_out, batch_size)),
        }
    }

    /// The largest micro-batch; no step has a larger one.
    pub fn shape(&self) -> BatchShape {
        BatchShape {
            batch: self.training.batch,
            seq: self.training.seq,
        }
    }

    /// Does all of it; false if the flag was raised before the end.
    ///
    /// # Errors
    /// When memory runs out or the disk refuses.
    pub fn run(&self, stage: &Stage<'_>, stop: &StopFlag) -> Result<bool> {
        if stop.is_raised() {
            return Ok(false);
        }
        let Stage {
            backbone,
            network,
            settings,
            ..
        } = *stage;
        let gradients = network.parameters().zeros_like()?;
        let input = targeted_input(&self.training);
        let gradient = Gradient::Scaled(1.0 / self.training.target_ids.len().max(1) as f64);
        network.loss(backbone, input, (settings, 0), gradient, &gradients)?;
        if let Some(batch) = self.evaluation.as_ref().filter(|_| !stop.is_raised()) {
            let (input, none) = (targeted_input(batch), Parameters::default());
            network.loss(backbone, input, (settings, 0), Gradient::Skip, &none)?;
        }
        if stop.is_raised() {
            return Ok(false);
        }
        checkpoint::try_out(
            &stage.folder.rehearsal(),
            stage.state.clone(),
            network.parameters(),
            stage.optimizer.moments(),
        )?;
        Ok(true)
    }
}
