//! The engine's one error type. A variant holds what was found and where (file, line, field); its
//! message says so, `hint` says what to do, and `code` is the stable name that crosses the seam.

use std::path::{Path, PathBuf};

/// Everything that can go wrong in the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read, written, created or renamed.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was attempted: "read", "write", "create", "rename", ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// No space is left where a file should be written. What was there before is intact.
    #[error("the disk is full: {} could not be written", .path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// A tensor operation failed; this is a defect in Stepladder unless memory ran out.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The job was asked to stop before it produced a result.
    #[error("stopped on request")]
    Stopped,

    // ---- models -------------------------------------------------------------------------------
    /// A model was named that is no folder here.
    #[error("there is no model {}", .folder.display())]
    ModelFolderMissing {
        /// What was named.
        folder: PathBuf,
    },
    /// A model was named that the catalogue does not have.
    #[error("the catalogue has no model {name:?}")]
    ModelUnknown {
        /// What was named.
        name: String,
        /// Names of models that may have been meant, the nearest first.
        nearest: Vec<String>,
    },
    /// A model file is missing from its folder.
    #[error("{} is missing from the model folder {}", .file, .folder.display())]
    ModelFileMissing {
        /// The model's folder.
        folder: PathBuf,
        /// The file that was looked for.
        file: String,
    },
    /// A file of the model cannot be understood.
    #[error("{}: {problem}", .path.display())]
    ModelFileInvalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, naming the field.
        problem: String,
    },
    /// `model_type`, `rope_scaling` or an activation that no decoder here implements.
    #[error("{}: {field} is {found:?}, which is not supported", .path.display())]
    ModelUnsupported {
        /// The file that says so.
        path: PathBuf,
        /// The field in that file.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would be supported.
        supported: Vec<&'static str>,
    },
    /// A tensor that the architecture needs is not in the checkpoint.
    #[error("tensor {name} is missing from {}", .path.display())]
    TensorMissing {
        /// The checkpoint (folder or file).
        path: PathBuf,
        /// The tensor's name.
        name: String,
    },
    /// A tensor has another shape than the configuration promises.
    #[error("tensor {name} in {} has shape {found:?}, but config.json promises {expected:?}", .path.display())]
    TensorShape {
        /// The checkpoint file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// The shape in the checkpoint.
        found: Vec<usize>,
        /// The shape that follows from the configuration.
        expected: Vec<usize>,
    },
    /// A tensor has an element type that cannot be computed with.
    #[error("tensor {name} in {} has type {found}", .path.display())]
    TensorType {
        /// The checkpoint file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// The type in the checkpoint.
        found: String,
    },
    /// The model has no chat template, so messages cannot be rendered.
    #[error("the model in {} has no chat template", .path.display())]
    ChatTemplateMissing {
        /// The model's folder or file.
        path: PathBuf,
    },
    /// The chat template does not parse, or refused the messages.
    #[error("chat template of {}: {problem}", .path.display())]
    ChatTemplateInvalid {
        /// The model's folder or file.
        path: PathBuf,
        /// The template engine's answer.
        problem: String,
    },

    // ---- datasets -----------------------------------------------------------------------------
    /// A dataset was named that is no file or folder here.
    #[error("there is no file or folder {}", .path.display())]
    DatasetMissing {
        /// What was named.
        path: PathBuf,
        /// The name beside it that is most like it, if one is.
        nearest: Option<String>,
    },
    /// A row of a dataset cannot be used.
    #[error("{}:{line}: {problem}", .path.display())]
    DatasetRow {
        /// The dataset file.
        path: PathBuf,
        /// 1-based line number.
        line: usize,
        /// What is wrong, naming the field.
        problem: String,
        /// What to do about it.
        hint: String,
    },
    /// A dataset is not what it was when a run or its config was made.
    #[error("{} {problem}", .path.display())]
    DatasetChanged {
        /// The file.
        path: PathBuf,
        /// Since when.
        problem: &'static str,
        /// What to do about it.
        hint: String,
    },
    /// A dataset holds nothing to train on.
    #[error("{}: {problem}", .path.display())]
    DatasetEmpty {
        /// The dataset file.
        path: PathBuf,
        /// Why nothing is left.
        problem: String,
        /// What to do about it.
        hint: String,
    },

    // ---- adapters, runs -----------------------------------------------------------------------
    /// A run configuration asks for something that cannot be.
    #[error("{field}: {problem}")]
    ConfigInvalid {
        /// The field of the run config.
        field: &'static str,
        /// What is wrong with its value.
        problem: String,
        /// What to do about it.
        hint: String,
    },
    /// A run needs more memory than it may take.
    #[error(
        "the run {verb} {needed} of memory, and may take {available}",
        needed = crate::memory::advice::bytes(*needed),
        available = crate::memory::advice::bytes(*available)
    )]
    MemoryTooLittle {
        /// Whether it was planned or rehearsed.
        verb: &'static str,
        /// Bytes at the peak.
        needed: u64,
        /// Bytes it may take.
        available: u64,
        /// What would fit.
        advice: String,
    },
    /// A card had no room for what a job needed next.
    #[error(
        "the card has no room{asked} {moment}: the run holds {held} and {free} are free",
        asked = asked.map_or_else(String::new, |asked| {
            format!(" for {} more", crate::memory::advice::bytes(asked))
        }),
        held = crate::memory::advice::bytes(*held),
        free = crate::memory::advice::bytes(*free)
    )]
    OutOfMemory {
        /// Bytes that were asked for, where that is known.
        asked: Option<u64>,
        /// Bytes that the job held.
        held: u64,
        /// Bytes that were free.
        free: u64,
        /// What was being done: "while the weights were loaded".
        moment: String,
        /// Whether nothing was trained yet.
        before_first_step: bool,
        /// What was planned, and what to do.
        advice: String,
    },
    /// An adapter file cannot be used.
    #[error("{}: {problem}", .path.display())]
    AdapterInvalid {
        /// The adapter's folder or file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// An adapter was trained for another base model.
    #[error("the adapter in {} was trained for another base model: {difference}", .path.display())]
    AdapterForAnotherBase {
        /// The adapter's folder.
        path: PathBuf,
        /// The first difference found.
        difference: String,
    },
    /// A run folder is being written by another process.
    #[error("the run {} is in use by another process", .path.display())]
    RunInUse {
        /// The run folder.
        path: PathBuf,
    },
    /// A folder is not a run, or cannot be resumed.
    #[error("{}: {problem}", .path.display())]
    RunInvalid {
        /// The run folder or one of its files.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        hint: String,
    },
    /// Loss or gradient stopped being a finite number.
    #[error("training diverged at step {step}: {what}")]
    Diverged {
        /// The step at which it was noticed (1-based).
        step: usize,
        /// Which figure is not finite, and the likely cause.
        what: String,
    },
    /// A device was asked for that is not here.
    #[error("device {asked} is not available: {reason}")]
    DeviceUnavailable {
        /// What was asked for.
        asked: String,
        /// Why it cannot be had.
        reason: String,
        /// What to do.
        hint: String,
    },
}

/// The engine's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Adapts an IO error: `.map_err(Error::io("read", &path))`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path }
            }
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }

    /// The stable name of this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::DiskFull { .. } => "disk_full",
            Self::Tensor(_) => "tensor",
            Self::Stopped => "stopped",
            Self::ModelFolderMissing { .. } => "model_folder_missing",
            Self::ModelUnknown { .. } => "model_unknown",
            Self::ModelFileMissing { .. } => "model_file_missing",
            Self::ModelFileInvalid { .. } => "model_file_invalid",
            Self::ModelUnsupported { .. } => "model_unsupported",
            Self::TensorMissing { .. } => "tensor_missing",
            Self::TensorShape { .. } => "tensor_shape",
            Self::TensorType { .. } => "tensor_type",
            Self::ChatTemplateMissing { .. } => "chat_template_missing",
            Self::ChatTemplateInvalid { .. } => "chat_template_invalid",
            Self::DatasetMissing { .. } => "dataset_missing",
            Self::DatasetRow { .. } => "dataset_row",
            Self::DatasetChanged { .. } => "dataset_changed",
            Self::DatasetEmpty { .. } => "dataset_empty",
            Self::ConfigInvalid { .. } => "config_invalid",
            Self::MemoryTooLittle { .. } => "memory_too_little",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::AdapterInvalid { .. } => "adapter_invalid",
            Self::AdapterForAnotherBase { .. } => "adapter_for_another_base",
            Self::RunInUse { .. } => "run_in_use",
            Self::RunInvalid { .. } => "run_invalid",
            Self::Diverged { .. } => "diverged",
            Self::DeviceUnavailable { .. } => "device_unavailable",
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { action, .. } => format!(
                "check that the path exists, that you may {action} it, and that the disk is not full"
            ),
            Self::DiskFull { .. } => {
                "free some space; the run is paused at its last checkpoint and \
                 goes on with `stepladder train --resume RUN`"
                    .to_owned()
            }
            Self::Tensor(_) => "if memory ran out, lower --batch-size or --context; otherwise \
                 please report this message"
                .to_owned(),
            Self::Stopped => "run the same command again to start over".to_owned(),
            Self::ModelFolderMissing { .. } => {
                "give --model the path of a Hugging Face folder or a .gguf file, or \
                 `builtin` for the built-in model"
                    .to_owned()
            }
            Self::ModelUnknown { nearest, .. } if nearest.is_empty() => {
                "give --model a well-known name such as `qwen2.5-7b` or `llama-3.1-8b`, or the \
                 path of a Hugging Face folder or a .gguf file"
                    .to_owned()
            }
            Self::ModelUnknown { nearest, .. } => format!(
                "did you mean {}? Or give --model the path of a Hugging Face folder or a .gguf file",
                nearest.join(" or ")
            ),
            Self::ModelFileMissing { .. } => "point --model at a complete Hugging Face folder \
                 (config.json, tokenizer.json, *.safetensors)"
                .to_owned(),
            Self::ModelFileInvalid { .. } | Self::TensorMissing { .. } => {
                "download the model's files again; this one is damaged or incomplete".to_owned()
            }
            Self::ModelUnsupported { supported, .. } => {
                format!("supported: {}", supported.join(", "))
            }
            Self::TensorShape { .. } => "config.json and the weights belong to different models; \
                 download both from the same place"
                .to_owned(),
            Self::TensorType { .. } => {
                "use the model in F32, F16 or BF16, in NF4 by bitsandbytes, or as a GGUF file in \
                 one of Q4_0 to Q8_0 and Q2_K to Q8_K (Q4_K_M, for example)"
                    .to_owned()
            }
            Self::ChatTemplateMissing { .. } => "use the instruction-tuned version of this model, \
                 add chat_template.jinja to its folder, or choose a template with --template: one of \
                 chatml, llama3, mistral, gemma, phi, alpaca, plain, or a .jinja file"
                .to_owned(),
            Self::ChatTemplateInvalid { .. } => {
                "check the template and the order of roles in the messages".to_owned()
            }
            Self::DatasetMissing { nearest: None, .. } => {
                "check the path; `builtin` is the dataset inside the program".to_owned()
            }
            Self::DatasetMissing {
                nearest: Some(name),
                ..
            } => format!("did you mean {name}?"),
            Self::DatasetRow { hint, .. }
            | Self::DatasetChanged { hint, .. }
            | Self::DatasetEmpty { hint, .. }
            | Self::ConfigInvalid { hint, .. }
            | Self::RunInvalid { hint, .. } => hint.clone(),
            Self::MemoryTooLittle { advice, .. } | Self::OutOfMemory { advice, .. } => {
                advice.clone()
            }
            Self::AdapterInvalid { .. } => {
                "point --adapter at a run folder or at its adapter folder".to_owned()
            }
            Self::AdapterForAnotherBase { .. } => {
                "choose the base model that this adapter was trained on with --model".to_owned()
            }
            Self::RunInUse { .. } => {
                "wait until the other run has ended, or choose another --out".to_owned()
            }
            Self::Diverged { .. } => {
                "lower --learning-rate, and look at the examples of that step".to_owned()
            }
            Self::DeviceUnavailable { hint, .. } => hint.clone(),
        }
    }
}
