//! Cards that this process computes on. Each is opened once, and all jobs share it: its context, its
//! libraries and the kernels that were loaded.

use std::collections::BTreeMap;

use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::cublas::sys;
use candle_core::{DType, Device, Error, Result};
use parking_lot::Mutex;

use super::matmul::{Factor, matmul};
use super::pool::Pool;
use super::{capability, zeros};
use crate::ops::cpu::Output;

static OPENED: Mutex<BTreeMap<usize, Opened>> = Mutex::new(BTreeMap::new());

/// One of them.
#[derive(Clone)]
struct Opened {
    device: Device,
    /// Bytes of the card that no tensor has: context, libraries, kernels. None where it is not known.
    own_bytes: Option<u64>,
}

/// The card of this number. `used_bytes` tells how much of it is in use by anyone, where that is known.
///
/// # Errors
/// When the driver or cuBLAS refuses.
pub fn opened(number: usize, used_bytes: impl Fn() -> Option<u64>) -> Result<Device> {
    let mut all = OPENED.lock();
    if let Some(opened) = all.get(&number) {
        return Ok(opened.device.clone());
    }
    let before = used_bytes();
    let device = Device::new_cuda_with_stream(number)?;
    let card = device.as_cuda_device()?;
    prepare(card)?;
    let reserved = Pool::of(card)?.reserved_bytes();
    let own_bytes = before
        .zip(used_bytes())
        .map(|(before, after)| after.saturating_sub(before).saturating_sub(reserved))
        .filter(|bytes| *bytes > 0);
    let opened = Opened {
        device: device.clone(),
        own_bytes,
    };
    all.insert(number, opened);
    Ok(device)
}

/// Bytes that a card takes for context, libraries and kernels in this process; none where it is not
/// known.
pub fn own_bytes(device: &CudaDevice) -> Option<u64> {
    let number = device.cuda_stream().context().ordinal();
    OPENED.lock().get(&number)?.own_bytes
}

fn prepare(card: &CudaDevice) -> Result<()> {
    // SAFETY: everything runs on the device's one stream, in order, so no tensor is read before it is
    // written or given back before it was read.
    unsafe { card.disable_event_tracking() };
    Pool::of(card)?.keep_what_is_given_back()?;
    let exact = sys::cublasMath_t::CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    // SAFETY: the handle is the device's and lives as long as it.
    unsafe { sys::cublasSetMathMode(*card.cublas_handle().handle(), exact) }
        .result()
        .map_err(Error::wrap)?;
    // cuBLAS takes its workspace at its first product.
    let narrow = match capability(card)? {
        (8.., _) => DType::BF16,
        _ => DType::F16,
    };
    let device = Device::Cuda(card.clone());
    for dtype in [DType::F32, narrow] {
        let x = zeros((64, 64), dtype, &device)?;
        let product = zeros((64, 64), dtype, &device)?;
        let (x, to) = (Factor::row_major(&x, 64), Factor::row_major(&product, 64));
        matmul((64, 64, 64), to, x, x, 1.0, Output::Overwrite)?;
    }
    device.synchronize()
}
