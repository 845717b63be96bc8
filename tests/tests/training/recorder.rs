//! A listener that writes down what a run tells, and may ask it to stop.

use std::path::{Path, PathBuf};

use stepladder_engine::datasets::load::LoadProgress;
use stepladder_engine::training::progress::{
    EvaluationMetrics, Phase, Progress, RunStarted, StageProgress, StepMetrics,
};
use stepladder_engine::training::stop_flag::{Request, StopFlag};
use stepladder_engine::training::{RunOutcome, RunTarget, start};
use stepladder_protocol::{RunConfig, RunMemory, RunStatus};

#[derive(Default)]
pub struct Recorder {
    pub started: Option<RunStarted>,
    pub memory: Option<RunMemory>,
    pub losses: Vec<f64>,
    pub evaluations: Vec<(usize, f64)>,
    pub checkpoints: Vec<PathBuf>,
    pub notices: Vec<String>,
    pub stages: Vec<StageProgress>,
    /// Raise the flag when a stage has come this far.
    pub stop_at_stage: Option<StageProgress>,
    pub stop: StopFlag,
    /// What is asked when it is time; none: a pause.
    pub request: Option<Request>,
    /// Raise the flag after this step.
    pub stop_after: Option<usize>,
    /// Raise the flag when the n-th evaluation (from 1) begins.
    pub stop_in_evaluation: Option<usize>,
    pub evaluations_begun: usize,
    /// Pause when the n-th evaluation begins, whatever is asked else.
    pub pause_in_evaluation: Option<usize>,
    /// Raise the flag when the rehearsal begins.
    pub stop_in_rehearsal: bool,
    /// Panic after this step.
    pub panic_after: Option<usize>,
    /// Read the status of this run when it starts and at each checkpoint.
    pub status_of: Option<PathBuf>,
    pub statuses: Vec<RunStatus>,
}

impl Recorder {
    fn read_status(&mut self) {
        if let Some(run) = &self.status_of {
            let text = std::fs::read(run.join("status.json")).unwrap();
            self.statuses.push(serde_json::from_slice(&text).unwrap());
        }
    }

    fn ask(&self) {
        self.stop.ask(self.request.unwrap_or(Request::Pause));
    }
}

impl Progress for Recorder {
    fn phase(&mut self, phase: Phase) {
        if phase == Phase::Rehearsing && self.stop_in_rehearsal {
            self.ask();
        }
        if phase == Phase::Evaluating {
            self.evaluations_begun += 1;
            if self.pause_in_evaluation == Some(self.evaluations_begun) {
                self.stop.raise();
            }
            if self.stop_in_evaluation == Some(self.evaluations_begun) {
                self.ask();
            }
        }
    }

    fn stage(&mut self, so_far: StageProgress) {
        self.stages.push(so_far);
        if self.stop_at_stage == Some(so_far) {
            self.ask();
        }
    }

    fn reading(&mut self, _: &LoadProgress) {}

    fn started(&mut self, started: &RunStarted) {
        self.started = Some(started.clone());
        self.read_status();
    }

    fn memory(&mut self, memory: &RunMemory) {
        self.memory = Some(memory.clone());
    }

    fn step(&mut self, metrics: &StepMetrics) {
        self.losses.push(metrics.loss);
        if self.stop_after == Some(metrics.step) {
            self.ask();
        }
        assert_ne!(self.panic_after, Some(metrics.step), "as asked");
    }

    fn evaluation(&mut self, metrics: &EvaluationMetrics) {
        self.evaluations.push((metrics.step, metrics.loss));
    }

    fn checkpoint(&mut self, path: &Path) {
        self.checkpoints.push(path.to_path_buf());
        self.read_status();
    }

    fn notice(&mut self, text: &str) {
        self.notices.push(text.to_owned());
    }
}

/// Twelve small steps on the built-in model.
pub fn short_config() -> RunConfig {
    RunConfig {
        steps: Some(6),
        batch_size: 2,
        effective_batch_size: 4,
        evaluate_every: Some(2),
        context: Some(96),
        ..RunConfig::default()
    }
}

pub fn train(config: &RunConfig, run: &Path) -> (RunOutcome, Recorder) {
    let mut recorder = Recorder::default();
    let outcome = train_with(config, RunTarget::Fresh(run.to_path_buf()), &mut recorder);
    (outcome, recorder)
}

pub fn train_with(config: &RunConfig, target: RunTarget, recorder: &mut Recorder) -> RunOutcome {
    let stop = recorder.stop.clone();
    start(config, target, recorder, &stop).unwrap()
}
