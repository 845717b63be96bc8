//! The gated half of a SwiGLU MLP: `y = silu(gate) * up`, `silu(x) = x * sigmoid(x)`.
//! Source: Shazeer 2020 (arXiv 2002.05202).

use candle_core::{Result, Tensor, bail};
use num_traits::One;

use super::cpu::{self, Real, by_float_type};
use super::on_card;

/// `silu(gate) * up`, element by element.
///
/// # Errors
/// When the shapes differ.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    on_card!(gate, super::cuda::swiglu::swiglu(gate, up));
    by_float_type!(gate, T => forward::<T>(gate, up))
}

/// Gradients with respect to `gate` and `up`.
///
/// # Errors
/// When the shapes differ.
pub fn swiglu_backward(gate: &Tensor, up: &Tensor, grad: &Tensor) -> Result<(Tensor, Tensor)> {
    on_card!(gate, super::cuda::swiglu::swiglu_backward(gate, up, grad));
    by_float_type!(gate, T => backward::<T>(gate, up, grad))
}

/// `silu(x)`, element by element.
///
/// # Errors
/// When the tensor cannot be read.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    on_card!(x, super::cuda::swiglu::silu(x));
    by_float_type!(x, T => {
        let input = cpu::read::<T>(x)?;
        let mut output = input.to_vec();
        cpu::for_row_blocks(&mut output, 1, |_, values| {
            cpu::vectorized(|| values.iter_mut().for_each(|x| *x = *x * sigmoid(*x)));
        });
        Tensor::from_vec(output, x.shape(), x.device())
    })
}

/// Gradient of [`silu`].
///
/// # Errors
/// When the shapes differ.
pub fn silu_backward(x: &Tensor, grad: &Tensor) -> Result<Tensor> {
    on_card!(x, super::cuda::swiglu::silu_backward(x, grad));
    by_float_type!(x, T => {
        let input = cpu::read::<T>(x)?;
        let input: &[T] = &input;
        let mut output = cpu::read::<T>(grad)?.to_vec();
        cpu::for_row_blocks(&mut output, 1, |first, values| {
            cpu::vectorized(|| {
                for (d, &x) in values.iter_mut().zip(&input[first..]) {
                    let s = sigmoid(x);
                    *d *= s * (T::one() + x * (T::one() - s));
                }
            });
        });
        Tensor::from_vec(output, x.shape(), x.device())
    })
}

#[inline(always)]
pub(super) fn sigmoid<T: Real>(x: T) -> T {
    (T::one() + (-x).exp_fast()).recip()
}

fn forward<T: Real>(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if gate.shape() != up.shape() {
        bail!("swiglu of {:?} and {:?}", gate.shape(), up.shape());
    }
    let (gates, ups) = (cpu::read::<T>(gate)?, cpu::read::<T>(up)?);
    let (gates, ups): (&[T], &[T]) = (&gates, &ups);
    let mut output = vec![T::zero(); gates.len()];
    cpu::for_row_blocks(&mut output, 1, |first, values| {
        cpu::vectorized(|| {
            for ((y, &g), &u) in values.iter_mut().zip(&gates[first..]).zip(&ups[first..]) {
                *y = g * sigmoid(g) * u;
            }
        });
    });
    Tensor::from_vec(output, gate.shape(), gate.device())
}

fn backward<T: Real>(gate: &Tensor, up: &Tensor, grad: &Tensor) -> Result<(Tensor, Tensor)> {
    if gate.shape() != up.shape() || gate.shape() != grad.shape() {
        bail!(
            "swiglu of {:?} and {:?}, gradient {:?}",
            gate.shape(),
            up.shape(),
            grad.shape()
        );
    }
    let (gates, ups, grads) = (
        cpu::read::<T>(gate)?,
        cpu::read::<T>(up)?,
        cpu::read::<T>(grad)?,
    );
    let (gates, ups, grads): (&[T], &[T], &[T]) = (&gates, &ups, &grads);
    let mut d_gate = vec![T::zero(); gates.len()];
    let mut d_up = vec![T::zero(); gates.len()];
    cpu::for_row_blocks(&mut d_gate, 1, |first, values| {
        cpu::vectorized(|| {
            for (((d, &g), &u), &dy) in values
                .iter_mut()
                .zip(&gates[first..])
                .zip(&ups[first..])
                .zip(&grads[first..])
            {
                let s = sigmoid(g);
                *d = dy * u * s * (T::one() + g * (T::one() - s));
            }
        });
    });
    cpu::for_row_blocks(&mut d_up, 1, |first, values| {
        cpu::vectorized(|| {
            for ((d, &g), &dy) in values.iter_mut().zip(&gates[first..]).zip(&grads[first..]) {
                *d = dy * g * sigmoid(g);
            }
        });
    });
    Ok((
        Tensor::from_vec(d_gate, gate.shape(), gate.device())?,
        Tensor::from_vec(d_up, gate.shape(), gate.device())?,
    ))
}
