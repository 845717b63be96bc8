//! Everything before the first step: load the model, read the dataset, make or continue the run
//! folder, then hand over to the trainer.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use candle_core::DType;
use stepladder_protocol::{RunConfig, TapDtype};

use super::checkpoint::{self, Checkpoint, CheckpointState};
use super::estimate::on_device;
use super::evaluation::Evaluation;
use super::held_out_answers::HeldOutAnswers;
use super::loss_scale::LossScale;
use super::optimizer::AdamW;
use super::plan::{ModelPlan, RunPlan};
use super::progress::{Phase, Progress, RunStarted, StageProgress};
use super::rehearsal::Rehearsal;
use super::run_data::{
    changed, changed_since_begun, changed_since_configured, data_sources, examples_changed,
    fingerprints, near_duplicates_in_words,
};
use super::run_folder::RunFolder;
use super::run_memory::MemoryWatch;
use super::stop_flag::StopFlag;
use super::trainer::{RunOutcome, Trainer};
use crate::adapters::adapter_folder::AdapterConfig;
use crate::adapters::network::Network;
use crate::datasets::account::account;
use crate::datasets::example_set::ExampleSet;
use crate::datasets::load::Dataset;
use crate::datasets::recipe::ModelWords;
use crate::datasets::split::{Split, split};
use crate::memory::DeviceClass;
use crate::models::chat_template::Clock;
use crate::models::compute::Compute;
use crate::models::loading::LoadedBytes;
use crate::models::model::ModelFiles;
use crate::{Error, Result};

/// Which run folder to work in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunTarget {
    /// A new one.
    Fresh(PathBuf),
    /// Go on with this one; its `run.json` says what to do.
    Resume(PathBuf),
}

/// Trains an adapter to the end, or until the flag is raised.
///
/// # Errors
/// When the model, the dataset or the config cannot be used, or training fails.
pub fn start(
    config: &RunConfig,
    target: RunTarget,
    progress: &mut dyn Progress,
    stop: &StopFlag,
) -> Result<RunOutcome> {
    let (mut folder, config) = match &target {
        RunTarget::Fresh(path) => (RunFolder::create(path, config)?, config.clone()),
        RunTarget::Resume(path) => {
            let (folder, stored) = RunFolder::open(path)?;
            // How much a run may take changes none of its numbers, and may have changed since.
            let memory_bytes = config.memory_bytes.or(stored.memory_bytes);
            let stored = RunConfig {
                memory_bytes,
                ..stored
            };
            (folder, stored)
        }
    };
    let is_fresh = matches!(target, RunTarget::Fresh(_));
    let mut attempt = Attempt {
        folder: &mut folder,
        is_fresh,
        has_begun: false,
    };
    let outcome = match load_and_train(config, &mut attempt, progress, stop) {
        // It leaves before it came to its first step.
        Err(Error::Stopped) => Ok(attempt.folder.left_early()),
        outcome => outcome,
    };
    let refused = match &outcome {
        Ok(_) => false,
        Err(Error::MemoryTooLittle { .. }) => true,
        Err(Error::OutOfMemory {
            before_first_step, ..
        }) => *before_first_step,
        Err(_) => !attempt.has_begun,
    };
    if let (RunTarget::Fresh(path), true) = (&target, refused) {
        // It did not start, so the folder is free for one that does.
        drop(folder);
        RunFolder::withdraw(path)?;
        return outcome;
    }
    let written = folder.status().ended(&outcome, stop);
    // What went wrong first is what the user is told.
    outcome.and_then(|outcome| written.map(|()| outcome))
}

/// A run on its way to its first step.
struct Attempt<'a> {
    folder: &'a mut RunFolder,
    is_fresh: bool,
    /// Whether everything was loaded, so that what goes wrong from here on is the run's.
    has_begun: bool,
}

/// The run itself.
fn load_and_train(
    mut config: RunConfig,
    attempt: &mut Attempt<'_>,
    progress: &mut dyn Progress,
    stop: &StopFlag,
) -> Result<RunOutcome> {
    let folder = &mut *attempt.folder;
    // Its tensors are read again once the backbone is there: they belong to the run's memory.
    let saved = match attempt.is_fresh {
        true => None,
        false => newest_checkpoint(folder, progress)?.map(|saved| saved.state),
    };

    progress.phase(Phase::LoadingModel);
    let compute = Compute::open(&config.device)?.with_embeddings_in_ram(config.offload_embeddings);
    let mut files = ModelFiles::open(&config.model)?.computing_on(compute.clone());
    if let Some(saved) = &saved {
        files.set_clock(Clock::at_unix_secs(saved.template_unix_secs));
    }
    config = on_device(&config, DeviceClass::of(&compute)?);
    refuse_missing_type(&config, &compute)?;
    let model_plan = ModelPlan::resolve(&config, &files.config)?;
    let words = ModelWords::of(&files, &config.data_options)?;
    for text in &words.notices {
        progress.notice(text);
    }

    progress.phase(Phase::LoadingData);
    let found = data_sources(&config.data)?;
    let recipe = words.recipe(&config.data_options, model_plan.context);
    let dataset = Dataset::load(&found.sources, &recipe, &mut |so_far| {
        progress.reading(&so_far);
        go_on(stop)
    })?;
    let fingerprints = fingerprints(&dataset.report);
    if let Some(path) = changed(&dataset.report, &config.data_fingerprints) {
        return Err(match attempt.is_fresh {
            false => changed_since_begun(folder.path(), &path),
            true => changed_since_configured(&path),
        });
    }
    if config.data_fingerprints != fingerprints {
        config.data_fingerprints = fingerprints;
        folder.write_config(&config)?;
    }
    let sides = split(&dataset.examples, config.held_out_fraction);
    let (examples, report) = (&dataset.examples, &dataset.report);
    let near = near_duplicates_in_words(examples, report, &sides, &mut || go_on(stop))?;
    let Split { training, held_out } = sides;
    let dataset_hash = dataset.examples.fingerprint(&[&training, &held_out]);
    let examples = ExampleSet::new(&dataset.examples, training);
    let held_out = ExampleSet::new(&dataset.examples, held_out);
    let plan = RunPlan::resolve(&config, &model_plan, &examples.lengths())?;
    let rehearsal = Rehearsal::new(&examples, &held_out, &plan);
    let held_out_examples = held_out.len();
    let further_stops = { words.chosen.as_ref() }.map_or(&[][..], |chosen| &chosen.stop_tokens);
    let answers = HeldOutAnswers::new(
        &files.tokenizer,
        further_stops,
        (config.tap_dtype, config.sample_answers),
        &held_out,
        (&files.config, rehearsal.shape().seq),
    )?;
    if answers.is_empty() && config.sample_answers > 0 && held_out_examples > 0 {
        progress.notice(NO_PROMPTS);
    }
    let evaluation = Evaluation::new(held_out, plan.layout);
    let mut memory = MemoryWatch::begin(&config, &files, rehearsal.shape())?;
    if let Some(text) = memory.notice() {
        progress.notice(&text);
    }

    progress.phase(Phase::LoadingModel);
    let base = files.fingerprint();
    let quantization = model_plan.quantization;
    let mut told = |so_far: LoadedBytes| {
        progress.stage(StageProgress {
            phase: Phase::LoadingModel,
            done: so_far.done,
            total: so_far.total,
        });
        go_on(stop)
    };
    let backbone = match &config.quantized_copy {
        None => files.load_decoder_telling(quantization, &mut told),
        Some(folder) => {
            let folder = Path::new(folder);
            files.load_decoder_from_copy(quantization, &base, folder, &mut told)
        }
    };
    let moment = "while the weights were loaded";
    let backbone = backbone.map_err(|error| memory.explained(error, moment))?;
    memory.weights_loaded();

    let fresh = CheckpointState {
        step: 0,
        evaluation_due: false,
        best_evaluation_loss: None,
        evaluations_since_best: 0,
        elapsed_secs: 0.0,
        peak_bytes: 0,
        loss_scale: compute.needs_loss_scale().then(LossScale::default),
        template_unix_secs: { words.chosen.as_ref() }
            .map_or_else(Clock::now, |chosen| chosen.template.clock())
            .unix_secs(),
        dataset: dataset_hash.clone(),
        checksum: String::new(),
    };
    let saved = match attempt.is_fresh {
        true => None,
        false => checkpoint::load_newest(&folder.checkpoints())?.0,
    };
    let shape = model_plan.shape.clone();
    let (network, optimizer, state) = match saved {
        None => {
            folder.cut_back(0)?;
            let network = Network::initialize(shape, config.seed)?.computing_on(&compute)?;
            memory.adapter_made();
            let optimizer = AdamW::new(plan.optimizer, network.parameters())?;
            (network, optimizer, fresh)
        }
        Some(saved) => {
            if saved.state.dataset != dataset_hash {
                return Err(examples_changed(folder.path()));
            }
            folder.cut_back(saved.state.step)?;
            let updates = saved.state.step;
            let network = Network::from_parameters(shape, saved.parameters)
                .map_err(|problem| does_not_fit(folder.path(), problem))?
                .computing_on(&compute)?;
            memory.adapter_is(network.parameters());
            let optimizer =
                AdamW::restore(plan.optimizer, updates, saved.moments, network.parameters())
                    .map_err(|problem| does_not_fit(folder.path(), problem))?;
            (network, optimizer, saved.state)
        }
    };
    memory.optimizer_made();

    let steps = plan.stream.steps();
    folder.log(&format!("step {} of {steps}", state.step));
    { folder.status() }.reached(state.step, steps, state.best_evaluation_loss)?;
    let report = &dataset.report;
    folder.write_dataset(&account(report))?;
    for text in report.losses().iter().chain(&report.notices()).chain(&near) {
        folder.log(text);
        progress.notice(text);
    }
    attempt.has_begun = true;
    progress.started(&RunStarted {
        device: compute.in_words(),
        total_steps: steps,
        first_step: state.step,
        training_examples: examples.len(),
        held_out_examples,
        trainable_parameters: network.parameters().count(),
        backbone_parameters: files.config.parameters(),
    });
    let mut adapter_config = AdapterConfig::new(
        config.model.clone(),
        base,
        model_plan.shape,
        config.tap_dtype,
        model_plan.quantization,
    );
    adapter_config.module_root = files.module_root().to_owned();
    if let Some(chosen) = &words.chosen {
        adapter_config.chat_template = chosen.source_to_keep().map(str::to_owned);
        adapter_config.stop_tokens.clone_from(&chosen.stop_tokens);
    }
    Trainer {
        backbone: &backbone,
        network,
        optimizer,
        plan,
        examples,
        evaluation,
        answers,
        rehearsal,
        memory,
        folder,
        adapter_config,
        state,
    }
    .run(progress, stop)
}

/// A card computes in bf16, or has none of it.
fn refuse_missing_type(config: &RunConfig, compute: &Compute) -> Result<()> {
    match (config.tap_dtype, compute.activations()) {
        (TapDtype::Bf16, DType::F16) => Err(Error::ConfigInvalid {
            field: "tap_dtype",
            problem: "is bf16, which this card does not have".to_owned(),
            hint: "use --tap-dtype f16, or leave it out".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Why a run that was asked for answers gives none.
const NO_PROMPTS: &str = "no held-out prompt is short enough to be answered at evaluations";

/// Whether work before the first step is to go on.
fn go_on(stop: &StopFlag) -> ControlFlow<()> {
    match stop.is_raised() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Where a run goes on, and a word to the user where that is not its last checkpoint.
fn newest_checkpoint(
    folder: &RunFolder,
    progress: &mut dyn Progress,
) -> Result<Option<Checkpoint>> {
    let (saved, damaged) = checkpoint::load_newest(&folder.checkpoints())?;
    for path in damaged {
        progress.notice(&format!(
            "checkpoint {} is damaged and was set aside; the one before it is used",
            path.display()
        ));
    }
    if saved.is_none() {
        progress.notice("the run had no checkpoint yet; it starts over");
    }
    Ok(saved)
}

fn does_not_fit(run: &Path, problem: String) -> Error {
    Error::RunInvalid {
        path: run.to_path_buf(),
        problem: format!("the checkpoint does not fit run.json: {problem}"),
        hint: "put the old run.json back, or start a new run".to_owned(),
    }
}
