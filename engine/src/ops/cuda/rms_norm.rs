//! [`crate::ops::rms_norm`] on the card: a block of threads per row.

use candle_core::{D, Result, Tensor, bail};

use super::launch::kernels;
use super::{Argument, Grid, Kernels, device_of, fresh, kernel, type_name};

const KERNELS: Kernels = kernels!("rms_norm");
const THREADS: u32 = 256;

/// As its twin.
pub fn rms_norm(x: &Tensor, weight: Option<&Tensor>, eps: f64) -> Result<Tensor> {
    let (rows, width) = rows(x, weight)?;
    let y = fresh(x, x.shape())?;
    let name = format!("rms_norm_{}", type_name(x.dtype())?);
    kernel(device_of(x)?, KERNELS, &name)?.launch(
        Grid::rows(rows, THREADS)?,
        &[
            Argument::Tensor(x),
            Argument::maybe(weight),
            Argument::Tensor(&y),
            Argument::size(width)?,
            Argument::F32(eps as f32),
        ],
    )?;
    Ok(y)
}

/// As its twin.
pub fn rms_norm_backward(
    x: &Tensor,
    weight: Option<&Tensor>,
    eps: f64,
    grad: &Tensor,
) -> Result<Tensor> {
    let (rows, width) = rows(x, weight)?;
    if grad.shape() != x.shape() || grad.dtype() != x.dtype() {
        bail!("gradient {:?} for x {:?}", grad.shape(), x.shape());
    }
    let dx = fresh(x, x.shape())?;
    let name = format!("rms_norm_backward_{}", type_name(x.dtype())?);
    kernel(device_of(x)?, KERNELS, &name)?.launch(
        Grid::rows(rows, THREADS)?,
        &[
            Argument::Tensor(x),
            Argument::maybe(weight),
            Argument::Tensor(grad),
            Argument::Tensor(&dx),
            Argument::size(width)?,
            Argument::F32(eps as f32),
        ],
    )?;
    Ok(dx)
}

fn rows(x: &Tensor, weight: Option<&Tensor>) -> Result<(usize, usize)> {
    let width = x.dim(D::Minus1)?;
    if let Some(weight) = weight
        && (weight.dims() != [width] || weight.dtype() != candle_core::DType::F32)
    {
        bail!("norm weight {weight:?} for width {width}");
    }
    Ok((x.elem_count() / width.max(1), width))
}
