//! [`crate::ops::frozen_linear`] on the card: rows of the weight are widened to the type of the
//! activations, a tile at a time, and multiplied by cuBLAS.

use candle_core::{DType, Result, Tensor};

use super::bias::add_bias;
use super::frozen_matrix::for_tiles;
use super::matmul::{Factor, matmul};
use crate::ops::cpu::Output;
use crate::ops::elementwise::to_type;
use crate::ops::frozen_matrix::FrozenMatrix;

/// `output = x W^T + b`. `x` is rounded to `computes_in` if it is wider; `output` has that type, or is
/// f32.
pub fn forward_into(
    weight: &FrozenMatrix,
    bias: Option<&Tensor>,
    computes_in: DType,
    x: &Tensor,
    output: &Tensor,
) -> Result<()> {
    let (tokens, inputs) = x.dims2()?;
    let outputs = weight.rows();
    let x = &to_type(x, computes_in)?;
    for_tiles(weight, computes_in, |first, rows, tile| {
        matmul(
            (tokens, rows, inputs),
            Factor::row_major(output, outputs).from_column(first),
            Factor::row_major(x, inputs),
            Factor::transposed(tile, inputs),
            1.0,
            Output::Overwrite,
        )
    })?;
    match bias {
        Some(bias) => add_bias(output, bias),
        None => Ok(()),
    }
}

/// Adds `grad W` to `input_gradient`, which has the type of computing, or is f32.
pub fn accumulate_backward_input(
    weight: &FrozenMatrix,
    computes_in: DType,
    grad: &Tensor,
    input_gradient: &Tensor,
) -> Result<()> {
    let (tokens, outputs) = grad.dims2()?;
    let inputs = weight.columns();
    let grad = &to_type(grad, computes_in)?;
    for_tiles(weight, computes_in, |first, rows, tile| {
        matmul(
            (tokens, inputs, rows),
            Factor::row_major(input_gradient, inputs),
            Factor::row_major(grad, outputs).from_column(first),
            Factor::row_major(tile, inputs),
            1.0,
            Output::Add,
        )
    })
}
