//! What [`super::swiglu`] and [`super::geglu`] share: a thread per number.

use candle_core::{Result, Tensor};

use super::{Argument, Grid, Kernels, device_of, fresh, kernel, same_kind, type_name};

/// `act(gate) * up`.
pub(super) fn forward(
    kernels: Kernels,
    operation: &str,
    gate: &Tensor,
    up: &Tensor,
) -> Result<Tensor> {
    same_kind("what is gated:", up, gate)?;
    let y = fresh(gate, gate.shape())?;
    start(kernels, operation, &[gate, up, &y])?;
    Ok(y)
}

/// Gradients with respect to `gate` and `up`.
pub(super) fn backward(
    kernels: Kernels,
    operation: &str,
    gate: &Tensor,
    up: &Tensor,
    grad: &Tensor,
) -> Result<(Tensor, Tensor)> {
    same_kind("what is gated:", up, gate)?;
    same_kind("a gradient", grad, gate)?;
    let (d_gate, d_up) = (fresh(gate, gate.shape())?, fresh(gate, gate.shape())?);
    start(kernels, operation, &[gate, up, grad, &d_gate, &d_up])?;
    Ok((d_gate, d_up))
}

/// A kernel whose arguments are tensors of one shape and type, and how many numbers each has.
pub(super) fn start(kernels: Kernels, operation: &str, tensors: &[&Tensor]) -> Result<()> {
    let first = tensors[0];
    let name = format!("{operation}_{}", type_name(first.dtype())?);
    let count = first.elem_count();
    let tensors = tensors.iter().map(|tensor| Argument::Tensor(tensor));
    let arguments: Vec<Argument<'_>> = tensors.chain([Argument::U64(count as u64)]).collect();
    kernel(device_of(first)?, kernels, &name)?.launch(Grid::elements(count)?, &arguments)
}
