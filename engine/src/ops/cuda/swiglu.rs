//! [`crate::ops::swiglu`] on the card.

use candle_core::{Result, Tensor};

use super::launch::kernels;
use super::{Kernels, fresh, gated, same_kind};

const KERNELS: Kernels = kernels!("swiglu");

/// As its twin.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gated::forward(KERNELS, "swiglu", gate, up)
}

/// As its twin.
pub fn swiglu_backward(gate: &Tensor, up: &Tensor, grad: &Tensor) -> Result<(Tensor, Tensor)> {
    gated::backward(KERNELS, "swiglu_backward", gate, up, grad)
}

/// As its twin.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    let y = fresh(x, x.shape())?;
    gated::start(KERNELS, "silu", &[x, &y])?;
    Ok(y)
}

/// As its twin.
pub fn silu_backward(x: &Tensor, grad: &Tensor) -> Result<Tensor> {
    same_kind("a gradient", grad, x)?;
    let dx = fresh(x, x.shape())?;
    gated::start(KERNELS, "silu_backward", &[x, grad, &dx])?;
    Ok(dx)
}
