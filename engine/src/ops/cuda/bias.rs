//! The bias of linear maps on the card.

use candle_core::{DType, Result, Tensor, bail};

use super::launch::kernels;
use super::{Argument, Grid, Kernels, device_of, kernel, type_name};

const KERNELS: Kernels = kernels!("bias");

/// Adds `bias` `[outputs]` of f32 to each row of `out` `[tokens, outputs]`.
pub fn add_bias(out: &Tensor, bias: &Tensor) -> Result<()> {
    let (tokens, outputs) = out.dims2()?;
    if bias.dims() != [outputs] || bias.dtype() != DType::F32 {
        bail!("bias {bias:?} for {outputs} outputs");
    }
    let name = format!("add_bias_{}", type_name(out.dtype())?);
    kernel(device_of(out)?, KERNELS, &name)?.launch(
        Grid::rows(tokens, 256)?,
        &[
            Argument::Tensor(out),
            Argument::Tensor(bias),
            Argument::size(outputs)?,
        ],
    )
}

/// As [`crate::ops::linear::accumulate_bias_gradient`]; the sums are f32.
pub fn accumulate_bias_gradient(bias_gradient: &Tensor, grad: &Tensor) -> Result<()> {
    let (tokens, outputs) = grad.dims2()?;
    if bias_gradient.dims() != [outputs] || bias_gradient.dtype() != DType::F32 {
        bail!("bias gradient {bias_gradient:?} for {outputs} outputs");
    }
    let name = format!("accumulate_bias_gradient_{}", type_name(grad.dtype())?);
    kernel(device_of(grad)?, KERNELS, &name)?.launch(
        Grid::of((outputs.div_ceil(32), 1, 1), 1024)?,
        &[
            Argument::Tensor(bias_gradient),
            Argument::Tensor(grad),
            Argument::size(tokens)?,
            Argument::size(outputs)?,
        ],
    )
}
