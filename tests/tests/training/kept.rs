//! How a run ended, as its folder says, and runs that are ended early by their user.

use std::path::Path;

use stepladder_engine::training::stop_flag::Request;
use stepladder_engine::training::{RunTarget, start};
use stepladder_protocol::{RunConfig, RunState, RunStatus};

use super::recorder::{Recorder, short_config, train_with};

fn status(run: &Path) -> RunStatus {
    serde_json::from_slice(&std::fs::read(run.join("status.json")).unwrap()).unwrap()
}

fn resume(run: &Path, recorder: &mut Recorder) -> bool {
    let target = RunTarget::Resume(run.to_path_buf());
    train_with(&RunConfig::default(), target, recorder).finished
}

fn keeping() -> Recorder {
    Recorder {
        request: Some(Request::Keep),
        ..Recorder::default()
    }
}

#[test]
fn a_run_that_is_kept_is_evaluated_once_more_saved_and_finished() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut recorder = Recorder {
        stop_after: Some(3),
        ..keeping()
    };
    let outcome = train_with(
        &short_config(),
        RunTarget::Fresh(run.clone()),
        &mut recorder,
    );
    assert!(outcome.finished);
    assert_eq!(outcome.step, 3);
    let steps = recorder.evaluations.iter().map(|(step, _)| *step);
    assert_eq!(steps.collect::<Vec<_>>(), [2, 3]);
    let lowest = { recorder.evaluations.iter() }
        .map(|(_, loss)| *loss)
        .fold(f64::INFINITY, f64::min);
    assert_eq!(outcome.best_evaluation_loss, Some(lowest));
    assert!(run.join("checkpoints/step-00000003/state.json").is_file());
    assert!(run.join("adapter/adapter.safetensors").is_file());
    let status = status(&run);
    assert_eq!((status.state, status.step), (RunState::Finished, 3));
    assert_eq!(status.total_steps, 6);
    assert_eq!(status.best_evaluation_loss, Some(lowest));
    assert_eq!(
        status.ended_early.as_deref(),
        Some("ended by you at step 3")
    );
    assert_eq!(status.failure, None);
}

#[test]
fn an_evaluation_at_this_step_is_not_made_twice() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    // Asked while the evaluation goes on, which a pause would leave for later.
    let mut recorder = Recorder {
        stop_in_evaluation: Some(1),
        ..keeping()
    };
    let outcome = train_with(
        &short_config(),
        RunTarget::Fresh(run.clone()),
        &mut recorder,
    );
    assert!(outcome.finished);
    assert_eq!(recorder.evaluations.len(), 1);
    assert_eq!(status(&run).ended_early.unwrap(), "ended by you at step 2");
}

#[test]
fn a_run_without_held_out_examples_keeps_its_latest() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let config = RunConfig {
        held_out_fraction: 0.0,
        ..short_config()
    };
    let mut recorder = Recorder {
        stop_after: Some(1),
        ..keeping()
    };
    let outcome = train_with(&config, RunTarget::Fresh(run.clone()), &mut recorder);
    assert!(outcome.finished && recorder.evaluations.is_empty());
    assert!(run.join("adapter/adapter.safetensors").is_file());
    assert_eq!(status(&run).state, RunState::Finished);
}

/// Before the first step there is nothing to keep.
#[test]
fn keeping_nothing_is_a_pause() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut recorder = Recorder {
        stop_in_rehearsal: true,
        ..keeping()
    };
    let outcome = train_with(
        &short_config(),
        RunTarget::Fresh(run.clone()),
        &mut recorder,
    );
    assert!(!outcome.finished);
    assert_eq!((outcome.step, status(&run).state), (0, RunState::Paused));
    assert!(resume(&run, &mut Recorder::default()));
    assert_eq!(status(&run).state, RunState::Finished);
}

#[test]
fn a_pause_during_the_evaluation_of_a_keep_is_a_pause() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut recorder = Recorder {
        stop_after: Some(3),
        pause_in_evaluation: Some(2),
        ..keeping()
    };
    let outcome = train_with(
        &short_config(),
        RunTarget::Fresh(run.clone()),
        &mut recorder,
    );
    assert!(!outcome.finished);
    let paused = status(&run);
    assert_eq!((paused.state, paused.step), (RunState::Paused, 3));
    assert_eq!(paused.ended_early, None);

    // The evaluation is made when the run goes on, which begins the status anew.
    let mut recorder = Recorder {
        request: Some(Request::ClientGone),
        stop_after: Some(5),
        ..Recorder::default()
    };
    assert!(!resume(&run, &mut recorder));
    assert_eq!(recorder.evaluations[0].0, 3);
    let interrupted = status(&run);
    assert_eq!(
        (interrupted.state, interrupted.step),
        (RunState::Interrupted, 5)
    );
    assert_eq!(interrupted.began_at_unix_secs, paused.began_at_unix_secs);
    assert!(resume(&run, &mut Recorder::default()));
    let finished = status(&run);
    assert_eq!((finished.state, finished.step), (RunState::Finished, 6));
    assert_eq!(finished.ended_early, None);
}

#[test]
fn a_failure_is_told_until_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let data = folder.path().join("data.jsonl");
    let rows = |word: &str| -> String {
        (0..12)
            .map(|n| format!("{{\"prompt\":\"say {n}\",\"completion\":\"{word} {n}\"}}\n"))
            .collect()
    };
    std::fs::write(&data, rows("word")).unwrap();
    let config = RunConfig {
        data: vec![data.to_str().unwrap().to_owned()],
        ..short_config()
    };
    let mut recorder = Recorder {
        stop_after: Some(2),
        ..Recorder::default()
    };
    train_with(&config, RunTarget::Fresh(run.clone()), &mut recorder);

    std::fs::write(&data, rows("other")).unwrap();
    let mut recorder = Recorder::default();
    let stop = recorder.stop.clone();
    let target = RunTarget::Resume(run.clone());
    let error = start(&RunConfig::default(), target, &mut recorder, &stop).unwrap_err();
    let failed = status(&run);
    assert_eq!((failed.state, failed.step), (RunState::Failed, 2));
    let failure = failed.failure.unwrap();
    assert_eq!(failure.code, error.code());
    assert_eq!(failure.message, error.to_string());
    assert_eq!(failure.hint, error.hint());

    std::fs::write(&data, rows("word")).unwrap();
    assert!(resume(&run, &mut Recorder::default()));
    assert_eq!(status(&run).failure, None);
}

/// As the worker catches it; the folder was still the run's when it went by.
#[test]
fn a_panic_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let target = RunTarget::Fresh(run.clone());
    let panicking = std::thread::spawn(move || {
        let mut recorder = Recorder {
            panic_after: Some(1),
            ..Recorder::default()
        };
        train_with(&short_config(), target, &mut recorder);
    });
    assert!(panicking.join().is_err());
    let failed = status(&run);
    assert_eq!(failed.state, RunState::Failed);
    assert_eq!(failed.failure.unwrap().code, "internal");
}

#[test]
fn a_run_under_way_says_so_from_its_first_moment() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut recorder = Recorder {
        status_of: Some(run.clone()),
        ..Recorder::default()
    };
    train_with(&short_config(), RunTarget::Fresh(run), &mut recorder);
    let told: Vec<_> = { recorder.statuses.iter() }
        .map(|status| (status.state, status.step, status.total_steps))
        .collect();
    let running = |step| (RunState::Running, step, 6);
    assert_eq!(told.first(), Some(&running(0)));
    assert_eq!(told.last(), Some(&running(6)));
}
