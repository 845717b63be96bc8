//! The report on a model: what each method takes, how far it can go, and what follows from that.

use stepladder_protocol::{
    MemoryParts, MemoryReport, Method, MethodEstimate, RunConfig, Switched, Verdict,
};

use super::case::Case;
use super::speed::expected;
use super::{BatchShape, EstimatedModel};
use crate::memory::limits::{smallest_card, verdict};
use crate::memory::remedies::{Remedy, fewest, furthest};
use crate::memory::{DeviceClass, Item, MemoryPlan, Part, advice};
use crate::{Error, Result};

/// What a report is asked for.
#[derive(Clone, Copy, Debug)]
pub struct ReportRequest<'a> {
    /// The run; its method counts only where `methods` is empty.
    pub config: &'a RunConfig,
    /// The methods.
    pub methods: &'a [Method],
    /// Where it would run.
    pub device: DeviceClass,
    /// The memory there, if it is known.
    pub memory_bytes: Option<u64>,
    /// What other programs take of it.
    pub other_programs_bytes: u64,
    /// Operations per second of matrix products there, if it is here.
    pub operations_per_second: Option<f64>,
}

/// What runs with these methods take on a model. Of several methods, one that the config
/// contradicts is left out, and the report says so.
///
/// # Errors
/// When the config cannot be, whatever the method.
pub fn report(model: &EstimatedModel, request: ReportRequest<'_>) -> Result<MemoryReport> {
    let own = [request.config.method];
    let methods = match request.methods {
        [] => &own,
        methods => methods,
    };
    let available = request
        .memory_bytes
        .map(|memory| memory.saturating_sub(request.other_programs_bytes));
    let (mut estimates, mut refusals) = (Vec::new(), Vec::new());
    let mut context = 0;
    for &method in methods {
        let config = RunConfig {
            method,
            ..request.config.clone()
        };
        match Case::new(model, request.device, config) {
            Ok(case) => {
                context = case.resolved.context;
                estimates.push(estimated(&case, available, &request));
            }
            Err(error) => refusals.push((method, error)),
        }
    }
    if estimates.is_empty() && !refusals.is_empty() {
        return Err(refusals.remove(0).1);
    }
    let mut report = MemoryReport {
        model: model.name.clone(),
        parameters: model.config.parameters() as u64,
        weight_dtype: model.stored_name(),
        device: request.device.name.to_owned(),
        context,
        batch_size: request.config.batch_size,
        memory_bytes: request.memory_bytes,
        other_programs_bytes: request.other_programs_bytes,
        constants_measured: request.device.constant_is_measured,
        methods: estimates,
        advice: Vec::new(),
    };
    report.advice = advice::sentences(&report);
    report.advice.extend(refusals.iter().map(left_out));
    Ok(report)
}

fn left_out((method, error): &(Method, Error)) -> String {
    let reason = match error {
        Error::ConfigInvalid { field, problem, .. } if problem.starts_with("is ") => {
            format!("--{} {problem}", field.replace('_', "-"))
        }
        error => error.to_string(),
    };
    format!("{} is left out: {reason}.", method.title())
}

fn estimated(
    case: &Case<'_>,
    available: Option<u64>,
    request: &ReportRequest<'_>,
) -> MethodEstimate {
    let plan = case.plan(case.asked());
    let verdict = available.map(|available| verdict(plan.total_bytes, available));
    let longest_context = available.and_then(|available| case.longest_context(available));
    let is_the_models = |context| context == Some(case.model.config.max_positions);
    let remedy = available
        .filter(|available| plan.total_bytes > *available)
        .and_then(|available| remedy(case, available));
    let leanest = available
        .filter(|_| !is_the_models(longest_context))
        .and_then(|available| leanest(case, available, longest_context));
    MethodEstimate {
        method: case.config.method,
        total_bytes: plan.total_bytes,
        peak_moment: plan.peak_moment.to_owned(),
        parts: parts(&plan),
        breakdown: Item::ALL
            .into_iter()
            .map(|item| (item.name().to_owned(), plan.item(item)))
            .filter(|(_, bytes)| *bytes > 0)
            .collect(),
        fits: verdict.map(|verdict| verdict != Verdict::DoesNotFit),
        verdict,
        longest_context,
        longest_context_is_the_models: is_the_models(longest_context),
        largest_batch: available.and_then(|available| case.largest_batch(available)),
        largest_rank: available.and_then(|available| case.largest_rank(available)),
        largest_d_side: available.and_then(|available| case.largest_d_side(available)),
        smallest_card_bytes: match case.device.has_own_memory {
            true => smallest_card(plan.total_bytes, request.other_programs_bytes),
            false => None,
        },
        offloaded_bytes: plan.offloaded_bytes,
        weights_kept_as: case.model.kept_as(case.resolved.quantization),
        trainable_parameters: case.resolved.shape.parameters() as u64,
        expected_tokens_per_second: { request.operations_per_second }
            .and_then(|speed| expected(case, speed)),
        remedy,
        leanest,
    }
}

/// A plan's parts, as they are shown.
pub fn parts(plan: &MemoryPlan) -> MemoryParts {
    MemoryParts {
        weights: plan.part(Part::Weights),
        adapter: plan.part(Part::Adapter),
        gradients: plan.part(Part::Gradients),
        optimizer: plan.part(Part::Optimizer),
        activations: plan.part(Part::Activations),
        logits: plan.part(Part::Logits),
        workspace: plan.part(Part::Workspace),
    }
}

fn with<'a>(case: &Case<'a>, remedies: &[Remedy]) -> Result<Case<'a>> {
    case.with(Remedy::applied(remedies, &case.config))
}

/// The fewest switches with which the context fits: with the micro-batch as asked if that can be,
/// otherwise with one of a single row.
fn remedy(case: &Case<'_>, available: u64) -> Option<Switched> {
    let bytes = |remedies: &[Remedy]| {
        with(case, remedies).map_or(u64::MAX, |case| case.plan(case.asked()).total_bytes)
    };
    let order = Remedy::of(case.config.method);
    let remedies = fewest(order, available, bytes).or_else(|| {
        let order: Vec<Remedy> = [&[Remedy::OneRow], order].concat();
        fewest(&order, available, bytes)
    })?;
    switched(case, &remedies, available)
}

/// The switches that allow the longest context, if they allow a longer one.
fn leanest(case: &Case<'_>, available: u64, without: Option<usize>) -> Option<Switched> {
    let reach = |remedies: &[Remedy]| with(case, remedies).ok()?.longest_context(available);
    let (remedies, context) = furthest(Remedy::of(case.config.method), reach)?;
    match context > without.unwrap_or(0) {
        true => switched(case, &remedies, available),
        false => None,
    }
}

fn switched(case: &Case<'_>, remedies: &[Remedy], available: u64) -> Option<Switched> {
    let case = with(case, remedies).ok()?;
    let plan = case.plan(case.asked());
    let longest_context = case.longest_context(available);
    let at_longest = longest_context.map_or(0, |seq| {
        let batch = case.config.batch_size;
        case.plan(BatchShape { batch, seq }).offloaded_bytes
    });
    Some(Switched {
        switches: remedies
            .iter()
            .map(|remedy| remedy.flag().to_owned())
            .collect(),
        total_bytes: plan.total_bytes,
        offloaded_bytes: plan.offloaded_bytes,
        longest_context,
        longest_context_is_the_models: longest_context == Some(case.model.config.max_positions),
        longest_context_offloaded_bytes: at_longest,
    })
}
