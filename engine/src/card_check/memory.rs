//! Plans beside what a card really gave: the cells of `estimate --check`, on the card.

use stepladder_protocol::{Method, Optimizer, Quantize, RunConfig, Switch, TapDtype};

use super::bench::{fresh_meter, reason};
use super::report::MemoryRow;
use crate::Result;
use crate::device::{self, DeviceRequest};
use crate::memory::{DeviceClass, Part};
use crate::models::compute::Compute;
use crate::training::check::{Cell, Measured, RandomModel};

/// Measures one cell.
///
/// # Errors
/// When the cell cannot be planned; one that fails is a row that says so.
pub(super) fn row(cell: &Cell, compute: &Compute, asked: DeviceRequest) -> Result<MemoryRow> {
    let device = DeviceClass::of(compute)?;
    let plan = cell.plan_on(device)?;
    let process_before = process_bytes(asked);
    let meter = fresh_meter(compute)?;
    let measured = cell.measure_on(compute);
    let parts = [
        Part::Weights,
        Part::Adapter,
        Part::Gradients,
        Part::Optimizer,
    ];
    let row = MemoryRow {
        model: model(&cell.model),
        method: method(&cell.config),
        batch: cell.shape.batch,
        context: cell.shape.seq,
        planned_parts: parts.map(|part| plan.part(part)),
        planned_peak: plan.total_bytes - device.outside_bytes(),
        ..MemoryRow::default()
    };
    Ok(match measured {
        Ok(Measured {
            weights,
            adapter,
            gradients,
            optimizer,
            peak,
        }) => MemoryRow {
            measured_parts: [weights, adapter, gradients, optimizer],
            measured_peak: peak,
            reserved_peak: meter.reserved_peak_bytes(),
            process_before,
            process_after: process_bytes(asked),
            ..row
        },
        Err(error) => MemoryRow {
            failed: Some(reason(&error, compute)),
            ..row
        },
    })
}

/// What the card's driver says that this process holds.
fn process_bytes(asked: DeviceRequest) -> Option<u64> {
    let memory = device::card_here(asked)?.memory;
    let used = memory.total_bytes.checked_sub(memory.free_bytes)?;
    used.checked_sub(memory.others_bytes)
}

fn model(model: &RandomModel) -> String {
    let millions = model.parameters() as f64 / 1e6;
    format!("{millions:.0} M, {} × {}", model.layers, model.d_model)
}

/// The method and what is switched on.
fn method(config: &RunConfig) -> String {
    let mut words = vec![config.method.name()];
    if config.quantize == Quantize::Nf4 && config.method != Method::Qlora {
        words.push("NF4");
    }
    let switches = [
        (config.recompute == Some(Switch::On), "recompute"),
        (config.recompute_taps == Switch::On, "taps again"),
        (config.quantize_head == Switch::On, "head in NF4"),
        (config.optimizer == Optimizer::AdamW8bit, "8-bit AdamW"),
        (config.tap_dtype == TapDtype::Bf16, "bf16 taps"),
        (config.tap_dtype == TapDtype::F16, "f16 taps"),
    ];
    words.extend(switches.iter().filter(|(on, _)| *on).map(|(_, word)| word));
    words.join(", ")
}
