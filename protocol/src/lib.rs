//! The seam between Stepladder's engine and everything that drives it: plain serde types, no
//! behaviour. Commands go in, events come out, one JSON object per line.
//!
//! A conversation: the worker's first line is [`Event::Hello`]; a client that does not speak
//! [`PROTOCOL`], or is of another [`BUILD`], hangs up. The client names each job itself. A line the worker cannot accept is
//! answered with [`Event::Rejected`]; every accepted job ends with exactly one of
//! [`Event::Finished`], [`Event::Stopped`] and [`Event::Failed`]. When the worker's input ends, it
//! stops its jobs at the next safe point, reports their ends and exits.

mod chat;
mod command;
mod comparison;
mod data_options;
mod dataset_preview;
mod device_info;
mod error_report;
mod event;
mod export;
mod matched;
mod memory_check;
mod memory_report;
mod metrics;
mod model_info;
mod model_list;
mod run_config;
mod run_status;

pub use chat::{
    ChatMessage, ChatReady, ChatSummary, FinishReason, ReplyStats, Role, SamplerSettings,
};
pub use command::{
    AdapterChoice, ChatCommand, ChatTurn, Command, EstimateCommand, ExportCommand, InspectCommand,
    JobId, JobRef, ModelsCommand, TrainCommand,
};
pub use comparison::{
    AnswerGiven, AnswerOutcome, AnswerVerdict, BASE, CompareCommand, ComparedAnswer,
    ComparedQuestion, ComparedRow, ComparedVariant, ComparisonDocument, ComparisonProgress,
    ComparisonReport, ComparisonStarted, ComparisonTimes, Difference, TraceState, VariantProgress,
    VariantReport, VariantTimes,
};
pub use data_options::{DataFormat, DataOptions, LossOn, TooLong, Traces};
pub use dataset_preview::{
    DatasetFile, DatasetPreview, ExamplePreview, HeldOut, LengthRange, ReadingProgress,
    ReasonCount, Segment, SkippedRow, TokenLengths, TokenUse, TraceCounts,
};
pub use device_info::{CardInfo, DeviceInfo, DeviceReport, ProgramOnCard};
pub use error_report::ErrorReport;
pub use event::{
    Event, EventLine, Finished, Hello, Phase, PhaseProgress, RunStarted, TrainSummary,
};
pub use export::{ExportFormat, ExportReport};
pub use matched::{
    Interval, MatchedReport, MatchedRun, MatchedRunBegun, MatchedRuns, MethodPair, MethodPeak,
    MethodReport, TrainMatched,
};
pub use memory_check::{CheckCommand, CheckErrors, CheckSummary, CheckedCell};
pub use memory_report::{
    MeasuredParts, MemoryParts, MemoryReport, MethodEstimate, RunMemory, Switched, Verdict,
};
pub use metrics::{EvaluationRow, MetricsRow, SampleRow, StepRow, finite};
pub use model_info::{ModelFileInfo, ModelInfo, TypeShare};
pub use model_list::{FoundModel, ModelList, ModelSource};
pub use run_config::{
    Downsample, Inject, Method, Optimizer, Quantize, RunConfig, Switch, TapDtype,
};
pub use run_status::{RunFailure, RunState, RunStatus};

/// The version of these messages; it changes when an older peer would misunderstand a newer one.
pub const PROTOCOL: u32 = 1;

/// Which sources of protocol and engine this program was built from. Executables of one installation
/// say the same.
pub const BUILD: &str = env!("STEPLADDER_BUILD");

/// The longest line either side may send, its newline included.
pub const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;
