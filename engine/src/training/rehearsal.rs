//! The worst that a run will do, done before its first step: the longest micro-batch forward and
//! backward, the longest of the evaluation, the longest held-out prompt that is answered, one checkpoint
//! written and deleted. Neither weights nor random streams notice.

use std::cmp::Reverse;
use std::iter::once;

use super::checkpoint::{self, CheckpointState};
use super::estimate::BatchShape;
use super::held_out_answers::HeldOutAnswers;
use super::optimizer::AdamW;
use super::plan::RunPlan;
use super::progress::{Phase, Progress, StageProgress};
use super::run_folder::RunFolder;
use super::stop_flag::StopFlag;
use super::targeted_input;
use crate::Result;
use crate::adapters::network::{Network, TrainingSettings};
use crate::adapters::parameters::Parameters;
use crate::datasets::batch::TokenBatch;
use crate::datasets::example_set::ExampleSet;
use crate::datasets::layout::{MicroBatchRows, Rows};
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
    /// What is asked at each evaluation.
    pub answers: &'a HeldOutAnswers<'a>,
    /// Where a checkpoint is tried.
    pub folder: &'a RunFolder,
    /// The counters that it holds.
    pub state: &'a CheckpointState,
}

/// The micro-batch with most tokens, padding included, and all of them predicted: other examples of
/// a step may have more targets than these.
fn largest(
    examples: &ExampleSet<'_>,
    batches: impl Iterator<Item = MicroBatchRows>,
) -> Option<TokenBatch> {
    let lengths = examples.lengths();
    let tokens_of = |row: &Vec<usize>| row.iter().map(|&number| lengths[number]).sum::<usize>();
    let size = |rows: &MicroBatchRows| {
        let seq = rows.iter().map(tokens_of).max().unwrap_or(0);
        (rows.len() * seq, seq)
    };
    let largest = batches.max_by_key(size)?;
    Some(examples.batch(&largest).predicting_everything())
}

/// The longest examples as if they met, each in a row of its own: no step is worse.
fn longest(examples: &ExampleSet<'_>, batch_size: usize) -> MicroBatchRows {
    let lengths = examples.lengths();
    let mut by_length: Vec<usize> = (0..lengths.len()).collect();
    by_length.sort_by_key(|&number| Reverse(lengths[number]));
    by_length.truncate(batch_size);
    by_length.into_iter().map(|number| vec![number]).collect()
}

/// Steps that are arranged to find the largest micro-batch of packed rows.
const MAX_ARRANGED_STEPS: usize = 10_000;

/// The largest micro-batch of packed rows: of a short run by arranging every step, of a long one by
/// what no step can exceed.
fn largest_packed(
    examples: &ExampleSet<'_>,
    plan: &RunPlan,
    row_tokens: usize,
) -> Option<TokenBatch> {
    if plan.stream.steps() > MAX_ARRANGED_STEPS && !examples.is_empty() {
        return Some(fullest(examples, plan, row_tokens));
    }
    let mut stream = plan.stream.clone();
    let steps = 1..=stream.steps();
    let batches = steps.flat_map(|step| examples.arrange(&stream.step(step), plan.layout));
    largest(examples, batches)
}

/// Rows as full as they can be when the longest examples meet.
fn fullest(examples: &ExampleSet<'_>, plan: &RunPlan, row_tokens: usize) -> TokenBatch {
    let mut lengths = examples.lengths();
    lengths.sort_unstable_by_key(|&tokens| Reverse(tokens));
    let longest = lengths.first().copied().unwrap_or(0);
    let together: usize = lengths.iter().take(plan.stream.per_step()).sum();
    let seq = together.min(row_tokens.max(longest));
    // Of best-fit rows at most one is no more than half full.
    let rows = (2 * together).div_ceil(seq.max(1)) + 1;
    let batch = plan.layout.batch_size.min(rows).min(lengths.len());
    let ids = examples.get(0).ids;
    TokenBatch::of_length(
        batch,
        seq,
        ids.iter().max().map_or(1, |id| *id as usize + 1),
    )
}

impl Rehearsal {
    /// Of a run on these examples.
    pub fn new(training: &ExampleSet<'_>, held_out: &ExampleSet<'_>, plan: &RunPlan) -> Self {
        let layout = plan.layout;
        let step = match layout.rows {
            Rows::OneEach => largest(training, once(longest(training, layout.batch_size))),
            Rows::Packed { tokens } => largest_packed(training, plan, tokens),
        };
        Self {
            training: step.unwrap_or_else(|| TokenBatch::new(&[])),
            evaluation: largest(held_out, held_out.arrange_all(layout).into_iter()),
        }
    }

    /// The largest micro-batch; no step has a larger one.
    pub fn shape(&self) -> BatchShape {
        BatchShape {
            batch: self.training.batch,
            seq: self.training.seq,
        }
    }

    /// Does all of it and tells each part; false if the flag was raised before the end.
    ///
    /// # Errors
    /// When memory runs out or the disk refuses.
    pub fn run(
        &self,
        stage: &Stage<'_>,
        progress: &mut dyn Progress,
        stop: &StopFlag,
    ) -> Result<bool> {
        let answers = stage.answers;
        let total = 2 + u64::from(self.evaluation.is_some()) + u64::from(!answers.is_empty());
        let mut done = 0..=total;
        let mut part_done = || {
            progress.stage(StageProgress {
                phase: Phase::Rehearsing,
                done: done.next().unwrap_or(total),
                total,
            });
        };
        part_done();
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
        part_done();
        if let Some(batch) = self.evaluation.as_ref().filter(|_| !stop.is_raised()) {
            let (input, none) = (targeted_input(batch), Parameters::default());
            network.loss(backbone, input, (settings, 0), Gradient::Skip, &none)?;
            part_done();
        }
        if !answers.is_empty() && !stop.is_raised() {
            answers.rehearse(backbone, network)?;
            part_done();
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
        part_done();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::conversation::SourceLine;
    use crate::datasets::example::Example;
    use crate::datasets::store::{ExampleStore, StoreWriter};
    use crate::models::model::ModelFiles;
    use crate::training::plan::ModelPlan;
    use stepladder_protocol::{RunConfig, Switch};

    fn store(lengths: impl Iterator<Item = usize>) -> ExampleStore {
        let mut writer = StoreWriter::default();
        for (number, length) in lengths.enumerate() {
            let example = Example {
                ids: vec![1; length],
                targets: vec![true; length],
                source: SourceLine {
                    source: 0,
                    line: number + 1,
                },
                hash: number as u64,
            };
            writer.push(&example).unwrap();
        }
        writer.finish().unwrap()
    }

    fn plan(examples: &ExampleSet<'_>, steps: usize) -> RunPlan {
        let model = ModelFiles::open("builtin").unwrap();
        let mut config = RunConfig {
            context: Some(128),
            steps: Some(steps),
            ..RunConfig::default()
        };
        config.data_options.packing = Switch::On;
        let model = ModelPlan::resolve(&config, &model.config).unwrap();
        RunPlan::resolve(&config, &model, &examples.lengths()).unwrap()
    }

    #[test]
    fn no_packed_micro_batch_is_larger_than_the_rehearsed_one() {
        for lengths in [[3, 5, 7, 20], [100, 128, 3, 64], [128, 128, 128, 128]] {
            let store = store((0..60).map(|number| lengths[number % 4]));
            let examples = ExampleSet::new(&store, (0..60).collect());
            let none = ExampleSet::new(&store, Vec::new());
            let short = plan(&examples, 30);
            let mut stream = short.stream.clone();
            let sizes = (1..=30).flat_map(|step| {
                let batches = examples.arrange(&stream.step(step), short.layout);
                let sizes = batches.iter().map(|rows| examples.batch(rows).ids.len());
                sizes.collect::<Vec<_>>()
            });
            let worst = sizes.max().unwrap();
            let tokens = |plan: &RunPlan| {
                let shape = Rehearsal::new(&examples, &none, plan).shape();
                shape.batch * shape.seq
            };
            assert_eq!(tokens(&short), worst);
            let long = tokens(&plan(&examples, MAX_ARRANGED_STEPS + 1));
            assert!(long >= worst && long <= 4 * 128, "{long} {worst}");
        }
    }
}
