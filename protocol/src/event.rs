//! What the worker tells its client, one JSON object per line.

use serde::{Deserialize, Serialize};

use crate::{
    AnswerGiven, ChatReady, ChatSummary, CheckSummary, CheckedCell, ComparedQuestion,
    ComparisonProgress, ComparisonReport, ComparisonStarted, DatasetPreview, DeviceReport,
    ErrorReport, EvaluationRow, ExportReport, JobId, MatchedRunBegun, MatchedRuns, MemoryReport,
    ModelInfo, ModelList, ReadingProgress, ReplyStats, RunMemory, SampleRow, StepRow,
};

/// An event and the job it is about: `{"event":"step","step":12,...,"job":"train"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// The job; absent for what concerns the worker as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The worker's first line.
    Hello(Hello),
    /// A command was not accepted and changed nothing; if it was to start a job, there is none.
    Rejected(ErrorReport),
    /// The job waits for others.
    Queued {
        /// Jobs before it.
        ahead: usize,
    },
    /// A run entered a stage.
    Phase {
        /// The stage.
        phase: Phase,
    },
    /// A run has everything loaded; steps follow.
    Started(RunStarted),
    /// Something the user should know.
    Notice {
        /// One sentence.
        text: String,
    },
    /// A dataset is being read; about ten of these come in a second.
    Reading(ReadingProgress),
    /// A first look at a dataset, before all of it is read.
    Preview(Box<DatasetPreview>),
    /// How far a stage of a run has come; about ten of these come in a second at most.
    Progress(PhaseProgress),
    /// A run's worst step was rehearsed.
    Memory(RunMemory),
    /// A check of the memory plan has measured a cell.
    Checked(CheckedCell),
    /// Runs are trained alike before they are compared.
    MatchedRuns(MatchedRuns),
    /// The next of them begins.
    MatchedRun(MatchedRunBegun),
    /// A comparison has its questions and variants.
    ComparisonStarted(ComparisonStarted),
    /// A question of a comparison, before its first answer.
    Question(ComparedQuestion),
    /// A variant has answered a question.
    Answer(Box<AnswerGiven>),
    /// How far a comparison has come.
    Comparing(ComparisonProgress),
    /// A run made an update.
    Step(StepRow),
    /// A run was evaluated.
    Evaluation(EvaluationRow),
    /// What the model said to a held-out prompt at an evaluation.
    Sample(SampleRow),
    /// A checkpoint lies complete on disk.
    Checkpoint {
        /// Its folder.
        path: String,
    },
    /// A chat has its model loaded.
    Ready(ChatReady),
    /// The next piece of a reply; all pieces joined are the reply exactly as the model said it.
    Text {
        /// The piece.
        text: String,
        /// Whether it is part of the reasoning, its markers included.
        reasoning: bool,
    },
    /// A reply has ended; the chat goes on.
    Reply(ReplyStats),
    /// A turn could not be answered; the chat goes on.
    TurnFailed(ErrorReport),
    /// The job is done.
    Finished(Finished),
    /// The job was stopped on request.
    Stopped {
        /// The run folder that `--resume` takes, or a comparison's, if one was made.
        run: Option<String>,
        /// Updates made so far, or answers given.
        step: usize,
    },
    /// The job could not be done.
    Failed(ErrorReport),
}

impl Event {
    /// Whether this is the end of a job.
    pub fn ends_job(&self) -> bool {
        matches!(
            self,
            Self::Finished(_) | Self::Stopped { .. } | Self::Failed(_)
        )
    }

    /// The event as a line about one job.
    pub fn of(self, job: &JobId) -> EventLine {
        EventLine {
            event: self,
            job: Some(job.clone()),
        }
    }
}

/// Who the worker is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol it speaks.
    pub protocol: u32,
    /// Stepladder's version.
    pub version: String,
    /// The sources it was built from: [`BUILD`](crate::BUILD).
    pub build: String,
    /// What it was built for: "linux x86_64, CPU".
    #[serde(default)]
    pub platform: String,
}

/// The stage a run is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading the backbone's weights.
    LoadingModel,
    /// Reading, rendering and tokenizing the dataset.
    LoadingData,
    /// The longest micro-batch, an evaluation and a checkpoint, tried before the first step.
    Rehearsing,
    /// Optimizer updates.
    Training,
    /// Loss on held-out examples.
    Evaluating,
    /// Writing a checkpoint.
    Checkpointing,
    /// Writing an adapter for elsewhere.
    Exporting,
}

/// How far a stage has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseProgress {
    /// The stage.
    pub phase: Phase,
    /// What is done of it: bytes of weights read (and quantized), examples evaluated, parts of the
    /// rehearsal, or bytes of an export.
    pub done: u64,
    /// What there is of it.
    pub total: u64,
    /// The rate so far; `null` where the stage has just begun.
    pub per_second: Option<f64>,
}

/// Sizes of a run, known before its first step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Optimizer updates in the whole run.
    pub total_steps: usize,
    /// The step the run continues after (0 for a fresh run).
    pub first_step: usize,
    /// Examples trained on.
    pub training_examples: usize,
    /// Examples held out.
    pub held_out_examples: usize,
    /// Numbers in the adapter.
    pub trainable_parameters: usize,
    /// Numbers in the backbone.
    pub backbone_parameters: usize,
    /// The device in words: "CPU, 8 threads".
    pub device: String,
}

/// What a finished job gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finished {
    /// A training run.
    Training(TrainSummary),
    /// A chat that was ended.
    Chat(ChatSummary),
    /// A model was inspected.
    Model(ModelInfo),
    /// A dataset was inspected.
    Dataset(Box<DatasetPreview>),
    /// The memory of runs was estimated.
    Memory(MemoryReport),
    /// The memory plan was held against measurements.
    Check(CheckSummary),
    /// Variants of a model were compared.
    Comparison(Box<ComparisonReport>),
    /// The devices here.
    Devices(DeviceReport),
    /// An adapter was exported.
    Export(ExportReport),
    /// Models were searched for.
    Models(ModelList),
}

/// A finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainSummary {
    /// The run folder.
    pub run: String,
    /// Updates made.
    pub step: usize,
    /// Lowest loss on the held-out examples; `null` if there were none.
    pub best_evaluation_loss: Option<f64>,
    /// What the memory plan promised; `null` where no plan was made.
    pub estimated_peak_bytes: Option<u64>,
    /// Most memory in use at once; `null` where it is not measured.
    pub measured_peak_bytes: Option<u64>,
    /// Seconds the run took, earlier parts of a resumed run included.
    pub elapsed_secs: Option<f64>,
}
