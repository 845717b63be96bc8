//! Tokens a second of whole steps, with all that a step holds.

use std::time::Duration;

use super::arguments::Variant;
use super::bench::{LoadedModel, fresh_meter, reason};
use super::report::SpeedRow;
use crate::Result;
use crate::models::compute::Compute;
use crate::training::estimate::BatchShape;

/// Times one variant. `held_before` is what the meter counted before the model was loaded.
///
/// # Errors
/// When the run cannot be planned; a run that fails is a row that says so.
pub(super) fn row(
    model: &LoadedModel,
    variant: Variant,
    shape: BatchShape,
    held_before: u64,
    most: Duration,
) -> Result<SpeedRow> {
    let compute = model.backbone.compute();
    let row = SpeedRow {
        planned_peak: model.planned_peak(variant, shape)?,
        ..empty(&model.name, variant, shape, compute)
    };
    let meter = fresh_meter(compute)?;
    let timed = model
        .bench(variant, shape)
        .and_then(|mut bench| bench.time(shape, most));
    Ok(match timed {
        Ok(timed) => SpeedRow {
            steps: timed.steps,
            step_secs: timed.step.as_secs_f64(),
            tokens_per_second: tokens_per_second(shape, timed.step),
            measured_peak: meter.peak_bytes().saturating_sub(held_before),
            reserved_peak: meter.reserved_peak_bytes(),
            ..row
        },
        Err(error) => SpeedRow {
            failed: Some(reason(&error, compute)),
            ..row
        },
    })
}

/// A row without figures.
pub(super) fn empty(
    model: &str,
    (method, recompute): Variant,
    shape: BatchShape,
    compute: &Compute,
) -> SpeedRow {
    SpeedRow {
        model: model.to_owned(),
        method: method.name().to_owned(),
        recompute,
        batch: shape.batch,
        context: shape.seq,
        dtype: format!("{:?}", compute.activations()),
        ..SpeedRow::default()
    }
}

pub(super) fn tokens_per_second(shape: BatchShape, step: Duration) -> f64 {
    (shape.batch * shape.seq) as f64 / step.as_secs_f64().max(1e-9)
}
