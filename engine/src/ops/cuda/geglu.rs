//! [`crate::ops::geglu`] on the card.

use candle_core::{Result, Tensor};

use super::launch::kernels;
use super::{Kernels, gated};

const KERNELS: Kernels = kernels!("geglu");

/// As its twin.
pub fn geglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gated::forward(KERNELS, "geglu", gate, up)
}

/// As its twin.
pub fn geglu_backward(gate: &Tensor, up: &Tensor, grad: &Tensor) -> Result<(Tensor, Tensor)> {
    gated::backward(KERNELS, "geglu_backward", gate, up, grad)
}
