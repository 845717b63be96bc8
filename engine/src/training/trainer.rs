//! The training loop. Reads top to bottom: each step takes its examples, runs its micro-batches,
//! clips, updates; now and then it evaluates and saves. Partial steps leave no trace: a stop takes
//! effect between micro-batches and drops what the step had gathered.

use std::path::PathBuf;
use std::time::Instant;

use stepladder_protocol::{EvaluationRow, MetricsRow, StepRow};

use super::checkpoint::{self, CheckpointState};
use super::evaluation::Evaluation;
use super::held_out_answers::HeldOutAnswers;
use super::loss_scale::LossScale;
use super::optimizer::AdamW;
use super::plan::RunPlan;
use super::progress::{EvaluationMetrics, Phase, Progress, StepMetrics};
use super::rehearsal::{Rehearsal, Stage};
use super::run_folder::RunFolder;
use super::run_memory::MemoryWatch;
use super::stop_flag::{Request, StopFlag};
use super::targeted_input;
use crate::adapters::adapter_folder::{self, AdapterConfig};
use crate::adapters::network::Network;
use crate::adapters::parameters::Parameters;
use crate::datasets::batch::TokenBatch;
use crate::datasets::example_set::ExampleSet;
use crate::models::decoder::Decoder;
use crate::ops::linear_cross_entropy::Gradient;
use crate::{Error, Result};

/// One run, loaded and ready.
pub struct Trainer<'a> {
    /// The frozen backbone.
    pub backbone: &'a Decoder,
    /// The adapter being trained.
    pub network: Network,
    /// Its optimizer.
    pub optimizer: AdamW,
    /// What to do.
    pub plan: RunPlan,
    /// Trained on.
    pub examples: ExampleSet<'a>,
    /// Evaluated on.
    pub evaluation: Evaluation<'a>,
    /// Held-out prompts that are answered at each evaluation.
    pub answers: HeldOutAnswers<'a>,
    /// Done before the first step.
    pub(super) rehearsal: Rehearsal,
    /// Its memory, planned and measured.
    pub(super) memory: MemoryWatch,
    /// Where everything is written.
    pub folder: &'a mut RunFolder,
    /// Description of the adapter, for its folder.
    pub adapter_config: AdapterConfig,
    /// Counters; those of a checkpoint when the run is resumed.
    pub state: CheckpointState,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// The run folder.
    pub run: PathBuf,
    /// Whether all steps were made, or enough of them; false after a stop on request.
    pub finished: bool,
    /// Why it is finished before its last step: a sentence.
    pub ended_early: Option<String>,
    /// Updates made.
    pub step: usize,
    /// Lowest loss on the held-out examples.
    pub best_evaluation_loss: Option<f64>,
    /// Most bytes in use at once, as planned.
    pub estimated_peak_bytes: u64,
    /// The same as measured.
    pub measured_peak_bytes: u64,
}

/// Sums over one step's micro-batches.
struct StepSums {
    loss: f64,
    gradient_norm: f64,
    tokens: usize,
    target_tokens: usize,
}

impl Trainer<'_> {
    /// Trains to the end, or until the flag is raised. Either way the folder holds a checkpoint of
    /// the last whole step. A run that is told to keep what it has is evaluated once more and is done;
    /// before its first step there is nothing to keep, and it stops as any other.
    ///
    /// # Errors
    /// When the loss diverges or something cannot be written; earlier checkpoints are then intact.
    pub fn run(mut self, progress: &mut dyn Progress, stop: &StopFlag) -> Result<RunOutcome> {
        let started = Instant::now();
        let elapsed_before = self.state.elapsed_secs;
        let first_step = self.state.step + 1;
        let steps = self.plan.stream.steps();
        if self.state.step < steps && !self.patience_is_over() {
            self.rehearse(progress, stop)?;
        }
        let stepping = Instant::now();
        let gradients = self.network.parameters().zeros_like()?;
        self.memory.gradients_made();
        // A run that is resumed stands at a checkpoint already.
        let mut saved = self.state.step > 0 && !self.state.evaluation_due;
        let mut evaluated =
            self.state.evaluation_due || self.state.step.is_multiple_of(self.plan.evaluate_every);
        progress.phase(Phase::Training);
        // A stop during an evaluation leaves it to be made when the run goes on.
        if self.state.evaluation_due {
            self.evaluate(progress, stop)?;
        }
        let mut last_save = Instant::now();
        for step in first_step..=steps {
            if self.state.evaluation_due || self.patience_is_over() {
                break;
            }
            let step_started = Instant::now();
            self.memory.update_begins();
            let Some(sums) = self.gather_finite_gradients(step, &gradients, stop)? else {
                break;
            };
            self.refuse_divergence(step, &sums)?;
            let learning_rate = self.plan.schedule.at(step);
            let parameters = self.network.parameters();
            let updated = self.optimizer.update(parameters, &gradients, learning_rate);
            updated.map_err(|error| self.memory.explained(error, "for the optimizer"))?;
            self.state.loss_scale = self.state.loss_scale.map(LossScale::after_update);

            (saved, evaluated) = (false, false);
            self.state.step = step;
            self.state.elapsed_secs = elapsed_before + started.elapsed().as_secs_f64();
            let per_step = stepping.elapsed().as_secs_f64() / (step + 1 - first_step) as f64;
            self.report_step(
                progress,
                StepMetrics {
                    step,
                    loss: sums.loss,
                    learning_rate,
                    gradient_norm: sums.gradient_norm,
                    tokens_per_second: sums.tokens as f64
                        / step_started.elapsed().as_secs_f64().max(1e-9),
                    tokens: sums.tokens,
                    target_tokens: sums.target_tokens,
                    elapsed_secs: self.state.elapsed_secs,
                    remaining_secs: per_step * (steps - step) as f64,
                    peak_bytes: self.memory.update_peak_bytes(),
                },
            )?;
            if step % self.plan.evaluate_every == 0 || step == steps {
                self.evaluate(progress, stop)?;
                evaluated = true;
            }
            let overdue = |secs| last_save.elapsed().as_secs_f64() >= secs;
            if step % self.plan.checkpoint_every == 0
                || step == steps
                || self.plan.checkpoint_secs.is_some_and(overdue)
            {
                self.save_checkpoint(progress)?;
                saved = true;
                last_save = Instant::now();
            }
        }
        let kept = stop.asked() == Some(Request::Keep) && (1..steps).contains(&self.state.step);
        if kept && !evaluated {
            self.evaluate(progress, stop)?;
            saved = false;
        }
        if !saved {
            self.save_checkpoint(progress)?;
        }
        let memory = self.memory.report(self.state.peak_bytes);
        self.folder.write_memory(&memory)?;
        if self.state.best_evaluation_loss.is_none() {
            // Nothing was compared, so the latest is the best there is.
            self.save_adapter()?;
        }
        let ended_early = self.ended_early(steps, kept);
        if let Some(text) = &ended_early {
            self.folder.log(text);
            progress.notice(text);
        }
        let finished =
            (self.state.step == steps || ended_early.is_some()) && !self.state.evaluation_due;
        self.folder.log(if finished {
            "finished"
        } else {
            "stopped on request"
        });
        Ok(RunOutcome {
            run: self.folder.path().to_path_buf(),
            finished,
            ended_early,
            step: self.state.step,
            best_evaluation_loss: self.state.best_evaluation_loss,
            estimated_peak_bytes: self.memory.planned_bytes(),
            measured_peak_bytes: self.state.peak_bytes,
        })
    }

    /// The worst step, before the first: if it does not fit, the run does not start.
    fn rehearse(&mut self, progress: &mut dyn Progress, stop: &StopFlag) -> Result<()> {
        progress.phase(Phase::Rehearsing);
        let stage = Stage {
            backbone: self.backbone,
            network: &self.network,
            optimizer: &self.optimizer,
            settings: self.plan.training,
            answers: &self.answers,
            folder: self.folder,
            state: &self.state,
        };
        let rehearsed = self.rehearsal.run(&stage, progress, stop);
        let moment = "while the longest step was rehearsed";
        if !rehearsed.map_err(|error| self.memory.explained(error, moment))? {
            return Ok(());
        }
        let peak_bytes = self.memory.peak_bytes();
        self.memory.accept_rehearsal(peak_bytes)?;
        let memory = self.memory.report(peak_bytes);
        self.folder.write_memory(&memory)?;
        progress.memory(&memory);
        Ok(())
    }

    /// The same again with a smaller factor on the loss as long as its gradients overflow for it.
    fn gather_finite_gradients(
        &mut self,
        step: usize,
        gradients: &Parameters,
        stop: &StopFlag,
    ) -> Result<Option<StepSums>> {
        loop {
            let sums = self.gather_gradients(step, gradients, stop);
            let moment = || format!("in step {step}");
            let sums = sums.map_err(|error| self.memory.explained(error, &moment()))?;
            let overflows = { sums.as_ref() }
                .is_some_and(|sums| sums.loss.is_finite() && !sums.gradient_norm.is_finite());
            let smaller = self.state.loss_scale.and_then(LossScale::after_overflow);
            match smaller.filter(|_| overflows) {
                None => return Ok(sums),
                smaller => self.state.loss_scale = smaller,
            }
        }
    }

    /// Mean loss and clipped gradients over a step's micro-batches; none if the flag was raised.
    /// The loss of a step is the sum over its target tokens divided by their number, however the
    /// examples are cut into micro-batches.
    fn gather_gradients(
        &mut self,
        step: usize,
        gradients: &Parameters,
        stop: &StopFlag,
    ) -> Result<Option<StepSums>> {
        let numbers = self.plan.stream.step(step);
        let batches = self.examples.arrange(&numbers, self.plan.layout);
        let batches: Vec<TokenBatch> = { batches.iter() }
            .map(|rows| self.examples.batch(rows))
            .collect();
        let target_tokens: usize = batches.iter().map(|batch| batch.target_ids.len()).sum();
        let scale = self.state.loss_scale.map_or(1.0, LossScale::factor);
        let gradient = Gradient::Scaled(scale / target_tokens as f64);
        gradients.scale(0.0)?;
        let mut loss_sum = 0.0;
        for (number, batch) in batches.iter().enumerate() {
            if stop.is_raised() {
                return Ok(None);
            }
            let input = targeted_input(batch);
            // Numbered over the whole run, whatever a step was cut into.
            let draw = (step * self.plan.stream.per_step() + number) as u64;
            let settings = (self.plan.training, draw);
            loss_sum += self
                .network
                .loss(self.backbone, input, settings, gradient, gradients)?;
        }
        if self.state.loss_scale.is_some() {
            gradients.scale(scale.recip())?;
        }
        let gradient_norm = gradients.norm()?;
        if self.plan.clip_norm > 0.0 && gradient_norm > self.plan.clip_norm {
            // torch.nn.utils.clip_grad_norm_'s factor
            gradients.scale(self.plan.clip_norm / (gradient_norm + 1e-6))?;
        }
        Ok(Some(StepSums {
            loss: loss_sum / target_tokens as f64,
            gradient_norm,
            tokens: batches.iter().map(|batch| batch.tokens).sum(),
            target_tokens,
        }))
    }

    fn patience_is_over(&self) -> bool {
        let waited = self.state.evaluations_since_best;
        self.plan
            .patience
            .is_some_and(|patience| waited >= patience)
    }

    /// A loss or gradient that is not a number must never reach the parameters.
    fn refuse_divergence(&mut self, step: usize, sums: &StepSums) -> Result<()> {
        let what = if !sums.loss.is_finite() {
            format!(
                "the loss is {}: the model's weights or this step's examples overflow",
                sums.loss
            )
        } else if !sums.gradient_norm.is_finite() {
            format!(
                "the gradient norm is {} at learning rate {:e}: the learning rate is probably too high",
                sums.gradient_norm,
                self.plan.schedule.at(step)
            )
        } else {
            return Ok(());
        };
        self.folder.log(&format!("step {step}: {what}"));
        Err(Error::Diverged { step, what })
    }

    fn report_step(&mut self, progress: &mut dyn Progress, metrics: StepMetrics) -> Result<()> {
        self.folder
            .append_metrics(&MetricsRow::Step(StepRow::from(&metrics)))?;
        progress.step(&metrics);
        Ok(())
    }

    /// Evaluates, and keeps the adapter if it is the best so far. If the flag is raised meanwhile,
    /// the evaluation stays due.
    fn evaluate(&mut self, progress: &mut dyn Progress, stop: &StopFlag) -> Result<()> {
        if self.evaluation.is_empty() {
            return Ok(());
        }
        progress.phase(Phase::Evaluating);
        let settings = self.plan.training;
        self.state.evaluation_due = true;
        let (backbone, network) = (self.backbone, &self.network);
        let evaluation = &self.evaluation;
        let loss = match evaluation.loss(backbone, network, settings, progress, stop) {
            Err(Error::Stopped) => return Ok(()),
            other => other.map_err(|error| self.memory.explained(error, "in an evaluation"))?,
        };
        self.state.evaluation_due = false;
        let best = loss.is_finite()
            && self
                .state
                .best_evaluation_loss
                .is_none_or(|lowest| loss < lowest);
        self.state.evaluations_since_best = match best {
            true => 0,
            false => self.state.evaluations_since_best + 1,
        };
        if best {
            self.state.best_evaluation_loss = Some(loss);
            self.save_adapter()?;
        }
        let step = self.state.step;
        let metrics = EvaluationMetrics { step, loss, best };
        self.folder
            .append_metrics(&MetricsRow::Evaluation(EvaluationRow::from(&metrics)))?;
        progress.evaluation(&metrics);
        let (answers, folder) = (&self.answers, &mut *self.folder);
        let told = answers.answer(step, self.backbone, &self.network, stop, &mut |row| {
            folder.append_sample(&row)?;
            progress.sample(&row);
            Ok(())
        });
        told.map_err(|error| self.memory.explained(error, "for a held-out answer"))?;
        progress.phase(Phase::Training);
        Ok(())
    }

    /// Why the run is done although steps are left. One that was told to leave its evaluation is not.
    fn ended_early(&self, steps: usize, kept: bool) -> Option<String> {
        if self.state.step >= steps || self.state.evaluation_due {
            return None;
        }
        if kept {
            return Some(format!("ended by you at step {}", self.state.step));
        }
        self.patience_is_over().then(|| {
            format!(
                "stopped early: {} evaluations in a row brought no lower loss",
                self.state.evaluations_since_best
            )
        })
    }

    fn save_adapter(&self) -> Result<()> {
        let parameters = self.network.parameters();
        adapter_folder::save(&self.folder.adapter(), &self.adapter_config, parameters)
    }

    fn save_checkpoint(&mut self, progress: &mut dyn Progress) -> Result<()> {
        progress.phase(Phase::Checkpointing);
        self.state.peak_bytes = self.state.peak_bytes.max(self.memory.peak_bytes());
        self.folder.sync()?;
        let path = checkpoint::save(
            &self.folder.checkpoints(),
            self.state.clone(),
            self.network.parameters(),
            self.optimizer.moments(),
        )?;
        self.folder.log(&format!("checkpoint {}", path.display()));
        self.folder.status().reached(
            self.state.step,
            self.plan.stream.steps(),
            self.state.best_evaluation_loss,
        )?;
        progress.checkpoint(&path);
        progress.phase(Phase::Training);
        Ok(())
    }
}
