//! A trained linear map `y = x W^T + b` and its three gradients. Weight and bias gradients are
//! added to what their tensors already hold, so gradient accumulation needs no second copy.

use candle_core::{Result, Tensor, bail};
use num_traits::One;

use super::cpu::{self, Output, Real, Strides, Workers, by_float_type, matmul};
use super::elementwise::zeros;
use super::on_card;

/// `x` `[tokens, inputs]`, `weight` `[outputs, inputs]`, `bias` `[outputs]` -> `[tokens, outputs]`.
///
/// # Errors
/// When the shapes do not fit together.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    on_card!(x, super::cuda::linear::linear(x, weight, bias));
    by_float_type!(x, T => forward::<T>(x, weight, bias))
}

/// The same with the result in f32, whatever the type of `x`.
///
/// # Errors
/// When the shapes do not fit together.
pub fn linear_wide(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    on_card!(x, super::cuda::linear::linear_wide(x, weight, bias));
    linear(x, weight, bias)
}

/// Adds `factor * x W^T` to `output`.
///
/// # Errors
/// When the shapes do not fit together.
pub fn accumulate_linear(output: &Tensor, x: &Tensor, weight: &Tensor, factor: f64) -> Result<()> {
    on_card!(
        x,
        super::cuda::linear::accumulate_linear(output, x, weight, factor)
    );
    by_float_type!(x, T => {
        let (tokens, inputs) = x.dims2()?;
        let (outputs, weight_inputs) = weight.dims2()?;
        if inputs != weight_inputs || output.dims() != [tokens, outputs] {
            bail!("input {:?} for weight {:?} into {:?}", x.shape(), weight.shape(), output.shape());
        }
        let (x, weights) = (cpu::read::<T>(x)?, cpu::read::<T>(weight)?);
        cpu::update::<T, _>(output, |out| {
            matmul(
                (tokens, outputs, inputs),
                (out, Strides::row_major(outputs)),
                (&x, Strides::row_major(inputs)),
                (&weights, Strides::transposed(inputs)),
                <T as Real>::real(factor),
                Output::Add,
                Workers::All,
            );
        })
    })
}

/// Gradient with respect to `x`: `grad W`.
///
/// # Errors
/// When the shapes do not fit together.
pub fn linear_backward_input(weight: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let (_, inputs) = weight.dims2()?;
    let input_gradient = zeros((grad.dim(0)?, inputs), grad.dtype(), grad.device())?;
    accumulate_input_gradient(&input_gradient, weight, grad)?;
    Ok(input_gradient)
}

/// Adds the gradient with respect to `x`, `grad W`, to `input_gradient`.
///
/// # Errors
/// When the shapes do not fit together.
pub fn accumulate_input_gradient(
    input_gradient: &Tensor,
    weight: &Tensor,
    grad: &Tensor,
) -> Result<()> {
    on_card!(
        grad,
        super::cuda::linear::accumulate_input_gradient(input_gradient, weight, grad)
    );
    by_float_type!(grad, T => {
        let (tokens, outputs) = grad.dims2()?;
        let (weight_outputs, inputs) = weight.dims2()?;
        if outputs != weight_outputs || input_gradient.dims() != [tokens, inputs] {
            bail!("gradient {:?} for weight {:?}", grad.shape(), weight.shape());
        }
        let (grads, weights) = (cpu::read::<T>(grad)?, cpu::read::<T>(weight)?);
        cpu::update::<T, _>(input_gradient, |out| {
            matmul(
                (tokens, inputs, outputs),
                (out, Strides::row_major(inputs)),
                (&grads, Strides::row_major(outputs)),
                (&weights, Strides::row_major(inputs)),
                T::one(),
                Output::Add,
                Workers::All,
            );
        })
    })
}

/// Adds the gradient with respect to the weight, `grad^T x`, to `weight_gradient`.
///
/// # Errors
/// When the shapes do not fit together.
pub fn accumulate_weight_gradient(
    weight_gradient: &Tensor,
    x: &Tensor,
    grad: &Tensor,
) -> Result<()> {
    on_card!(
        x,
        super::cuda::linear::accumulate_weight_gradient(weight_gradient, x, grad)
    );
    by_float_type!(grad, T => {
        let (tokens, inputs) = x.dims2()?;
        let (rows, outputs) = grad.dims2()?;
        if rows != tokens || weight_gradient.dims2()? != (outputs, inputs) {
            bail!("weight gradient {:?} from x {:?} and grad {:?}", weight_gradient.shape(), x.shape(), grad.shape());
        }
        let (x, grad) = (cpu::read::<T>(x)?, cpu::read::<T>(grad)?);
        cpu::update::<T, _>(weight_gradient, |out| {
            matmul(
                (outputs, inputs, tokens),
                (out, Strides::row_major(inputs)),
                (&grad, Strides::transposed(outputs)),
                (&x, Strides::row_major(inputs)),
                T::one(),
                Output::Add,
                Workers::All,
            );
        })
    })
}

/// Adds the gradient with respect to the bias, the column sums of `grad`, to `bias_gradient`.
///
/// # Errors
/// When the shapes do not fit together.
pub fn accumulate_bias_gradient(bias_gradient: &Tensor, grad: &Tensor) -> Result<()> {
    on_card!(
        grad,
        super::cuda::bias::accumulate_bias_gradient(bias_gradient, grad)
    );
    by_float_type!(grad, T => {
        let (_, outputs) = grad.dims2()?;
        if bias_gradient.dims() != [outputs] {
            bail!("bias gradient {:?} from grad {:?}", bias_gradient.shape(), grad.shape());
        }
        let grad = cpu::read::<T>(grad)?;
        let grad: &[T] = &grad;
        cpu::update::<T, _>(bias_gradient, |out| {
            cpu::vectorized(|| {
                for row in grad.chunks_exact(outputs) {
                    for (sum, &value) in out.iter_mut().zip(row) {
                        *sum += value;
                    }
                }
            });
        })
    })
}

pub(super) fn add_bias<T: Real>(out: &mut [T], bias: &[T]) {
    cpu::for_row_blocks(out, bias.len(), |_, rows| {
        for row in rows.chunks_exact_mut(bias.len()) {
            for (value, &bias) in row.iter_mut().zip(bias) {
                *value += bias;
            }
        }
    });
}

fn forward<T: Real>(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (tokens, inputs) = x.dims2()?;
    let (outputs, weight_inputs) = weight.dims2()?;
    if inputs != weight_inputs || bias.is_some_and(|bias| bias.dims() != [outputs]) {
        bail!(
            "linear of x {:?} with weight {:?}",
            x.shape(),
            weight.shape()
        );
    }
    let (x_values, weights) = (cpu::read::<T>(x)?, cpu::read::<T>(weight)?);
    let mut output = vec![T::zero(); tokens * outputs];
    matmul(
        (tokens, outputs, inputs),
        (&mut output, Strides::row_major(outputs)),
        (&x_values, Strides::row_major(inputs)),
        (&weights, Strides::transposed(inputs)),
        T::one(),
        Output::Overwrite,
        Workers::All,
    );
    if let Some(bias) = bias {
        add_bias(&mut output, &cpu::read::<T>(bias)?);
    }
    Tensor::from_vec(output, (tokens, outputs), x.device())
}
