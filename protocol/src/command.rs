//! What a client asks of the worker, one JSON object per line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    ChatMessage, CheckCommand, CompareCommand, DataOptions, ExportFormat, Method, RunConfig,
    SamplerSettings,
};

/// A job's name, chosen by the client and unique among the jobs that have not ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub String);

impl JobId {
    /// Names a job.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A request. `train`, `chat`, `inspect`, `estimate`, `check`, `compare`, `export`, `devices` and `models` start a
/// job; the others act on one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Train an adapter, or go on with an interrupted run.
    Train(Box<TrainCommand>),
    /// Load a model and answer turns until told to end.
    Chat(ChatCommand),
    /// Ask an open chat for the next reply.
    ChatTurn(ChatTurn),
    /// Cut the replies of a chat short; the chat stays open.
    ChatInterrupt(JobRef),
    /// End a chat once the turns already asked for are answered.
    ChatEnd(JobRef),
    /// Describe a model or a dataset.
    Inspect(InspectCommand),
    /// Say what memory a run will take.
    Estimate(Box<EstimateCommand>),
    /// Hold the memory plan against measurements.
    Check(CheckCommand),
    /// Let a model and its adapters answer the same questions.
    Compare(Box<CompareCommand>),
    /// Write an adapter for elsewhere.
    Export(ExportCommand),
    /// List what can compute here.
    Devices(JobRef),
    /// Find the models on this machine.
    Models(ModelsCommand),
    /// Stop a job: a run saves a checkpoint first and can go on from there, a waiting job never starts.
    Stop(JobRef),
    /// End a run after the step it is in and keep its best adapter: it is evaluated once more, saved,
    /// and counts as finished.
    Keep(JobRef),
    /// Stop all jobs and exit.
    Shutdown,
}

/// A command about one job that needs nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRef {
    /// The job.
    pub job: JobId,
}

/// One training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainCommand {
    /// The job's name.
    pub job: JobId,
    /// What to train, on what, and how.
    pub config: RunConfig,
    /// The run folder to create; exactly one of `out` and `resume` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<PathBuf>,
    /// The run folder to go on with, as its own `run.json` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<PathBuf>,
    /// Steps that follow each other faster than this are merged on the wire, the latest winning;
    /// 0 sends every step. All other events are always sent, and `metrics.jsonl` has every step.
    #[serde(default = "default_event_interval")]
    pub min_event_interval_ms: u64,
}

fn default_event_interval() -> u64 {
    100
}

/// A chat with a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatCommand {
    /// The job's name.
    pub job: JobId,
    /// `builtin`, a model folder or a GGUF file.
    pub model: String,
    /// A run folder whose adapter is put on the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<PathBuf>,
    /// `auto`, `cpu` or `cuda[:N]`.
    #[serde(default = "default_device")]
    pub device: String,
}

fn default_device() -> String {
    "auto".to_owned()
}

/// The whole conversation so far; its last message is the one to answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatTurn {
    /// The chat.
    pub job: JobId,
    /// The conversation, oldest message first.
    pub messages: Vec<ChatMessage>,
    /// How the reply is drawn.
    #[serde(default)]
    pub settings: SamplerSettings,
    /// The adapter that answers.
    #[serde(default, skip_serializing_if = "AdapterChoice::is_opened")]
    pub adapter: AdapterChoice,
}

/// The adapter that answers a turn. The backbone stays loaded, so changing it costs next to nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdapterChoice {
    /// The one that the chat was opened with, if any.
    #[default]
    Opened,
    /// None: the base model.
    Base,
    /// That of a run folder or adapter folder.
    At(PathBuf),
}

impl AdapterChoice {
    fn is_opened(&self) -> bool {
        *self == Self::Opened
    }
}

/// An adapter for elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportCommand {
    /// The job's name.
    pub job: JobId,
    /// A run folder or an adapter folder.
    pub adapter: PathBuf,
    /// The format.
    pub to: ExportFormat,
    /// The folder to make.
    pub out: PathBuf,
}

/// A question for the memory of runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EstimateCommand {
    /// The job's name.
    pub job: JobId,
    /// The run. Its model may also be one of the catalogue. Where the device is `auto`, a memory
    /// that is named is a card's.
    pub config: RunConfig,
    /// The methods to estimate in place of the config's; none: the config's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<Method>,
    /// The device's memory; none: what is free on this machine's, if it has such a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Memory that other programs take of it; none: what is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_programs_bytes: Option<u64>,
}

/// A search for models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelsCommand {
    /// The job's name.
    pub job: JobId,
    /// Stepladder's own folder of models, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_folder: Option<PathBuf>,
    /// Folders to search besides those of the programs that are known.
    #[serde(default)]
    pub folders: Vec<PathBuf>,
}

/// A look into a model or a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InspectCommand {
    /// The job's name.
    pub job: JobId,
    /// A model (`builtin`, a folder, a .gguf file) or a dataset (a file, a folder of them). `builtin`
    /// means the built-in dataset when something is asked that only datasets have.
    pub target: String,
    /// Further files and folders of the same dataset, read behind the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<String>,
    /// The model whose chat template and tokenizer a dataset is shown with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Examples of a dataset to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show: Option<usize>,
    /// The row of a dataset that is shown first, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<usize>,
    /// The context length that examples are made to fit; none: what a run would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
    /// How a dataset's rows become examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_options: Option<DataOptions>,
    /// The fraction of a dataset's examples that is held out; none: what a run would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_fraction: Option<f64>,
    /// Whether the weight files of a model are hashed, which reads them whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hash: bool,
}
