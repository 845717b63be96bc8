//! A run that was stopped and resumed is the unbroken run: the same losses, the same bytes.

use std::collections::BTreeSet;
use std::path::Path;

use candle_core::Device;
use stepladder_engine::adapters::adapter_folder;
use stepladder_engine::models::quantization::{BackboneQuantization, Quantization};
use stepladder_engine::training::stop_flag::StopFlag;
use stepladder_engine::training::{RunTarget, start};
use stepladder_protocol::{Optimizer, RunConfig, Switch};

use super::recorder::{Recorder, short_config, train, train_with};

fn adapter(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("adapter/adapter.safetensors")).unwrap()
}

/// The figures of metrics.jsonl that do not depend on the clock.
fn metrics(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let keep = [
                "event",
                "step",
                "loss",
                "learning_rate",
                "gradient_norm",
                "best",
            ];
            keep.map(|key| row[key].to_string()).join(" ")
        })
        .collect()
}

fn resume(run: &Path) -> Recorder {
    let mut recorder = Recorder::default();
    let target = RunTarget::Resume(run.to_path_buf());
    assert!(train_with(&RunConfig::default(), target, &mut recorder).finished);
    recorder
}

/// The types of the moments in a run's last checkpoint.
fn moment_types(run: &Path) -> BTreeSet<&'static str> {
    let file = run.join("checkpoints/step-00000006/state.safetensors");
    let tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let moments = tensors
        .iter()
        .filter(|(name, _)| name.contains("_moments."));
    moments.map(|(_, tensor)| tensor.dtype().as_str()).collect()
}

#[test]
fn a_run_stopped_anywhere_resumes_to_the_same_bytes() {
    let whole = stopped_and_resumed(&short_config());
    assert_eq!(whole, BTreeSet::from(["f32"]));
}

#[test]
fn so_does_a_run_with_moments_in_8_bits() {
    let config = RunConfig {
        optimizer: Optimizer::AdamW8bit,
        ..short_config()
    };
    // Biases are small and keep 32 bits.
    let types = stopped_and_resumed(&config);
    assert_eq!(types, BTreeSet::from(["f32", "u8"]));
}

#[test]
fn a_checkpoint_of_another_optimizer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut recorder = Recorder {
        stop_after: Some(2),
        ..Recorder::default()
    };
    train_with(
        &short_config(),
        RunTarget::Fresh(run.clone()),
        &mut recorder,
    );
    let text = std::fs::read_to_string(run.join("run.json")).unwrap();
    let changed = text.replace("\"adamw\"", "\"adamw-8bit\"");
    assert_ne!(text, changed);
    std::fs::write(run.join("run.json"), changed).unwrap();
    let target = RunTarget::Resume(run);
    let error = start(
        &RunConfig::default(),
        target,
        &mut Recorder::default(),
        &StopFlag::default(),
    );
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("does not fit run.json: the moments of tensor"),
        "{message}"
    );
    assert!(
        message.ends_with("are 32-bit floats, the optimizer keeps 8 bits"),
        "{message}"
    );
}

/// The types of the moments, after all has been compared.
fn stopped_and_resumed(config: &RunConfig) -> BTreeSet<&'static str> {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let (outcome, unbroken) = train(config, &whole);
    assert!(outcome.finished);
    let twice = folder.path().join("twice");
    train(config, &twice);
    assert_eq!(adapter(&whole), adapter(&twice), "the same run twice");

    for stop_after in [1, 3, 4] {
        let broken = folder.path().join(format!("broken-{stop_after}"));
        let mut recorder = Recorder {
            stop_after: Some(stop_after),
            ..Recorder::default()
        };
        let target = RunTarget::Fresh(broken.clone());
        let outcome = train_with(config, target, &mut recorder);
        assert_eq!((outcome.finished, outcome.step), (false, stop_after));
        let rest = resume(&broken);
        assert_eq!(recorder.losses, unbroken.losses[..stop_after]);
        assert_eq!(
            rest.losses,
            unbroken.losses[stop_after..],
            "losses after step {stop_after}"
        );
        assert_eq!(
            adapter(&broken),
            adapter(&whole),
            "adapter after step {stop_after}"
        );
        assert_eq!(
            metrics(&broken),
            metrics(&whole),
            "metrics after step {stop_after}"
        );
    }
    moment_types(&whole)
}

/// The description says how the head was kept, and a resumed run keeps it alike.
#[test]
fn a_run_beside_a_head_in_four_bits_resumes_beside_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let config = RunConfig {
        quantize_head: Switch::On,
        ..short_config()
    };
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    let (_, unbroken) = train(&config, &whole);
    let (_, stored) = train(&short_config(), &folder.path().join("stored"));
    assert_ne!(unbroken.losses, stored.losses);
    for (ours, stored) in unbroken.losses.iter().zip(&stored.losses) {
        assert!((ours / stored - 1.0).abs() < 0.1, "{ours}, {stored}");
    }
    let mut recorder = Recorder {
        stop_after: Some(3),
        ..Recorder::default()
    };
    train_with(&config, RunTarget::Fresh(broken.clone()), &mut recorder);
    let rest = resume(&broken);
    assert_eq!(rest.losses, unbroken.losses[3..]);
    assert_eq!(adapter(&broken), adapter(&whole));
    for run in [&whole, &broken] {
        let stored = adapter_folder::read(run).unwrap();
        assert_eq!(
            stored.config.quantization,
            BackboneQuantization::AS_STORED.with_head(Quantization::Nf4DoubleQuantized)
        );
    }
}

#[test]
fn an_evaluation_that_was_broken_off_is_made_on_resume() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    train(&short_config(), &whole);
    for stop_in_evaluation in [1, 3] {
        let _ = std::fs::remove_dir_all(&broken);
        let mut recorder = Recorder {
            stop_in_evaluation: Some(stop_in_evaluation),
            ..Recorder::default()
        };
        let outcome = train_with(
            &short_config(),
            RunTarget::Fresh(broken.clone()),
            &mut recorder,
        );
        assert_eq!(
            (outcome.finished, outcome.step),
            (false, 2 * stop_in_evaluation)
        );
        resume(&broken);
        assert_eq!(adapter(&broken), adapter(&whole));
        assert_eq!(metrics(&broken), metrics(&whole));
    }
}

#[test]
fn rows_after_the_checkpoint_and_a_torn_row_are_made_again() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    train(&short_config(), &whole);
    let mut recorder = Recorder {
        stop_after: Some(3),
        ..Recorder::default()
    };
    train_with(
        &short_config(),
        RunTarget::Fresh(broken.clone()),
        &mut recorder,
    );
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(broken.join("metrics.jsonl"))
        .unwrap();
    let rows = std::fs::read_to_string(whole.join("metrics.jsonl")).unwrap();
    let later = rows
        .lines()
        .find(|line| line.contains("\"step\":5"))
        .unwrap();
    write!(file, "{later}\n{}", &later[..20]).unwrap();
    resume(&broken);
    assert_eq!(metrics(&broken), metrics(&whole));
}

#[test]
fn a_damaged_checkpoint_is_set_aside_and_the_one_before_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    train(&short_config(), &whole);
    let mut recorder = Recorder {
        stop_after: Some(4),
        ..Recorder::default()
    };
    train_with(
        &short_config(),
        RunTarget::Fresh(broken.clone()),
        &mut recorder,
    );
    let newest = broken.join("checkpoints/step-00000004");
    let tensors = newest.join("state.safetensors");
    let mut bytes = std::fs::read(&tensors).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&tensors, bytes).unwrap();
    let rest = resume(&broken);
    assert!(
        rest.notices.iter().any(|text| text.contains("damaged")),
        "{:?}",
        rest.notices
    );
    assert!(broken.join("checkpoints/step-00000004.damaged").is_dir());
    assert_eq!(rest.started.unwrap().first_step, 2);
    assert_eq!(adapter(&broken), adapter(&whole));
}

#[test]
fn the_last_two_checkpoints_are_kept_and_no_temporary_files() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let (_, recorder) = train(&short_config(), &run);
    assert_eq!(recorder.checkpoints.len(), 3);
    let mut names: Vec<String> = std::fs::read_dir(run.join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["step-00000004", "step-00000006"]);
}

#[test]
fn a_run_in_use_a_taken_folder_and_a_changed_dataset_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let data = folder.path().join("data.jsonl");
    let rows = |answer: &str| {
        (0..8)
            .map(|n| format!("{{\"prompt\":\"question {n}\",\"completion\":\"{answer} {n}\"}}\n"))
            .collect::<String>()
    };
    std::fs::write(&data, rows("yes")).unwrap();
    let config = RunConfig {
        data: vec![data.display().to_string()],
        steps: Some(2),
        ..short_config()
    };
    let mut recorder = Recorder {
        stop_after: Some(1),
        ..Recorder::default()
    };
    train_with(&config, RunTarget::Fresh(run.clone()), &mut recorder);

    let mut again = Recorder::default();
    let mut refused = |target| {
        let error = start(&config, target, &mut again, &StopFlag::default()).unwrap_err();
        (error.code(), error.to_string())
    };
    assert_eq!(refused(RunTarget::Fresh(run.clone())).0, "run_invalid");
    let lock = std::fs::File::open(run.join(".lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(refused(RunTarget::Resume(run.clone())).0, "run_in_use");
    drop(lock);
    assert_eq!(
        refused(RunTarget::Resume(folder.path().join("none"))).0,
        "run_invalid"
    );
    std::fs::write(&data, rows("no")).unwrap();
    let (code, message) = refused(RunTarget::Resume(run.clone()));
    assert_eq!(code, "dataset_changed");
    assert!(
        message.ends_with("data.jsonl has changed since this run began"),
        "{message}"
    );
}

/// Templates such as Llama 3.1's print the date. A run resumed on another day must see the old one.
#[test]
fn a_template_that_prints_the_time_does_not_change_a_resumed_run() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    std::fs::create_dir(&model).unwrap();
    let source = stepladder_tests::root().join("assets/builtin-model");
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, model.join(path.file_name().unwrap())).unwrap();
    }
    let template = "{{ strftime_now('%H:%M:%S') }}{% for m in messages %}<|im_start|>{{ m.role }}\n\
                    {{ m.content }}<|im_end|>\n{% endfor %}\
                    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    std::fs::write(model.join("chat_template.jinja"), template).unwrap();
    let config = RunConfig {
        model: model.display().to_string(),
        ..short_config()
    };
    let run = folder.path().join("run");
    let mut recorder = Recorder {
        stop_after: Some(1),
        ..Recorder::default()
    };
    train_with(&config, RunTarget::Fresh(run.clone()), &mut recorder);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(resume(&run).started.unwrap().first_step, 1);
}
