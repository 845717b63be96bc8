//! What each kind of job does, as calls into the engine. Behind a trait, so that the worker's
//! queue, stop and panic handling are tested without a model.

use std::ops::ControlFlow;
use std::path::Path;

use stepladder_protocol::{
    AdapterChoice, ChatCommand, ChatReady, ChatTurn, CheckCommand, CheckSummary, CheckedCell,
    DeviceReport, EstimateCommand, ExportCommand, ExportReport, FinishReason, Finished,
    InspectCommand, MemoryReport, ModelList, ModelsCommand, ReplyStats, RunConfig, SamplerSettings,
    finite,
};

use parking_lot::Mutex;

use super::describe::{self, Told};
use super::estimated;
use crate::comparison::matched::{self, Listener, MatchedWishes, Trained};
use crate::comparison::{self, News, Outcome, Wishes};
use crate::datasets::known_rows::KnownRows;
use crate::datasets::reader::{find_sources, is_dataset_name};
use crate::device::DeviceRequest;
use crate::export::Written;
use crate::models::checkpoint::ModelSource;
use crate::models::compute::Compute;
use crate::models::on_this_machine::{self, Places};
use crate::training::{self, progress::Progress, stop_flag::StopFlag};
use crate::{Error, Result, device, export, generation};

pub use crate::training::{RunOutcome, RunTarget};

/// Everything the worker can be asked to do.
pub trait Jobs: Send + Sync + 'static {
    /// Trains an adapter.
    fn train(
        &self,
        config: &RunConfig,
        target: RunTarget,
        progress: &mut dyn Progress,
        stop: &StopFlag,
    ) -> Result<RunOutcome>;

    /// Loads a model to chat with.
    fn open_chat(&self, command: &ChatCommand) -> Result<Box<dyn Chat>>;

    /// Describes a model or a dataset, and tells how far it has come and what it saw first.
    fn inspect(
        &self,
        command: &InspectCommand,
        told: &mut dyn FnMut(Told) -> ControlFlow<()>,
    ) -> Result<Finished>;

    /// Says what memory runs will take.
    fn estimate(&self, command: &EstimateCommand) -> Result<MemoryReport>;

    /// Holds the memory plan against measurements, and tells each cell.
    fn check(
        &self,
        command: &CheckCommand,
        stop: &StopFlag,
        told: &mut dyn FnMut(&CheckedCell),
    ) -> Result<CheckSummary>;

    /// Trains what a comparison compares.
    fn train_matched(
        &self,
        wishes: &MatchedWishes,
        stop: &StopFlag,
        listener: &mut dyn Listener,
    ) -> Result<Trained>;

    /// Lets a model and its adapters answer the same questions.
    fn compare(
        &self,
        device: &str,
        wishes: &Wishes,
        stop: &StopFlag,
        told: &mut dyn FnMut(News),
    ) -> Result<Outcome>;

    /// Writes an adapter for elsewhere.
    fn export(
        &self,
        command: &ExportCommand,
        told: &mut dyn FnMut(Written) -> ControlFlow<()>,
    ) -> Result<ExportReport>;

    /// Ends this process, after a job for which its device had no room: whoever computes next begins with
    /// all of the memory.
    fn leave(&self) {}

    /// Lists what can compute here.
    fn devices(&self) -> Result<DeviceReport>;

    /// Finds the models on this machine.
    fn models(&self, command: &ModelsCommand, stop: &StopFlag) -> Result<ModelList>;
}

/// A model that answers. It stays on the thread that opened it.
pub trait Chat {
    /// What was loaded.
    fn ready(&self) -> ChatReady;

    /// What the user should know of what was loaded and chosen, a sentence each.
    fn notices(&self) -> Vec<String>;

    /// Lets another adapter answer from now on.
    fn choose(&mut self, adapter: &AdapterChoice) -> Result<()>;

    /// Answers the last message; hands each piece of text on with whether it is reasoning.
    fn reply(
        &mut self,
        turn: &ChatTurn,
        stop: &StopFlag,
        on_text: &mut dyn FnMut(&str, bool),
    ) -> Result<ReplyStats>;
}

/// The exit code of a worker whose device had no room for a job.
const OUT_OF_MEMORY: i32 = 4;

/// The engine's jobs.
#[derive(Debug, Default)]
pub struct EngineJobs {
    /// Where the rows of datasets are that were looked at.
    known_rows: Mutex<KnownRows>,
}

impl Jobs for EngineJobs {
    fn train(
        &self,
        config: &RunConfig,
        target: RunTarget,
        progress: &mut dyn Progress,
        stop: &StopFlag,
    ) -> Result<RunOutcome> {
        // A GPU that is not here is refused before anything is loaded.
        device::open(&config.device)?;
        training::start(config, target, progress, stop)
    }

    fn open_chat(&self, command: &ChatCommand) -> Result<Box<dyn Chat>> {
        let compute = Compute::open(&command.device)?;
        let (model, adapter) = (&command.model, command.adapter.as_deref());
        let session = generation::ChatSession::open(model, adapter, compute)?;
        Ok(Box::new(EngineChat(session)))
    }

    fn estimate(&self, command: &EstimateCommand) -> Result<MemoryReport> {
        estimated::report(command)
    }

    fn check(
        &self,
        command: &CheckCommand,
        stop: &StopFlag,
        told: &mut dyn FnMut(&CheckedCell),
    ) -> Result<CheckSummary> {
        if let DeviceRequest::Cuda(_) = command.device.parse()? {
            return Err(Error::DeviceUnavailable {
                asked: command.device.clone(),
                reason: "estimates are checked on the processor".to_owned(),
                hint: "leave the device out; `stepladder-cuda check` does it for a card".to_owned(),
            });
        }
        training::check::run(device::threads(), command.cells, stop, told)
    }

    fn train_matched(
        &self,
        wishes: &MatchedWishes,
        stop: &StopFlag,
        listener: &mut dyn Listener,
    ) -> Result<Trained> {
        device::open(&wishes.device)?;
        matched::train(wishes, stop, listener)
    }

    fn compare(
        &self,
        device: &str,
        wishes: &Wishes,
        stop: &StopFlag,
        told: &mut dyn FnMut(News),
    ) -> Result<Outcome> {
        comparison::compare(wishes, Compute::open(device)?, stop, told)
    }

    fn export(
        &self,
        command: &ExportCommand,
        told: &mut dyn FnMut(Written) -> ControlFlow<()>,
    ) -> Result<ExportReport> {
        export::export(&command.adapter, command.to, &command.out, told)
    }

    fn inspect(
        &self,
        command: &InspectCommand,
        told: &mut dyn FnMut(Told) -> ControlFlow<()>,
    ) -> Result<Finished> {
        let hashing = match command.hash {
            true => describe::Hashing::On,
            false => describe::Hashing::Off,
        };
        if is_model(command) {
            describe::model(&command.target, hashing).map(Finished::Model)
        } else {
            let preview = describe::dataset(command, &self.known_rows, told)?;
            Ok(Finished::Dataset(Box::new(preview)))
        }
    }

    fn leave(&self) {
        std::process::exit(OUT_OF_MEMORY);
    }

    fn devices(&self) -> Result<DeviceReport> {
        Ok(device::list())
    }

    fn models(&self, command: &ModelsCommand, stop: &StopFlag) -> Result<ModelList> {
        let places = Places {
            own_folder: command.own_folder.clone(),
            folders: command.folders.clone(),
            ..Places::of_this_machine()
        };
        on_this_machine::find(&places, &|| match stop.is_raised() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }
}

/// A folder with a configuration and a `.gguf` file are models, and so is a name that is no file; any
/// other file or folder is a dataset. Where what only a dataset has was asked for, the target is one,
/// `builtin` included.
fn is_model(command: &InspectCommand) -> bool {
    let path = Path::new(&command.target);
    let dataset_asked = command.model.is_some()
        || command.show.is_some()
        || command.from.is_some()
        || command.data_options.is_some()
        || command.held_out_fraction.is_some()
        || !command.more.is_empty();
    let is_gguf = || matches!(ModelSource::parse(&command.target), ModelSource::Gguf(_));
    let is_model_folder = || path.join("config.json").is_file();
    let is_other = match path.is_dir() {
        true => !is_model_folder() && find_sources(&[path]).is_ok(),
        false => !is_gguf() && (path.is_file() || is_dataset_name(path)),
    };
    !(dataset_asked || is_other)
}

struct EngineChat(generation::ChatSession);

impl Chat for EngineChat {
    fn ready(&self) -> ChatReady {
        let info = self.0.info();
        ChatReady {
            model: info.model,
            adapter: info.adapter,
            device: info.device,
            context_length: info.context_length,
        }
    }

    fn notices(&self) -> Vec<String> {
        self.0.info().notices
    }

    fn choose(&mut self, adapter: &AdapterChoice) -> Result<()> {
        self.0.choose(&match adapter {
            AdapterChoice::Opened => generation::AdapterChoice::Opened,
            AdapterChoice::Base => generation::AdapterChoice::Base,
            AdapterChoice::At(path) => generation::AdapterChoice::At(path.clone()),
        })
    }

    fn reply(
        &mut self,
        turn: &ChatTurn,
        stop: &StopFlag,
        on_text: &mut dyn FnMut(&str, bool),
    ) -> Result<ReplyStats> {
        let messages: Vec<_> = turn
            .messages
            .iter()
            .map(|message| (message.role.name(), message.content.as_str()))
            .collect();
        let stats = self
            .0
            .reply(&messages, &settings(&turn.settings), stop, &mut |piece| {
                on_text(piece.text, piece.is_reasoning);
            })?;
        Ok(ReplyStats {
            reasoning_tokens: stats.reasoning_tokens,
            total_tokens: stats.total_tokens,
            finish: match stats.finish {
                generation::FinishReason::Stop => FinishReason::Stop,
                generation::FinishReason::Length => FinishReason::Length,
                generation::FinishReason::Cancelled => FinishReason::Cancelled,
            },
            tokens_per_second: finite(stats.tokens_per_second),
            reasoning_secs: stats.reasoning_secs,
            prompt_tokens: stats.prompt_tokens,
            context_length: stats.context_length,
        })
    }
}

fn settings(asked: &SamplerSettings) -> generation::SamplerSettings {
    generation::SamplerSettings {
        temperature: asked.temperature,
        top_k: asked.top_k,
        top_p: asked.top_p,
        min_p: asked.min_p,
        repetition_penalty: asked.repetition_penalty,
        seed: asked.seed,
        max_tokens: asked.max_tokens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::JobId;

    fn asked(target: &str, model: Option<&str>, show: Option<usize>) -> InspectCommand {
        InspectCommand {
            job: JobId::new("j"),
            target: target.to_owned(),
            more: Vec::new(),
            model: model.map(ToOwned::to_owned),
            show,
            from: None,
            context: None,
            data_options: None,
            held_out_fraction: None,
            hash: false,
        }
    }

    #[test]
    fn models_and_datasets_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let blob = folder.path().join("sha256-00");
        std::fs::write(&blob, "GGUF and more").unwrap();
        assert!(is_model(&asked(blob.to_str().unwrap(), None, None)));
        std::fs::remove_file(blob).unwrap();
        let folder = folder.path().to_str().unwrap();
        assert!(is_model(&asked("builtin", None, None)));
        assert!(is_model(&asked(folder, None, None)));
        assert!(is_model(&asked("a/model.GGUF", None, None)));
        assert!(is_model(&asked("Qwen/Qwen3-0.6B-Base", None, None)));
        assert!(is_model(&asked("missing-folder", None, None)));
        assert!(!is_model(&asked("builtin", Some("builtin"), None)));
        assert!(!is_model(&asked("builtin", None, Some(2))));
        assert!(!is_model(&asked("data.jsonl", None, None)));
    }
}
