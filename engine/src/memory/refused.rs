//! Whether a failed operation failed because a card had no more room.

use crate::models::compute::Compute;

/// What a card refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Bytes that were asked for, where that is known.
    pub asked: Option<u64>,
    /// Bytes that were free.
    pub free: u64,
}

/// What driver and cuBLAS call it.
const NAMES: [&str; 2] = ["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED"];

impl Refused {
    /// Of an operation there; none if it failed for another reason.
    pub fn of(error: &candle_core::Error, compute: &Compute) -> Option<Self> {
        let text = format!("{error:?}");
        if compute.device().is_cpu() || !NAMES.iter().any(|name| text.contains(name)) {
            return None;
        }
        let free = compute.memory().ok()?.1.unwrap_or(0);
        #[cfg(feature = "cuda")]
        let asked = crate::ops::cuda::last_refused_bytes();
        #[cfg(not(feature = "cuda"))]
        let asked = None;
        Some(Self { asked, free })
    }
}
