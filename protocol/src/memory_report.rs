//! What memory a run will take, part by part, for each method: what `estimate` answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Method;

/// The memory that runs on one model will take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryReport {
    /// The model's name.
    pub model: String,
    /// Numbers in the model.
    pub parameters: u64,
    /// The type most of its weights are stored in.
    pub weight_dtype: String,
    /// The kind of device: `cpu` or `cuda`.
    pub device: String,
    /// Tokens per training sequence.
    pub context: usize,
    /// Sequences in a micro-batch.
    pub batch_size: usize,
    /// The device's memory; `null` if neither the question nor the machine tells.
    pub memory_bytes: Option<u64>,
    /// Memory that other programs take of it.
    pub other_programs_bytes: u64,
    /// Whether what the device takes for itself was measured on such a device.
    pub constants_measured: bool,
    /// The methods asked for, in their usual order.
    pub methods: Vec<MethodEstimate>,
    /// What follows, a sentence each.
    pub advice: Vec<String>,
}

impl MemoryReport {
    /// What is there for a run.
    pub fn available_bytes(&self) -> Option<u64> {
        Some(self.memory_bytes?.saturating_sub(self.other_programs_bytes))
    }
}

/// The memory of a run with one method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodEstimate {
    /// The method.
    pub method: Method,
    /// Bytes when most is held.
    pub total_bytes: u64,
    /// What happens then.
    pub peak_moment: String,
    /// What the total is made of.
    pub parts: MemoryParts,
    /// The same in a finer split; items that are zero are left out.
    pub breakdown: BTreeMap<String, u64>,
    /// Whether it fits; `null` if the memory is not known.
    pub fits: Option<bool>,
    /// The same in three grades.
    pub verdict: Option<Verdict>,
    /// Most tokens per sequence that fit; `null` if none do, or the memory is not known.
    pub longest_context: Option<usize>,
    /// Whether the model, not the memory, is what stops there.
    pub longest_context_is_the_models: bool,
    /// Most sequences in a micro-batch that fit; `null` as for the context.
    pub largest_batch: Option<usize>,
    /// LoRA: the largest rank that fits.
    pub largest_rank: Option<usize>,
    /// Side networks: the greatest width, in steps of 64, that fits.
    pub largest_d_side: Option<usize>,
    /// The smallest usual card that it fits on beside the other programs; `null` on a CPU, or if none.
    pub smallest_card_bytes: Option<u64>,
    /// Bytes in RAM because they were moved there from the card.
    pub offloaded_bytes: u64,
    /// How the linear maps of the model are kept.
    pub weights_kept_as: String,
    /// Numbers that are trained.
    pub trainable_parameters: u64,
    /// Tokens per second that such a run is expected to make here, from its operations per token and
    /// the speed of a matrix product measured on the device; `null` if the device is not here.
    #[serde(default)]
    pub expected_tokens_per_second: Option<f64>,
    /// The fewest switches that make it fit where it does not, `--batch-size 1` among them only if it
    /// must; `null` if none are needed or none help.
    pub remedy: Option<Switched>,
    /// The switches that allow the longest context; `null` if it is the longest as asked.
    pub leanest: Option<Switched>,
}

/// The same run with more switches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switched {
    /// The switches, as the command line has them: `--offload-embeddings on`.
    pub switches: Vec<String>,
    /// Bytes when most is held, in the shape asked for.
    pub total_bytes: u64,
    /// Bytes of RAM, in the shape asked for.
    pub offloaded_bytes: u64,
    /// Most tokens per sequence that fit then.
    pub longest_context: Option<usize>,
    /// Whether the model, not the memory, is what stops there.
    pub longest_context_is_the_models: bool,
    /// Bytes of RAM at that context.
    pub longest_context_offloaded_bytes: u64,
}

/// The parts of a total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryParts {
    /// The frozen model.
    pub weights: u64,
    /// The adapter's parameters.
    pub adapter: u64,
    /// Their gradients.
    pub gradients: u64,
    /// The optimizer's moments.
    pub optimizer: u64,
    /// Taps, activations of side network or blocks, hidden states.
    pub activations: u64,
    /// The chunk of logits.
    pub logits: u64,
    /// What exists for one operation, and what the device takes for itself.
    pub workspace: u64,
}

impl MemoryParts {
    /// Names and bytes, in the order they are shown.
    pub fn named(&self) -> [(&'static str, u64); 7] {
        [
            ("weights", self.weights),
            ("adapter", self.adapter),
            ("gradients", self.gradients),
            ("optimizer", self.optimizer),
            ("activations", self.activations),
            ("logits", self.logits),
            ("workspace", self.workspace),
        ]
    }
}

/// A run's memory as it was planned and as it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMemory {
    /// The plan's peak.
    pub estimated_peak_bytes: u64,
    /// What it is made of.
    pub estimated: MemoryParts,
    /// What happens then.
    pub peak_moment: String,
    /// Most bytes at once so far; `null` where allocations are not counted.
    pub measured_peak_bytes: Option<u64>,
    /// What the probe can tell of them.
    pub measured: Option<MeasuredParts>,
    /// What the program held before the model was loaded: the dataset, the tokenizer. Not part of
    /// either peak.
    pub program_bytes: u64,
    /// What the run may take; `null` if it is not known.
    pub available_bytes: Option<u64>,
}

/// Measured parts. Activations, logits and workspace come and go together, and are measured as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredParts {
    /// The frozen model.
    pub weights: u64,
    /// The adapter's parameters.
    pub adapter: u64,
    /// Their gradients.
    pub gradients: u64,
    /// The optimizer's moments.
    pub optimizer: u64,
    /// Everything else at the peak.
    pub rest: u64,
}

/// Whether a run fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// With more than 5 % to spare.
    Fits,
    /// With less.
    Tight,
    /// It needs more than there is.
    DoesNotFit,
}
