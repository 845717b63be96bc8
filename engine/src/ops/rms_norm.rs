//! Root-mean-square normalization over the last axis: `y = x / rms(x) * weight`, with
//! `rms(x) = sqrt(mean(x^2) + eps)`. The weight is frozen or absent, so only `x` has a gradient.
//! Source: Zhang & Sennrich 2019 (arXiv 1910.07467), as in Llama.

use candle_core::{Result, Tensor};

use super::cpu::{self, Real, by_float_type};
use super::on_card;

/// `x` `[rows, width]` (or any shape whose last axis is normalized), `weight` `[width]`.
///
/// # Errors
/// When shapes or types do not fit together.
pub fn rms_norm(x: &Tensor, weight: Option<&Tensor>, eps: f64) -> Result<Tensor> {
    on_card!(x, super::cuda::rms_norm::rms_norm(x, weight, eps));
    by_float_type!(x, T => forward::<T>(x, weight, eps))
}

/// Gradient with respect to `x`, of the same shape.
///
/// # Errors
/// When shapes or types do not fit together.
pub fn rms_norm_backward(
    x: &Tensor,
    weight: Option<&Tensor>,
    eps: f64,
    grad: &Tensor,
) -> Result<Tensor> {
    on_card!(
        x,
        super::cuda::rms_norm::rms_norm_backward(x, weight, eps, grad)
    );
    by_float_type!(x, T => backward::<T>(x, weight, eps, grad))
}

fn weights<T: Real>(weight: Option<&Tensor>, width: usize) -> Result<Vec<T>> {
    Ok(match weight {
        Some(weight) if weight.dims() != [width] => {
            candle_core::bail!("norm weight {:?} for width {width}", weight.shape())
        }
        Some(weight) => weight.to_dtype(T::DTYPE)?.to_vec1::<T>()?,
        None => Vec::new(),
    })
}

fn forward<T: Real>(x: &Tensor, weight: Option<&Tensor>, eps: f64) -> Result<Tensor> {
    let width = x.dim(candle_core::D::Minus1)?;
    let weight = weights::<T>(weight, width)?;
    let input = cpu::read::<T>(x)?;
    let input: &[T] = &input;
    let mut output = vec![T::zero(); input.len()];
    cpu::for_row_blocks(&mut output, width, |first, rows| {
        cpu::vectorized(|| {
            let input = &input[first * width..first * width + rows.len()];
            for (y, x) in rows.chunks_exact_mut(width).zip(input.chunks_exact(width)) {
                let scale = inverse_rms(x, eps);
                if weight.is_empty() {
                    for (y, &x) in y.iter_mut().zip(x) {
                        *y = x * scale;
                    }
                } else {
                    for ((y, &x), &w) in y.iter_mut().zip(x).zip(&weight) {
                        *y = x * scale * w;
                    }
                }
            }
        });
    });
    Tensor::from_vec(output, x.shape(), x.device())
}

fn backward<T: Real>(
    x: &Tensor,
    weight: Option<&Tensor>,
    eps: f64,
    grad: &Tensor,
) -> Result<Tensor> {
    let width = x.dim(candle_core::D::Minus1)?;
    let weight = weights::<T>(weight, width)?;
    let (input, grad) = (cpu::read::<T>(x)?, cpu::read::<T>(grad)?);
    let (input, grad): (&[T], &[T]) = (&input, &grad);
    let mut output = vec![T::zero(); input.len()];
    let count = T::real(width as f64);
    cpu::for_row_blocks(&mut output, width, |first, rows| {
        cpu::vectorized(|| {
            let span = first * width..first * width + rows.len();
            let (input, grad) = (&input[span.clone()], &grad[span]);
            for ((dx, x), dy) in rows
                .chunks_exact_mut(width)
                .zip(input.chunks_exact(width))
                .zip(grad.chunks_exact(width))
            {
                // dx = s * (g - x * s^2 * mean(g x)) with g = dy * weight and s = 1 / rms.
                let scale = inverse_rms(x, eps);
                if weight.is_empty() {
                    dx.copy_from_slice(dy);
                } else {
                    for ((g, &dy), &w) in dx.iter_mut().zip(dy).zip(&weight) {
                        *g = dy * w;
                    }
                }
                let along = cpu::dot(dx, x) / count * scale * scale;
                for (g, &x) in dx.iter_mut().zip(x) {
                    *g = scale * (*g - x * along);
                }
            }
        });
    });
    Tensor::from_vec(output, x.shape(), x.device())
}

#[inline(always)]
fn inverse_rms<T: Real>(x: &[T], eps: f64) -> T {
    let mean = cpu::dot(x, x) / T::real(x.len() as f64);
    (mean + T::real(eps)).sqrt().recip()
}
