//! A training run's news as events.

use std::path::Path;
use std::time::{Duration, Instant};

use stepladder_protocol::{
    EvaluationRow, Event, JobId, MatchedRunBegun, MatchedRuns, Phase, PhaseProgress,
    ReadingProgress, RunMemory, RunStarted, SampleRow, StepRow, finite,
};

use super::outbox::Outbox;
use crate::comparison::matched::Listener;
use crate::datasets::load::LoadProgress;
use crate::training::progress::{self, Progress};
use crate::training::stop_flag::{Request, StopFlag};

/// The shortest time between two events of a reading, or of another stage.
pub(super) const READING_INTERVAL: Duration = Duration::from_millis(100);

/// How far a reading has come after some time.
pub(super) fn reading_progress(so_far: &LoadProgress, elapsed: Duration) -> ReadingProgress {
    ReadingProgress {
        rows: so_far.rows,
        bytes_read: so_far.bytes_read,
        bytes_total: so_far.bytes_total,
        bytes_per_second: so_far.bytes_read as f64 / elapsed.as_secs_f64().max(1e-9),
    }
}

/// How far a stage has come after some time.
pub(super) fn progress(phase: Phase, done: u64, total: u64, elapsed: Duration) -> PhaseProgress {
    PhaseProgress {
        phase,
        done,
        total,
        per_second: (elapsed >= READING_INTERVAL).then(|| done as f64 / elapsed.as_secs_f64()),
    }
}

/// Sends the news of one run.
pub struct RunProgress<'a> {
    job: &'a JobId,
    outbox: &'a Outbox,
    /// Raised when nobody listens any more.
    stop: &'a StopFlag,
    interval: Duration,
    elapsed_secs: Option<f64>,
    reading_since: Option<Instant>,
    phase_since: Instant,
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
            reading_since: None,
            phase_since: Instant::now(),
        }
    }

    /// Seconds the run had taken at its last step.
    pub fn elapsed_secs(&self) -> Option<f64> {
        self.elapsed_secs
    }

    fn send(&self, event: Event) {
        if !self.outbox.send(event.of(self.job)) {
            self.stop.ask(Request::ClientGone);
        }
    }

    fn send_merged(&self, event: Event, interval: Duration) {
        if !self.outbox.send_merged(event.of(self.job), interval) {
            self.stop.ask(Request::ClientGone);
        }
    }
}

fn named(phase: progress::Phase) -> Phase {
    match phase {
        progress::Phase::LoadingModel => Phase::LoadingModel,
        progress::Phase::LoadingData => Phase::LoadingData,
        progress::Phase::Rehearsing => Phase::Rehearsing,
        progress::Phase::Training => Phase::Training,
        progress::Phase::Evaluating => Phase::Evaluating,
        progress::Phase::Checkpointing => Phase::Checkpointing,
    }
}

impl Progress for RunProgress<'_> {
    fn phase(&mut self, phase: progress::Phase) {
        self.phase_since = Instant::now();
        self.send(Event::Phase {
            phase: named(phase),
        });
    }

    fn stage(&mut self, so_far: progress::StageProgress) {
        let phase = named(so_far.phase);
        let elapsed = self.phase_since.elapsed();
        let event = Event::Progress(progress(phase, so_far.done, so_far.total, elapsed));
        // The last is told whatever happens: whoever draws a bar sees it full.
        let interval = match so_far.done < so_far.total {
            true => READING_INTERVAL,
            false => Duration::ZERO,
        };
        self.send_merged(event, interval);
    }

    fn reading(&mut self, so_far: &LoadProgress) {
        let began = *self.reading_since.get_or_insert_with(Instant::now);
        let progress = reading_progress(so_far, began.elapsed());
        self.send_merged(Event::Reading(progress), READING_INTERVAL);
    }

    fn started(&mut self, started: &progress::RunStarted) {
        self.send(Event::Started(RunStarted {
            total_steps: started.total_steps,
            first_step: started.first_step,
            training_examples: started.training_examples,
            held_out_examples: started.held_out_examples,
            trainable_parameters: started.trainable_parameters,
            backbone_parameters: started.backbone_parameters,
            device: started.device.clone(),
        }));
    }

    fn memory(&mut self, memory: &RunMemory) {
        self.send(Event::Memory(memory.clone()));
    }

    fn step(&mut self, metrics: &progress::StepMetrics) {
        self.elapsed_secs = finite(metrics.elapsed_secs);
        let row = StepRow::from(metrics);
        self.send_merged(Event::Step(row), self.interval);
    }

    fn evaluation(&mut self, metrics: &progress::EvaluationMetrics) {
        self.send(Event::Evaluation(EvaluationRow::from(metrics)));
    }

    fn sample(&mut self, row: &SampleRow) {
        self.send(Event::Sample(row.clone()));
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

/// Of several runs in one job.
impl Listener for RunProgress<'_> {
    fn runs(&mut self, runs: &MatchedRuns) {
        self.send(Event::MatchedRuns(runs.clone()));
    }

    fn begins(&mut self, run: MatchedRunBegun) {
        self.reading_since = None;
        self.send(Event::MatchedRun(run));
    }
}
