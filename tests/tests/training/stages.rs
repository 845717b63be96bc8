//! How far each stage of a run has come, as it is told, and a stop within one.

use std::path::Path;

use stepladder_engine::Result;
use stepladder_engine::training::progress::{Phase, StageProgress};
use stepladder_engine::training::stop_flag::StopFlag;
use stepladder_engine::training::{RunTarget, start};
use stepladder_protocol::{Quantize, RunConfig};

use super::recorder::{Recorder, short_config, train};

fn of(recorder: &Recorder, phase: Phase) -> Vec<(u64, u64)> {
    { recorder.stages.iter() }
        .filter(|so_far| so_far.phase == phase)
        .map(|so_far| (so_far.done, so_far.total))
        .collect()
}

#[test]
fn every_stage_grows_to_its_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (_, recorder) = train(&short_config(), &folder.path().join("run"));

    let loading = of(&recorder, Phase::LoadingModel);
    assert!(loading.len() > 10, "{loading:?}");
    assert!(loading.is_sorted());
    assert_eq!(loading[0].0, 0);
    let (done, total) = *loading.last().unwrap();
    assert_eq!(done, total);
    assert!(total > 1 << 20, "{total}");
    // What the last event brings is what the model has and does not use: nothing.
    assert_eq!(loading[loading.len() - 2].0, total);

    assert_eq!(
        of(&recorder, Phase::Rehearsing),
        [(0, 3), (1, 3), (2, 3), (3, 3)]
    );

    let evaluating = of(&recorder, Phase::Evaluating);
    let held_out = recorder.started.unwrap().held_out_examples as u64;
    let ends = evaluating.iter().filter(|(done, _)| *done == held_out);
    assert_eq!(ends.count(), recorder.evaluations.len());
    assert!(evaluating.iter().all(|(_, total)| *total == held_out));
    assert!(evaluating.len() > recorder.evaluations.len());
}

#[test]
fn a_copy_is_told_as_it_is_made_and_as_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let copies = folder.path().join("copies");
    let config = RunConfig {
        quantize: Quantize::Nf4,
        quantized_copy: Some(copies.to_str().unwrap().to_owned()),
        ..short_config()
    };
    let (_, first) = train(&config, &folder.path().join("first"));
    let (_, second) = train(&config, &folder.path().join("second"));
    let wholes = |recorder| {
        let loading = of(recorder, Phase::LoadingModel);
        let wholes = loading.into_iter().filter(|(done, total)| done == total);
        let mut wholes: Vec<u64> = wholes.map(|(_, total)| total).collect();
        wholes.dedup();
        wholes
    };
    let [made, read] = wholes(&first)[..] else {
        panic!("{:?}", wholes(&first))
    };
    assert!(read < made, "four bits");
    assert_eq!(wholes(&second), [read]);
}

fn stopped_at(stage: StageProgress, config: &RunConfig, run: &Path) -> Result<usize> {
    let mut recorder = Recorder {
        stop_at_stage: Some(stage),
        ..Recorder::default()
    };
    let stop = recorder.stop.clone();
    let target = RunTarget::Fresh(run.to_path_buf());
    let outcome = start(config, target, &mut recorder, &stop)?;
    assert_eq!(recorder.stages.last(), Some(&stage));
    assert!(!outcome.finished);
    Ok(outcome.step)
}

#[test]
fn a_stop_acts_within_each_stage() {
    let folder = tempfile::tempdir().unwrap();
    let config = short_config();
    let (_, whole) = train(&config, &folder.path().join("whole"));
    let loading = { whole.stages.iter() }.find(|so_far| so_far.done > 0);
    let run = folder.path().join("loading");
    assert_eq!(stopped_at(*loading.unwrap(), &config, &run).unwrap(), 0);
    // It can go on from there, and ends like one that was never stopped.
    let status = std::fs::read_to_string(run.join("status.json")).unwrap();
    assert!(status.contains("\"paused\""), "{status}");
    let (stop, mut recorder) = (StopFlag::default(), Recorder::default());
    let target = RunTarget::Resume(run.clone());
    let outcome = start(&RunConfig::default(), target, &mut recorder, &stop).unwrap();
    assert!(outcome.finished);
    let adapter = |run: &Path| std::fs::read(run.join("adapter/adapter.safetensors")).unwrap();
    assert_eq!(adapter(&run), adapter(&folder.path().join("whole")));
    let config_of = |run: &Path| std::fs::read(run.join("run.json")).unwrap();
    assert_eq!(config_of(&run), config_of(&folder.path().join("whole")));

    let rehearsing = StageProgress {
        phase: Phase::Rehearsing,
        done: 1,
        total: 3,
    };
    let run = folder.path().join("rehearsing");
    assert_eq!(stopped_at(rehearsing, &config, &run).unwrap(), 0);

    // What is refused while it is loaded leaves nothing.
    let run = folder.path().join("refused");
    let wrong = RunConfig {
        model: "no-such-model".to_owned(),
        ..config.clone()
    };
    let target = RunTarget::Fresh(run.clone());
    let refused = start(
        &wrong,
        target,
        &mut Recorder::default(),
        &StopFlag::default(),
    );
    assert!(refused.is_err() && !run.exists());

    let evaluating = { whole.stages.iter() }
        .find(|so_far| so_far.phase == Phase::Evaluating && so_far.done < so_far.total);
    let run = folder.path().join("evaluating");
    assert_eq!(stopped_at(*evaluating.unwrap(), &config, &run).unwrap(), 2);
}
