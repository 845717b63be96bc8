//! Owns the differentiable functions that would dominate the step if each were a chain of
//! elementwise tensor operations: causal softmax, RMSNorm, rotary positions, SwiGLU, and the
//! cross-entropy at the end. CPU, f32, contiguous inputs. `gradient_check` compares each one
//! with finite differences before training starts.

mod cross_entropy;
mod rms_norm;
mod rotary;
mod softmax;
mod swiglu;

pub use cross_entropy::cross_entropy;
pub use rms_norm::rms_norm;
pub use rotary::rotary;
pub use softmax::{Visibility, causal_softmax};
pub use swiglu::swiglu;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a fused operation needs contiguous inputs"),
    }
}

/// Reads the numbers of a CPU tensor without copying a contiguous one.
fn read<T>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => work(floats(storage, layout)?),
        _ => bail!("a fused operation runs on the CPU only"),
    }
}
