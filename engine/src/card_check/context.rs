//! The longest context that fits a card of a given size, played by the card at hand: what it has beyond
//! that is taken by a ballast beforehand, so the driver refuses what a smaller card would refuse.
//! Where there is no card, what the allocator counts is held against the limit.

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};

use super::arguments::Variant;
use super::bench::{LoadedModel, fresh_meter, has_no_room, reason};
use super::report::ContextRow;
use super::speed::tokens_per_second;
use crate::Result;
use crate::memory::limits::largest;
use crate::memory::{DeviceClass, Meter};
use crate::models::compute::Compute;
use crate::training::estimate::BatchShape;

/// Contexts are tried in multiples of this.
const UNIT: usize = 64;
/// A context is found when the next longer one that was refused is this part longer.
const CLOSE: usize = 50;
/// Contexts that are tried, at most.
const TRIED: usize = 7;
/// Up to here a plan does not grow evenly.
const UNEVEN: usize = 512;
/// A tensor's bytes, at most.
const BALLAST_BYTES: u64 = 8 << 30;

/// What may be used.
pub(super) struct Room {
    /// Memory of the simulated card.
    pub(super) limit_bytes: u64,
    /// What the meter counted before the model was loaded.
    pub(super) held_before: u64,
    /// When it must be done.
    pub(super) until: Option<Instant>,
}

/// Finds the longest context of one variant.
///
/// # Errors
/// When the card refuses the ballast; a run that fails otherwise than for room is a row that says so.
pub(super) fn row(
    model: &LoadedModel,
    variant: Variant,
    batch: usize,
    room: &Room,
) -> Result<ContextRow> {
    let compute = model.backbone.compute();
    let meter = fresh_meter(compute)?;
    let own_bytes = own_bytes(compute, &meter)?;
    let planned = longest_planned(model, variant, batch, room.limit_bytes);
    let mut row = ContextRow {
        model: model.name.clone(),
        method: variant.0.name().to_owned(),
        recompute: variant.1,
        batch,
        limit_bytes: room.limit_bytes,
        own_bytes,
        planned,
        ..ContextRow::default()
    };
    let allowed = room.limit_bytes.saturating_sub(own_bytes);
    let used = meter.current_bytes().saturating_sub(room.held_before);
    let ballast = ballast(compute, allowed.saturating_sub(used))?;
    let with_ballast = meter.current_bytes();
    let held = with_ballast - used;
    let mut search = Search::beginning_at(planned.unwrap_or(UNIT));
    let mut last: Option<(usize, Duration)> = None;
    while let Some(seq) = search.next() {
        if row.tried.len() >= TRIED || is_too_late(room.until, last, seq) {
            break;
        }
        row.tried.push(seq);
        let shape = BatchShape { batch, seq };
        let meter = fresh_meter(compute)?;
        let began = Instant::now();
        let step = { model.bench(variant, shape) }.and_then(|mut bench| bench.step(shape, 0));
        let peak = meter.peak_bytes().saturating_sub(held);
        match step {
            Ok(step) if peak <= allowed => {
                row.longest = Some(seq);
                row.measured_peak = peak + own_bytes;
                row.planned_peak = model.plan(variant, shape)?.total_bytes;
                row.tokens_per_second = tokens_per_second(shape, step);
                search.fits(seq);
            }
            Ok(_) => search.is_refused(seq),
            Err(error) if has_no_room(&error, compute) => search.is_refused(seq),
            Err(error) => {
                row.failed = Some(reason(&error, compute));
                break;
            }
        }
        last = Some((seq, began.elapsed()));
    }
    row.refused = search.refused;
    drop(ballast);
    Ok(row)
}

/// The longest context whose plan is within the limit.
fn longest_planned(
    model: &LoadedModel,
    variant: Variant,
    batch: usize,
    limit_bytes: u64,
) -> Option<usize> {
    let most = model.backbone.config().max_positions;
    largest(2..=most, UNEVEN, |seq| {
        let plan = model.plan(variant, BatchShape { batch, seq });
        plan.is_ok_and(|plan| plan.total_bytes <= limit_bytes)
    })
}

/// What this process takes of the card beside tensors. Where the driver does not tell it, everything
/// that the pool does not have, other programs' memory included.
fn own_bytes(compute: &Compute, meter: &Meter) -> Result<u64> {
    if compute.device().is_cpu() {
        return Ok(DeviceClass::of(compute)?.outside_bytes());
    }
    Ok(match (compute.own_bytes(), compute.memory()?) {
        (Some(bytes), _) => bytes,
        (None, (Some(total), Some(free))) => {
            let pool = meter.reserved_peak_bytes().unwrap_or(0);
            total.saturating_sub(free).saturating_sub(pool)
        }
        _ => 0,
    })
}

/// Takes everything of a card but this.
fn ballast(compute: &Compute, left: u64) -> Result<Vec<Tensor>> {
    let mut ballast = Vec::new();
    if let Device::Cpu = compute.device() {
        return Ok(ballast);
    }
    let free = compute.memory()?.1.unwrap_or(0);
    let mut take = free.saturating_sub(left);
    while take > 0 {
        let bytes = take.min(BALLAST_BYTES);
        ballast.push(Tensor::zeros(bytes as usize, DType::U8, compute.device())?);
        take -= bytes;
    }
    Ok(ballast)
}

/// Whether the next context would take too long, by what the last one took: attention grows with the
/// square.
fn is_too_late(until: Option<Instant>, last: Option<(usize, Duration)>, seq: usize) -> bool {
    let Some(until) = until else { return false };
    let expected = last.map_or(Duration::ZERO, |(tokens, took)| {
        let longer = seq as f64 / tokens as f64;
        took.mul_f64((longer * longer).max(1.0))
    });
    Instant::now() + expected > until
}

/// Contexts between the longest that fits and the shortest that does not.
struct Search {
    next: Option<usize>,
    longest: Option<usize>,
    refused: Option<usize>,
}

impl Search {
    fn beginning_at(tokens: usize) -> Self {
        Self {
            next: Some(in_units(tokens)),
            longest: None,
            refused: None,
        }
    }

    fn next(&self) -> Option<usize> {
        self.next
    }

    fn fits(&mut self, tokens: usize) {
        self.longest = Some(tokens);
        self.decide();
    }

    fn is_refused(&mut self, tokens: usize) {
        self.refused = Some(tokens);
        self.decide();
    }

    fn decide(&mut self) {
        self.next = match (self.longest, self.refused) {
            // 6 % further each time, and as much back.
            (Some(fits), None) => Some(in_units(fits + fits / 16).max(fits + UNIT)),
            (None, Some(refused)) => match in_units(refused - refused / 16).min(refused - UNIT) {
                0 => None,
                shorter => Some(shorter),
            },
            (Some(fits), Some(refused)) => {
                let middle = in_units(fits + (refused - fits) / 2);
                let is_close = refused - fits <= (fits / CLOSE).max(UNIT);
                (!is_close && middle > fits).then_some(middle)
            }
            (None, None) => None,
        };
    }
}

fn in_units(tokens: usize) -> usize {
    (tokens / UNIT * UNIT).max(UNIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_found_in_a_few_tries() {
        for (planned, limit) in [
            (20_000, 20_000),
            (20_000, 21_500),
            (20_000, 18_700),
            (100, 130),
        ] {
            let mut search = Search::beginning_at(planned);
            let mut tried = 0;
            while let Some(tokens) = search.next() {
                match tokens <= limit {
                    true => search.fits(tokens),
                    false => search.is_refused(tokens),
                }
                tried += 1;
            }
            let longest = search.longest.unwrap();
            assert!(
                longest <= limit && limit - longest <= limit / 40 + UNIT,
                "{longest} of {limit}"
            );
            assert!(tried <= TRIED, "{tried} tries for {limit}");
        }
        let mut search = Search::beginning_at(128);
        search.is_refused(128);
        search.is_refused(64);
        assert_eq!(search.next(), None);
    }
}
