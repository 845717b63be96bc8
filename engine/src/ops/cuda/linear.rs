//! [`crate::ops::linear`] on the card. Weights, biases and their gradients are f32; a weight is
//! rounded to the type of the activations for a product with them, and products of activations are
//! added to gradients in f32.

use candle_core::{DType, Result, Tensor, bail};

use super::matmul::{Factor, matmul};
use super::{bias::add_bias, fresh, fresh_of};
use crate::ops::cpu::Output;
use crate::ops::elementwise::to_type;

/// As its twin.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (tokens, _) = x.dims2()?;
    let output = fresh(x, (tokens, weight.dim(0)?))?;
    multiply(&output, x, weight, 1.0, Output::Overwrite)?;
    if let Some(bias) = bias {
        add_bias(&output, bias)?;
    }
    Ok(output)
}

/// As its twin.
pub fn linear_wide(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (tokens, _) = x.dims2()?;
    let output = fresh_of((tokens, weight.dim(0)?), DType::F32, x.device())?;
    multiply(&output, x, weight, 1.0, Output::Overwrite)?;
    if let Some(bias) = bias {
        add_bias(&output, bias)?;
    }
    Ok(output)
}

/// As its twin. `output` has the type of `x`, or is f32.
pub fn accumulate_linear(output: &Tensor, x: &Tensor, weight: &Tensor, factor: f64) -> Result<()> {
    multiply(output, x, weight, factor, Output::Add)
}

fn multiply(output: &Tensor, x: &Tensor, weight: &Tensor, factor: f64, add: Output) -> Result<()> {
    let (tokens, inputs) = x.dims2()?;
    let (outputs, weight_inputs) = weight.dims2()?;
    if inputs != weight_inputs || output.dims() != [tokens, outputs] {
        bail!(
            "input {:?} for weight {:?} into {:?}",
            x.shape(),
            weight.shape(),
            output.shape()
        );
    }
    matmul(
        (tokens, outputs, inputs),
        Factor::row_major(output, outputs),
        Factor::row_major(x, inputs),
        Factor::transposed(&to_type(weight, x.dtype())?, inputs),
        factor,
        add,
    )
}

/// As its twin. The result has the type of `grad`.
pub fn accumulate_input_gradient(
    input_gradient: &Tensor,
    weight: &Tensor,
    grad: &Tensor,
) -> Result<()> {
    let (tokens, outputs) = grad.dims2()?;
    let (weight_outputs, inputs) = weight.dims2()?;
    if outputs != weight_outputs || input_gradient.dims() != [tokens, inputs] {
        bail!(
            "gradient {:?} for weight {:?}",
            grad.shape(),
            weight.shape()
        );
    }
    // The gradient of a sum that was made in f32 arrives in f32.
    let grad = &match input_gradient.dtype() {
        DType::F32 => grad.clone(),
        narrow => to_type(grad, narrow)?,
    };
    matmul(
        (tokens, inputs, outputs),
        Factor::row_major(input_gradient, inputs),
        Factor::row_major(grad, outputs),
        Factor::row_major(&to_type(weight, grad.dtype())?, inputs),
        1.0,
        Output::Add,
    )
}

/// As its twin.
pub fn accumulate_weight_gradient(
    weight_gradient: &Tensor,
    x: &Tensor,
    grad: &Tensor,
) -> Result<()> {
    let (tokens, inputs) = x.dims2()?;
    let (rows, outputs) = grad.dims2()?;
    if rows != tokens || weight_gradient.dims2()? != (outputs, inputs) {
        bail!(
            "weight gradient {:?} from x {:?} and grad {:?}",
            weight_gradient.shape(),
            x.shape(),
            grad.shape()
        );
    }
    let grad = &to_type(grad, x.dtype())?;
    matmul(
        (outputs, inputs, tokens),
        Factor::row_major(weight_gradient, inputs),
        Factor::transposed(grad, outputs),
        Factor::row_major(x, inputs),
        1.0,
        Output::Add,
    )
}
