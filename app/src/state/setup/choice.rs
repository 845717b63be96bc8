//! Fields of the run config that are chosen, not typed.

use stepladder_protocol::{
    DataFormat, Downsample, Inject, LossOn, Method, Optimizer, Quantize, RunConfig, Switch,
    TapDtype, TooLong, Traces,
};

/// A choice that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "`RunConfig` and `DataOptions` say what each is"
)]
pub enum Choice {
    Method(Method),
    Format(DataFormat),
    Template(String),
    LossOn(LossOn),
    Traces(Traces),
    TooLong(Option<TooLong>),
    Optimizer(Optimizer),
    Downsample(Downsample),
    Inject(Inject),
    Quantize(Quantize),
    Recompute(Option<Switch>),
    TapDtype(TapDtype),
    Switched(Switched, Switch),
}

/// A field that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "`RunConfig` and `DataOptions` say what each is"
)]
pub enum Switched {
    LossOnTraces,
    Packing,
    GroupByLength,
    QuantizeHead,
    DoubleQuantization,
    RankStabilized,
    RecomputeTaps,
    OffloadActivations,
    OffloadEmbeddings,
}

impl Switched {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::LossOnTraces,
        Self::Packing,
        Self::GroupByLength,
        Self::QuantizeHead,
        Self::DoubleQuantization,
        Self::RankStabilized,
        Self::RecomputeTaps,
        Self::OffloadActivations,
        Self::OffloadEmbeddings,
    ];

    /// As `run.json` calls it; a field within another after a dot.
    pub fn key(self) -> &'static str {
        match self {
            Self::LossOnTraces => "data_options.loss_on_traces",
            Self::Packing => "data_options.packing",
            Self::GroupByLength => "group_by_length",
            Self::QuantizeHead => "quantize_head",
            Self::DoubleQuantization => "double_quantization",
            Self::RankStabilized => "rank_stabilized",
            Self::RecomputeTaps => "recompute_taps",
            Self::OffloadActivations => "offload_activations",
            Self::OffloadEmbeddings => "offload_embeddings",
        }
    }

    /// How it stands.
    pub fn of(self, config: &RunConfig) -> Switch {
        // Reading needs no copy of a config that may hold thousands of paths.
        match self {
            Self::LossOnTraces => config.data_options.loss_on_traces,
            Self::Packing => config.data_options.packing,
            Self::GroupByLength => config.group_by_length,
            Self::QuantizeHead => config.quantize_head,
            Self::DoubleQuantization => config.double_quantization,
            Self::RankStabilized => config.rank_stabilized,
            Self::RecomputeTaps => config.recompute_taps,
            Self::OffloadActivations => config.offload_activations,
            Self::OffloadEmbeddings => config.offload_embeddings,
        }
    }

    fn place(self, config: &mut RunConfig) -> &mut Switch {
        match self {
            Self::LossOnTraces => &mut config.data_options.loss_on_traces,
            Self::Packing => &mut config.data_options.packing,
            Self::GroupByLength => &mut config.group_by_length,
            Self::QuantizeHead => &mut config.quantize_head,
            Self::DoubleQuantization => &mut config.double_quantization,
            Self::RankStabilized => &mut config.rank_stabilized,
            Self::RecomputeTaps => &mut config.recompute_taps,
            Self::OffloadActivations => &mut config.offload_activations,
            Self::OffloadEmbeddings => &mut config.offload_embeddings,
        }
    }
}

impl Choice {
    /// Makes it.
    pub fn apply(self, config: &mut RunConfig) {
        let data = &mut config.data_options;
        match self {
            Self::Method(method) => config.method = method,
            Self::Format(format) => {
                data.format = format;
                // Columns are mapped to fields of a format; another has others.
                data.map.clear();
            }
            Self::Template(template) => data.template = template,
            Self::LossOn(loss_on) => data.loss_on = loss_on,
            Self::Traces(traces) => data.traces = traces,
            Self::TooLong(too_long) => data.too_long = too_long,
            Self::Optimizer(optimizer) => config.optimizer = optimizer,
            Self::Downsample(downsample) => config.downsample = downsample,
            Self::Inject(inject) => config.inject = inject,
            Self::Quantize(quantize) => config.quantize = quantize,
            Self::Recompute(recompute) => config.recompute = recompute,
            Self::TapDtype(dtype) => config.tap_dtype = dtype,
            Self::Switched(field, switch) => *field.place(config) = switch,
        }
    }
}
