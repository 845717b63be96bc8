//! A run takes what it rehearsed, and does not start where that is too much. That a rehearsal changes
//! nothing is what the tests of resuming show: a resumed run rehearses in the middle, and ends in the
//! bytes of the unbroken one.

use std::path::Path;

use stepladder_engine::datasets::load::LoadProgress;
use stepladder_engine::training::progress::{
    EvaluationMetrics, Phase, Progress, RunStarted, StageProgress, StepMetrics,
};
use stepladder_engine::training::stop_flag::StopFlag;
use stepladder_engine::training::{RunOutcome, RunTarget, start};
use stepladder_protocol::{Method, MetricsRow, RunConfig, RunMemory, Switch};

use super::alone;

#[derive(Default)]
struct Listener {
    memory: Option<RunMemory>,
    steps: usize,
    /// Of each update.
    peaks: Vec<u64>,
    stop: StopFlag,
    /// Raise the flag after this step.
    stop_after: Option<usize>,
}

impl Progress for Listener {
    fn phase(&mut self, _: Phase) {}
    fn stage(&mut self, _: StageProgress) {}
    fn reading(&mut self, _: &LoadProgress) {}
    fn started(&mut self, _: &RunStarted) {}
    fn memory(&mut self, memory: &RunMemory) {
        assert_eq!(self.steps, 0, "rehearsed before the first step");
        self.memory = Some(memory.clone());
    }
    fn step(&mut self, metrics: &StepMetrics) {
        self.steps += 1;
        self.peaks.extend(metrics.peak_bytes);
        if self.stop_after == Some(self.steps) {
            self.stop.raise();
        }
    }
    fn evaluation(&mut self, _: &EvaluationMetrics) {}
    fn checkpoint(&mut self, _: &Path) {}
    fn notice(&mut self, _: &str) {}
}

fn config(method: Method) -> RunConfig {
    RunConfig {
        method,
        steps: Some(4),
        evaluate_every: Some(1),
        ..RunConfig::default()
    }
}

fn run(config: &RunConfig, folder: &Path) -> (stepladder_engine::Result<RunOutcome>, Listener) {
    let mut listener = Listener::default();
    let target = RunTarget::Fresh(folder.to_path_buf());
    let outcome = start(config, target, &mut listener, &StopFlag::default());
    (outcome, listener)
}

#[test]
fn a_run_takes_what_was_planned_and_rehearsed() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    for (method, packing) in [
        (Method::Ladder, Switch::Off),
        (Method::Ladder, Switch::On),
        (Method::Xladder, Switch::Off),
        (Method::Qlora, Switch::Off),
        (Method::Lora, Switch::Off),
    ] {
        let path = folder.path().join(format!("{}-{packing:?}", method.name()));
        let mut config = config(method);
        config.data_options.packing = packing;
        let (outcome, listener) = run(&config, &path);
        let outcome = outcome.unwrap();
        let rehearsed = listener.memory.unwrap().measured_peak_bytes.unwrap();
        let (planned, measured) = (outcome.estimated_peak_bytes, outcome.measured_peak_bytes);
        println!("{method:?}: {planned} planned, {rehearsed} rehearsed, {measured} measured");
        let off = planned as f64 / measured as f64 - 1.0;
        assert!(off.abs() < 0.03, "{method:?}: {off}");
        // Neither steps, nor evaluations, nor checkpoints take more.
        assert!(measured as f64 <= 1.005 * rehearsed as f64, "{method:?}");
        // Each update by itself: one with shorter examples takes less than the longest.
        let (lowest, highest) = (listener.peaks.iter().min(), listener.peaks.iter().max());
        let (lowest, highest) = (*lowest.unwrap(), *highest.unwrap());
        println!("{method:?}: updates took {lowest} to {highest}");
        assert_eq!(listener.peaks.len(), listener.steps, "{method:?}");
        assert!(lowest < rehearsed && highest <= measured, "{method:?}");
        assert!(lowest > rehearsed / 2, "{method:?}");
        let rows = std::fs::read_to_string(path.join("metrics.jsonl")).unwrap();
        let rows = rows.lines().map(|row| serde_json::from_str(row).unwrap());
        let written: Vec<u64> = { rows }
            .filter_map(|row| match row {
                MetricsRow::Step(row) => row.peak_bytes,
                MetricsRow::Evaluation(_) => None,
            })
            .collect();
        assert_eq!(written, listener.peaks, "{method:?}");
        let written = std::fs::read(path.join("memory.json")).unwrap();
        let written: RunMemory = serde_json::from_slice(&written).unwrap();
        assert_eq!(written.measured_peak_bytes, Some(measured));
        let parts = written.measured.unwrap();
        for (ours, planned) in [
            (parts.weights, written.estimated.weights),
            (parts.adapter, written.estimated.adapter),
            (parts.gradients, written.estimated.gradients),
            (parts.optimizer, written.estimated.optimizer),
        ] {
            // Names and maps come on top of the numbers.
            assert!(
                ours >= planned && ours - planned < 100_000,
                "{method:?}: {ours}, {planned}"
            );
        }
        assert!(!path.join("rehearsal.part").exists());
    }
}

/// Found by reading: what a checkpoint holds was counted as the program's.
#[test]
fn a_resumed_run_counts_like_a_fresh_one() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let memory = |path: &Path| -> RunMemory {
        serde_json::from_slice(&std::fs::read(path.join("memory.json")).unwrap()).unwrap()
    };
    let mut listener = Listener {
        stop_after: Some(2),
        ..Listener::default()
    };
    let stop = listener.stop.clone();
    let target = RunTarget::Fresh(path.clone());
    start(&config(Method::Lora), target, &mut listener, &stop).unwrap();
    let fresh = memory(&path);
    let mut listener = Listener::default();
    let target = RunTarget::Resume(path.clone());
    start(
        &config(Method::Lora),
        target,
        &mut listener,
        &StopFlag::default(),
    )
    .unwrap();
    let resumed = memory(&path);
    let (fresh, resumed) = (fresh.measured.unwrap(), resumed.measured.unwrap());
    for (name, fresh, resumed) in [
        ("weights", fresh.weights, resumed.weights),
        ("adapter", fresh.adapter, resumed.adapter),
        ("gradients", fresh.gradients, resumed.gradients),
        ("optimizer", fresh.optimizer, resumed.optimizer),
        ("rest", fresh.rest, resumed.rest),
    ] {
        println!("{name}: {fresh}, resumed {resumed}");
        assert!(fresh.abs_diff(resumed) < 150_000, "{name}");
    }
}

#[test]
fn a_run_that_needs_too_much_does_not_start() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let config = RunConfig {
        memory_bytes: Some(24 << 20),
        ..config(Method::Ladder)
    };
    let (outcome, listener) = run(&config, &path);
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), "memory_too_little");
    let text = error.to_string();
    assert!(
        text.ends_with("MiB of memory, and may take 24 MiB"),
        "{text}"
    );
    let hint = error.hint();
    assert!(
        hint.contains("batch 1 fits") && hint.contains("--recompute on"),
        "{hint}"
    );
    assert!(listener.memory.is_none() && !path.exists());

    // With room for a little more than the plan it does.
    let config = RunConfig {
        memory_bytes: Some(36 << 20),
        ..config
    };
    let (outcome, listener) = run(&config, &path);
    assert!(outcome.unwrap().finished && listener.steps == 4);
}
