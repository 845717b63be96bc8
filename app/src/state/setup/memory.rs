//! The memory card: what the engine plans for each method, and the ways out where it is too much.

use stepladder_protocol::{
    ErrorReport, MemoryReport, Method, MethodEstimate, Optimizer, Quantize, RunConfig, Switch,
    TapDtype, Verdict,
};

use super::field::Field;

/// The methods, in the order in which they are offered.
pub const METHODS: [Method; 4] = [Method::Ladder, Method::Xladder, Method::Qlora, Method::Lora];

/// What is known of the memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// The latest report.
    pub report: Option<MemoryReport>,
    /// Why there is none.
    pub problem: Option<ErrorReport>,
    /// What would make the chosen method fit, or what fits instead.
    pub ways_out: Vec<WayOut>,
}

/// Something that would make it fit, to be taken with a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayOut {
    /// Switches that save memory, and what the run takes then.
    Savings(Vec<Saving>, u64),
    /// A smaller micro-batch.
    Batch(usize),
    /// A shorter context.
    Context(usize),
    /// Another method, and what that takes.
    Method(Method, u64),
}

/// A switch that saves memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "`RunConfig` says what each is")]
pub enum Saving {
    OneRow,
    NoAnswers,
    Recompute,
    RecomputeTaps,
    NarrowTaps,
    NarrowMoments,
    OffloadEmbeddings,
    OffloadActivations,
    QuantizeHead,
    QuantizeModel,
}

impl Saving {
    /// From the flag that the engine's report names; none for one that is not known here.
    fn of_flag(flag: &str) -> Option<Self> {
        Some(match flag {
            "--batch-size 1" => Self::OneRow,
            "--sample-answers 0" => Self::NoAnswers,
            "--recompute on" => Self::Recompute,
            "--recompute-taps on" => Self::RecomputeTaps,
            "--tap-dtype bf16" => Self::NarrowTaps,
            "--optimizer adamw-8bit" => Self::NarrowMoments,
            "--offload-embeddings on" => Self::OffloadEmbeddings,
            "--offload-activations on" => Self::OffloadActivations,
            "--quantize-head on" => Self::QuantizeHead,
            "--quantize nf4" => Self::QuantizeModel,
            _ => return None,
        })
    }

    fn apply(self, config: &mut RunConfig) {
        match self {
            Self::OneRow => config.batch_size = 1,
            Self::NoAnswers => config.sample_answers = 0,
            Self::Recompute => config.recompute = Some(Switch::On),
            Self::RecomputeTaps => config.recompute_taps = Switch::On,
            Self::NarrowTaps => config.tap_dtype = TapDtype::Bf16,
            Self::NarrowMoments => config.optimizer = Optimizer::AdamW8bit,
            Self::OffloadEmbeddings => config.offload_embeddings = Switch::On,
            Self::OffloadActivations => config.offload_activations = Switch::On,
            Self::QuantizeHead => config.quantize_head = Switch::On,
            Self::QuantizeModel => config.quantize = Quantize::Nf4,
        }
    }
}

impl WayOut {
    /// Takes it. Answers the typed fields that it changed.
    pub(super) fn take(&self, config: &mut RunConfig) -> &'static [Field] {
        match self {
            Self::Savings(savings, _) => {
                savings.iter().for_each(|saving| saving.apply(config));
                &[Field::BatchSize, Field::SampleAnswers]
            }
            Self::Batch(batch) => {
                config.batch_size = *batch;
                &[Field::BatchSize]
            }
            Self::Context(context) => {
                config.context = Some(*context);
                &[Field::Context]
            }
            Self::Method(method, _) => {
                config.method = *method;
                &[]
            }
        }
    }
}

impl Memory {
    /// The estimate of a method.
    pub fn of(&self, method: Method) -> Option<&MethodEstimate> {
        let methods = &self.report.as_ref()?.methods;
        methods.iter().find(|estimate| estimate.method == method)
    }

    /// Finds the ways out again, for what the config has now.
    pub(super) fn look_for_ways_out(&mut self, config: &RunConfig) {
        self.ways_out = match (&self.report, self.of(config.method)) {
            (Some(report), Some(chosen)) => ways_out(report, chosen, config),
            _ => Vec::new(),
        };
    }
}

/// The ways out, the least harmful first; none where none is needed.
fn ways_out(report: &MemoryReport, chosen: &MethodEstimate, config: &RunConfig) -> Vec<WayOut> {
    let mut ways = Vec::new();
    if chosen.verdict != Some(Verdict::DoesNotFit) {
        return ways;
    }
    // The steps stay what they are: only a divisor of the effective batch size is offered.
    let batch = chosen.largest_batch.and_then(|largest| {
        let largest = largest.min(config.batch_size.saturating_sub(1));
        let divides = |batch: &usize| config.effective_batch_size.is_multiple_of(*batch);
        (1..=largest).rev().find(divides)
    });
    ways.extend(batch.map(WayOut::Batch));
    if let Some(remedy) = &chosen.remedy {
        let savings: Option<Vec<Saving>> = { remedy.switches.iter() }
            .map(|flag| Saving::of_flag(flag))
            .collect();
        let says_more = |savings: &Vec<Saving>| batch.is_none() || savings != &[Saving::OneRow];
        let savings = savings.filter(|savings| !savings.is_empty() && says_more(savings));
        ways.extend(savings.map(|savings| WayOut::Savings(savings, remedy.total_bytes)));
    }
    let context = chosen
        .longest_context
        .filter(|context| *context < report.context);
    ways.extend(context.map(WayOut::Context));
    let others = METHODS.into_iter().filter_map(|method| {
        let other = report.methods.iter().find(|other| other.method == method)?;
        let fits = matches!(other.verdict, Some(Verdict::Fits | Verdict::Tight));
        fits.then_some(WayOut::Method(method, other.total_bytes))
    });
    ways.extend(others);
    ways
}

/// The config with only what its memory depends on: what the question is asked again for.
pub(super) fn relevant(config: &RunConfig) -> RunConfig {
    let usual = RunConfig::default();
    RunConfig {
        data: Vec::new(),
        data_fingerprints: Vec::new(),
        data_options: usual.data_options,
        method: usual.method,
        epochs: usual.epochs,
        group_by_length: usual.group_by_length,
        steps: None,
        learning_rate: None,
        warmup_fraction: usual.warmup_fraction,
        final_learning_rate_fraction: usual.final_learning_rate_fraction,
        weight_decay: usual.weight_decay,
        clip_norm: None,
        seed: usual.seed,
        quantized_copy: None,
        held_out_fraction: usual.held_out_fraction,
        // One answer after the other: how many there are does not matter.
        sample_answers: config.sample_answers.min(1),
        evaluate_every: None,
        checkpoint_every: None,
        checkpoint_minutes: usual.checkpoint_minutes,
        early_stopping_patience: usual.early_stopping_patience,
        ..config.clone()
    }
}
