//! How fast a run will be here: its operations for each token, by the speed of matrix products on this
//! device, which is measured, and by the part of that speed which a whole step reaches.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use parking_lot::Mutex;
use stepladder_protocol::Method;

use super::case::Case;
use super::operations;
use crate::Result;
use crate::ops::linear::linear;
use crate::ops::token_tiles::TOKEN_TILE;

/// Products are measured for this long at most, but once at least.
const MEASURED_FOR: Duration = Duration::from_millis(250);
/// Wider products are no faster, and take long on a slow processor.
const WIDEST: usize = 1024;

/// Measured speeds by the width of the product. Each is measured once, as far as possible while nothing
/// else computes: a report is asked for before a run, not beside one.
static MEASURED: Mutex<BTreeMap<usize, f64>> = Mutex::new(BTreeMap::new());

/// Operations per second of matrix products as wide as this model.
///
/// # Errors
/// When memory runs out.
pub fn of_products(d_model: usize) -> Result<f64> {
    let width = d_model.clamp(1, WIDEST);
    let mut measured = MEASURED.lock();
    if let Some(speed) = measured.get(&width) {
        return Ok(*speed);
    }
    let speed = measure(width)?;
    measured.insert(width, speed);
    Ok(speed)
}

fn measure(width: usize) -> Result<f64> {
    let x = Tensor::ones((TOKEN_TILE, width), DType::F32, &Device::Cpu)?;
    let weight = Tensor::ones((width, width), DType::F32, &Device::Cpu)?;
    let began = Instant::now();
    let mut best = f64::INFINITY;
    loop {
        let product = Instant::now();
        linear(&x, &weight, None)?;
        let took = product.elapsed();
        best = best.min(took.as_secs_f64());
        if began.elapsed() + took > MEASURED_FOR {
            break;
        }
    }
    Ok((2 * TOKEN_TILE * width * width) as f64 / best.max(1e-9))
}

/// The part of the speed of products that a run reaches: the rest goes into everything that is no
/// product, into padding and evaluations. Fitted once, between the built-in model and a random one of
/// 20 million parameters, on one thread of a machine with AVX-512 while other programs ran; measured for
/// the one and the other: Ladder 0.79 and 0.45, xLadder 0.92 and 0.44, LoRA 0.99 and 0.71, QLoRA 0.92
/// and 0.69. Rows shorter than the context, as the built-in dataset's are, make the first look better.
/// See docs/performance.md.
fn efficiency(method: Method) -> f64 {
    match method {
        Method::Ladder | Method::Xladder => 0.7,
        Method::Lora => 0.85,
        Method::Qlora => 0.8,
    }
}

/// Tokens per second of such a run.
pub(super) fn expected(case: &Case<'_>, operations_per_second: f64) -> Option<f64> {
    let operations = operations::per_token(&case.model.config, &case.resolved);
    let expected = efficiency(case.config.method) * operations_per_second / operations;
    Some(expected).filter(|speed| speed.is_finite() && *speed > 0.0)
}
