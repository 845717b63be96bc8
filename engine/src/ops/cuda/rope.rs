//! [`crate::ops::rope`] on the card: a block of threads per token.

use candle_core::{Result, Tensor, bail};

use super::launch::kernels;
use super::{Argument, Grid, Kernels, device_of, kernel, type_name};
use crate::ops::rope::{Angles, Rotation};

const KERNELS: Kernels = kernels!("rope");
const THREADS: u32 = 256;

/// As its twin.
pub fn rotate(x: &Tensor, head_dim: usize, angles: &Angles, rotation: Rotation) -> Result<()> {
    let (tokens, width) = x.dims2()?;
    let half = angles.half();
    let table = angles.on_card(x.device())?;
    let fits = table.dims() == [2, tokens, half];
    if !fits || 2 * half > head_dim || !width.is_multiple_of(head_dim) {
        bail!("angles do not fit {tokens} tokens with heads of {head_dim}");
    }
    let sign = match rotation {
        Rotation::Forward => 1.0,
        Rotation::Backward => -1.0,
    };
    let name = format!("rotate_{}", type_name(x.dtype())?);
    kernel(device_of(x)?, KERNELS, &name)?.launch(
        Grid::rows(tokens, THREADS)?,
        &[
            Argument::Tensor(x),
            Argument::Tensor(&table.get(0)?),
            Argument::Tensor(&table.get(1)?),
            Argument::size(width)?,
            Argument::size(head_dim)?,
            Argument::size(half)?,
            Argument::F32(sign),
        ],
    )
}
