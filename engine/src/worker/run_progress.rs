//! A training run's news as events.

use std::path::Path;
use std::time::Duration;

use stepladder_protocol::{
    EvaluationRow, Event, JobId, Phase, RunMemory, RunStarted, StepRow, finite,
};

use super::outbox::Outbox;
use crate::device;
use crate::training::progress::{self, Progress};
use crate::training::stop_flag::StopFlag;

/// Sends the news of one run.
pub struct RunProgress<'a> {
    job: &'a JobId,
    outbox: &'a Outbox,
    /// Raised when nobody listens any more.
    stop: &'a StopFlag,
    interval: Duration,
    elapsed_secs: Option<f64>,
}

impl<'a> RunProgress<'a> {
    /// For the run of `job`, with steps merged within `interval`.
    pub fn new(job: &'a JobId, outbox: &'a Outbox, stop: &'a StopFlag, interval: Duration) -> Self {
        Self {
            job,
            outbox,
            stop,
            interval,
            elapsed_secs: None,
        }
    }

    /// Seconds the run had taken at its last step.
    pub fn elapsed_secs(&self) -> Option<f64> {
        self.elapsed_secs
    }

    fn send(&self, event: Event) {
        if !self.outbox.send(event.of(self.job)) {
            self.stop.raise();
        }
    }
}

impl Progress for RunProgress<'_> {
    fn phase(&mut self, phase: progress::Phase) {
        let phase = match phase {
            progress::Phase::LoadingModel => Phase::LoadingModel,
            progress::Phase::LoadingData => Phase::LoadingData,
            progress::Phase::Rehearsing => Phase::Rehearsing,
            progress::Phase::Training => Phase::Training,
            progress::Phase::Evaluating => Phase::Evaluating,
            progress::Phase::Checkpointing => Phase::Checkpointing,
        };
        self.send(Event::Phase { phase });
    }

    fn started(&mut self, started: &progress::RunStarted) {
        self.send(Event::Started(RunStarted {
            total_steps: started.total_steps,
            first_step: started.first_step,
            training_examples: started.training_examples,
            held_out_examples: started.held_out_examples,
            trainable_parameters: started.trainable_parameters,
            backbone_parameters: started.backbone_parameters,
            device: device::in_words(),
        }));
    }

    fn memory(&mut self, memory: &RunMemory) {
        self.send(Event::Memory(memory.clone()));
    }

    fn step(&mut self, metrics: &progress::StepMetrics) {
        self.elapsed_secs = finite(metrics.elapsed_secs);
        let row = StepRow::from(metrics);
        if !self
            .outbox
            .send_merged(Event::Step(row).of(self.job), self.interval)
        {
            self.stop.raise();
        }
    }

    fn evaluation(&mut self, metrics: &progress::EvaluationMetrics) {
        self.send(Event::Evaluation(EvaluationRow::from(metrics)));
    }

    fn checkpoint(&mut self, path: &Path) {
        self.send(Event::Checkpoint {
            path: path.display().to_string(),
        });
    }

    fn notice(&mut self, text: &str) {
        self.send(Event::Notice {
            text: text.to_owned(),
        });
    }
}
