//! What a run does: it learns, the backbone stays as it was, micro-batches only change memory.

use stepladder_engine::adapters::ladder::training_pass::SideTraining;
use stepladder_engine::adapters::ladder::wiring::{BackboneShape, WiringRequest};
use stepladder_engine::adapters::ladder::{SideNetwork, Wiring};
use stepladder_engine::adapters::parameters::Parameters;
use stepladder_engine::datasets::load::Dataset;
use stepladder_engine::datasets::{Example, Layout, Recipe, Rows, builtin};
use stepladder_engine::models::decoder::Decoder;
use stepladder_engine::models::model::ModelFiles;
use stepladder_engine::models::quantization::BackboneQuantization;
use stepladder_engine::ops::linear_cross_entropy::Gradient;
use stepladder_engine::training::stop_flag::StopFlag;
use stepladder_engine::training::{RunTarget, start, targeted_input};
use stepladder_protocol::{
    DataOptions, Downsample, Inject, Method, Optimizer, RunConfig, SampleRow,
};
use stepladder_tests::{assert_close, numbers};

use super::recorder::{Recorder, short_config, train};

#[test]
fn every_wiring_overfits_a_few_examples() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data.jsonl");
    // Words the built-in model knows: the frozen head cannot be made sure of others.
    let rows: String = (1..=4)
        .map(|n| {
            let answer = 137 * n;
            format!("{{\"prompt\":\"How many {n}?\",\"completion\":\"The answer is {answer}.\"}}\n")
        })
        .collect();
    std::fs::write(&data, rows).unwrap();
    for (method, downsample, inject) in [
        (Method::Ladder, Downsample::Linear, Inject::Sum),
        (Method::Ladder, Downsample::Adapter, Inject::Gate),
        (Method::Xladder, Downsample::Shared, Inject::Sum),
        (Method::Lora, Downsample::Linear, Inject::Sum),
        (Method::Qlora, Downsample::Linear, Inject::Sum),
    ] {
        let config = RunConfig {
            data: vec![data.display().to_string()],
            method,
            downsample,
            inject,
            held_out_fraction: 0.0,
            learning_rate: Some(1e-2),
            steps: Some(60),
            batch_size: 4,
            effective_batch_size: 4,
            ..RunConfig::default()
        };
        let run = folder.path().join(format!("{method:?}-{downsample:?}"));
        let (outcome, recorder) = train(&config, &run);
        let (first, last) = (recorder.losses[0], *recorder.losses.last().unwrap());
        assert!(
            outcome.finished && last < 0.1 * first,
            "{method:?} {downsample:?}: {first} -> {last}"
        );
        assert!(
            run.join("adapter/adapter.safetensors").is_file(),
            "kept without an evaluation"
        );
    }
}

struct Setting {
    backbone: Decoder,
    examples: Vec<Example>,
}

fn setting() -> Setting {
    let files = ModelFiles::open("builtin").unwrap();
    let recipe = Recipe {
        tokenizer: &files.tokenizer,
        template: Some(files.template().unwrap()),
        options: &DataOptions::default(),
        context: 128,
    };
    let go_on = &mut |_| std::ops::ControlFlow::Continue(());
    let dataset = Dataset::load(&[builtin::dataset()], &recipe, go_on).unwrap();
    let backbone = files.load_decoder(BackboneQuantization::AS_STORED).unwrap();
    Setting {
        backbone,
        examples: dataset.examples.iter().take(4).collect(),
    }
}

fn rows_of(batch_size: usize) -> Layout {
    Layout {
        batch_size,
        rows: Rows::OneEach,
    }
}

fn gradients(setting: &Setting, network: &SideNetwork, layout: Layout) -> (f64, Parameters) {
    let batches = layout.batches(&setting.examples);
    let targets: usize = batches.iter().map(|batch| batch.target_ids.len()).sum();
    let gradients = network.parameters().zeros_like().unwrap();
    let mut loss = 0.0;
    for batch in &batches {
        loss += network
            .loss(
                &setting.backbone,
                targeted_input(batch),
                SideTraining::default(),
                Gradient::Scaled(1.0 / targets as f64),
                &gradients,
            )
            .unwrap();
    }
    (loss / targets as f64, gradients)
}

/// Parameters in which no tensor is zero, so that every gradient is.
fn randomized(setting: &Setting) -> SideNetwork {
    let config = setting.backbone.config();
    let shape = BackboneShape {
        d_model: config.d_model,
        layers: config.layers,
        norm_eps: config.norm_eps,
    };
    let wiring = Wiring::resolve(&WiringRequest::default(), shape).unwrap();
    let network = SideNetwork::initialize(wiring, 1).unwrap();
    for name in ["upsample.weight", "upsample.bias"] {
        let tensor = network.parameters().get(name).unwrap();
        let values = (0..tensor.elem_count())
            .map(|i| ((i % 17) as f32 - 8.0) * 1e-2)
            .collect();
        let values =
            candle_core::Tensor::from_vec(values, tensor.shape(), tensor.device()).unwrap();
        stepladder_engine::ops::elementwise::add(tensor, &values).unwrap();
    }
    network
}

#[test]
fn four_times_one_equals_one_times_four() {
    let setting = setting();
    let network = randomized(&setting);
    let (loss_of_four, four) = gradients(&setting, &network, rows_of(4));
    let (loss_of_one, one) = gradients(&setting, &network, rows_of(1));
    assert!((loss_of_four - loss_of_one).abs() < 1e-5 * loss_of_four);
    for (name, expected) in four.iter() {
        let size = numbers(expected)
            .iter()
            .fold(0f64, |most, g| most.max(g.abs()));
        assert!(size > 0.0, "{name} has no gradient");
        let scaled = |tensor: &candle_core::Tensor| (tensor / size).unwrap();
        assert_close(
            name,
            &scaled(one.get(name).unwrap()),
            &scaled(expected),
            1e-5,
        );
    }
}

#[test]
fn the_backbone_stays_frozen() {
    let setting = setting();
    let head_before = numbers(&setting.backbone.head().weight().to_f32().unwrap());
    let norm_before = numbers(setting.backbone.final_norm());
    let network = randomized(&setting);
    gradients(&setting, &network, rows_of(2));
    assert_eq!(
        numbers(&setting.backbone.head().weight().to_f32().unwrap()),
        head_before
    );
    assert_eq!(numbers(setting.backbone.final_norm()), norm_before);
    // An upsample of zero gives the base model's loss, trained or not.
    let (loss_before, _) = gradients(&setting, &zeroed(&network), rows_of(2));
    let fresh = SideNetwork::initialize(network.wiring().clone(), 5).unwrap();
    assert_eq!(gradients(&setting, &fresh, rows_of(2)).0, loss_before);
}

fn zeroed(network: &SideNetwork) -> SideNetwork {
    for name in ["upsample.weight", "upsample.bias"] {
        let tensor = network.parameters().get(name).unwrap();
        stepladder_engine::ops::elementwise::scale(tensor, 0.0).unwrap();
    }
    let parameters = network.parameters().deep_copy().unwrap();
    SideNetwork::from_parameters(network.wiring().clone(), parameters).unwrap()
}

#[test]
fn a_diverging_run_stops_with_the_step_and_keeps_its_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let config = RunConfig {
        learning_rate: Some(1e38),
        warmup_fraction: 0.0,
        evaluate_every: Some(1),
        steps: Some(8),
        ..short_config()
    };
    let mut recorder = Recorder::default();
    let target = RunTarget::Fresh(run.clone());
    let error = start(&config, target, &mut recorder, &StopFlag::default()).unwrap_err();
    assert_eq!(error.code(), "diverged");
    assert!(
        error.to_string().starts_with("training diverged at step "),
        "{error}"
    );
    assert!(
        !recorder.checkpoints.is_empty(),
        "the steps before were saved"
    );
}

#[test]
fn a_stop_before_the_first_step_leaves_a_run_to_resume() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut recorder = Recorder::default();
    recorder.stop.raise();
    let stop = recorder.stop.clone();
    let target = RunTarget::Fresh(run.clone());
    let outcome = start(&short_config(), target, &mut recorder, &stop).unwrap();
    assert!(!outcome.finished && outcome.step == 0);
    assert!(run.join("run.json").is_file());
    let target = RunTarget::Resume(run);
    let stop = StopFlag::default();
    let outcome = start(&short_config(), target, &mut Recorder::default(), &stop).unwrap();
    assert!(outcome.finished);
}

/// A learning rate that ruins the adapter: evaluations get worse, and patience runs out.
#[test]
fn a_run_that_no_longer_improves_stops_early_and_keeps_its_best() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let config = RunConfig {
        learning_rate: Some(0.3),
        warmup_fraction: 0.5,
        steps: Some(40),
        evaluate_every: Some(1),
        early_stopping_patience: 2,
        ..short_config()
    };
    let (outcome, recorder) = train(&config, &run);
    assert!(
        outcome.finished && outcome.step < 40,
        "went on to step {}",
        outcome.step
    );
    let losses: Vec<f64> = recorder.evaluations.iter().map(|(_, loss)| *loss).collect();
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(outcome.best_evaluation_loss, Some(lowest));
    let best_at = losses.iter().position(|loss| *loss == lowest).unwrap();
    assert_eq!(
        losses.len(),
        best_at + 3,
        "two evaluations after the best one"
    );
    assert!(
        recorder
            .notices
            .iter()
            .any(|text| text.starts_with("stopped early"))
    );

    // Without patience it goes on.
    let patient = RunConfig {
        early_stopping_patience: 0,
        steps: Some(outcome.step + 2),
        ..config
    };
    let (outcome, _) = train(&patient, &folder.path().join("patient"));
    assert_eq!(outcome.step, patient.steps.unwrap());
}

#[test]
fn a_checkpoint_is_made_when_the_minutes_are_over() {
    let folder = tempfile::tempdir().unwrap();
    let config = RunConfig {
        checkpoint_every: Some(1000),
        checkpoint_minutes: 1e-9,
        ..short_config()
    };
    let (_, recorder) = train(&config, &folder.path().join("run"));
    assert_eq!(recorder.checkpoints.len(), 6, "one after each step");
}

/// `run.json` says all that a run needs to be made again.
#[test]
fn a_runs_own_config_makes_the_same_adapter_again() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let config = RunConfig {
        method: Method::Xladder,
        inject: Inject::Gate,
        weight_decay: 0.1,
        ..short_config()
    };
    train(&config, &first);
    let json = std::fs::read(first.join("run.json")).unwrap();
    let again: RunConfig = serde_json::from_slice(&json).unwrap();
    assert_eq!(again.data_fingerprints.len(), 1);
    let without_fingerprints = RunConfig {
        data_fingerprints: Vec::new(),
        ..again.clone()
    };
    assert_eq!(without_fingerprints, config);
    train(&again, &second);
    let adapter = |run: &std::path::Path| std::fs::read(run.join("adapter/adapter.safetensors"));
    assert_eq!(adapter(&first).unwrap(), adapter(&second).unwrap());
}

#[test]
fn moments_in_8_bits_learn_as_well_as_in_32() {
    let folder = tempfile::tempdir().unwrap();
    for method in [Method::Ladder, Method::Lora] {
        let run = |optimizer| {
            let config = RunConfig {
                method,
                optimizer,
                steps: Some(24),
                evaluate_every: Some(12),
                learning_rate: Some(2e-3),
                ..short_config()
            };
            let name = format!("{method:?}-{optimizer:?}");
            let (_, recorder) = train(&config, &folder.path().join(name));
            recorder
        };
        let (wide, coded) = (run(Optimizer::AdamW), run(Optimizer::AdamW8bit));
        let (first, held_out) = (wide.losses[0], wide.evaluations[1].1);
        let apart = (held_out - coded.evaluations[1].1).abs() / held_out;
        println!("{method:?}: {first} -> {held_out}, 8 bits end {apart:.1e} from it");
        assert_eq!(coded.losses[0], first);
        assert_ne!(coded.losses[2..], wide.losses[2..]);
        assert!(held_out < 0.5 * first, "{first} -> {held_out}");
        assert!(apart < 0.05, "{apart}");
    }
}

#[test]
fn only_matrices_decay() {
    use candle_core::{Device, Tensor};
    use stepladder_engine::training::optimizer::{AdamW, AdamWSettings};
    let tensors = [("w", vec![2, 3]), ("b", vec![3])].map(|(name, shape)| {
        (
            name.to_owned(),
            Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu).unwrap(),
        )
    });
    let parameters = Parameters::new(tensors.into_iter().collect());
    let settings = AdamWSettings {
        weight_decay: 0.5,
        ..AdamWSettings::default()
    };
    let mut optimizer = AdamW::new(settings, &parameters).unwrap();
    optimizer
        .update(&parameters, &parameters.zeros_like().unwrap(), 0.1)
        .unwrap();
    assert_eq!(numbers(parameters.get("b").unwrap()), [1.0; 3]);
    assert!(
        numbers(parameters.get("w").unwrap())
            .iter()
            .all(|w| (w - 0.95).abs() < 1e-6)
    );
}

#[test]
fn answers_to_held_out_prompts_change_nothing_and_come_back_alike() {
    let folder = tempfile::tempdir().unwrap();
    let config = RunConfig {
        sample_answers: 2,
        ..short_config()
    };
    let train = |name: &str, config: &RunConfig, mut recorder: Recorder| {
        let run = folder.path().join(name);
        let target = match run.exists() {
            true => RunTarget::Resume(run.clone()),
            false => RunTarget::Fresh(run.clone()),
        };
        let stop = recorder.stop.clone();
        start(config, target, &mut recorder, &stop).unwrap();
        let samples = std::fs::read_to_string(run.join("samples.jsonl")).unwrap_or_default();
        (recorder.losses, recorder.evaluations, samples)
    };
    let without = train("without", &short_config(), Recorder::default());
    let with = train("with", &config, Recorder::default());
    assert_eq!((&without.0, &without.1), (&with.0, &with.1));
    assert_eq!(without.2, "");
    let rows: Vec<SampleRow> = { with.2.lines() }
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let numbered: Vec<_> = rows.iter().map(|row| (row.step, row.number)).collect();
    assert_eq!(numbered, [(2, 0), (2, 1), (4, 0), (4, 1), (6, 0), (6, 1)]);
    for row in &rows {
        assert!(!row.prompt.is_empty() && !row.answer.is_empty() && !row.reference.is_empty());
        let first = &rows[row.number];
        assert_eq!(
            (&row.prompt, &row.reference),
            (&first.prompt, &first.reference)
        );
    }
    let paused = Recorder {
        stop_after: Some(3),
        ..Recorder::default()
    };
    train("paused", &config, paused);
    assert_eq!(train("paused", &config, Recorder::default()).2, with.2);
}
