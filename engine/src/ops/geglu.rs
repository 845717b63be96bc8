//! The gated half of a GeGLU MLP: `y = gelu(gate) * up`, with GELU's tanh approximation
//! `gelu(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))` = `x sigmoid(2 sqrt(2/pi) (...))`.
//! Source: Shazeer 2020 (arXiv 2002.05202), Hendrycks & Gimpel 2016 (arXiv 1606.08415).

use candle_core::{Result, Tensor, bail};
use num_traits::One;

use super::cpu::{self, Real, by_float_type};
use super::on_card;
use super::swiglu::sigmoid;

const CUBIC: f64 = 0.044_715;

/// `gelu(gate) * up`, element by element.
///
/// # Errors
/// When the shapes differ.
pub fn geglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if gate.shape() != up.shape() {
        bail!("geglu of {:?} and {:?}", gate.shape(), up.shape());
    }
    on_card!(gate, super::cuda::geglu::geglu(gate, up));
    by_float_type!(gate, T => {
        let (gates, ups) = (cpu::read::<T>(gate)?, cpu::read::<T>(up)?);
        let (gates, ups): (&[T], &[T]) = (&gates, &ups);
        let mut output = ups.to_vec();
        cpu::for_row_blocks(&mut output, 1, |first, values| {
            cpu::vectorized(|| {
                for (y, &g) in values.iter_mut().zip(&gates[first..]) {
                    *y *= g * sigmoid(inner(g));
                }
            });
        });
        Tensor::from_vec(output, gate.shape(), gate.device())
    })
}

/// Gradients with respect to `gate` and `up`.
///
/// # Errors
/// When the shapes differ.
pub fn geglu_backward(gate: &Tensor, up: &Tensor, grad: &Tensor) -> Result<(Tensor, Tensor)> {
    if gate.shape() != up.shape() || gate.shape() != grad.shape() {
        bail!(
            "geglu of {:?} and {:?}, gradient {:?}",
            gate.shape(),
            up.shape(),
            grad.shape()
        );
    }
    on_card!(gate, super::cuda::geglu::geglu_backward(gate, up, grad));
    by_float_type!(gate, T => {
        let (gates, ups) = (cpu::read::<T>(gate)?, cpu::read::<T>(up)?);
        let (gates, ups): (&[T], &[T]) = (&gates, &ups);
        let grads = cpu::read::<T>(grad)?;
        let (mut d_gate, mut d_up) = (grads.to_vec(), grads.to_vec());
        cpu::for_row_blocks(&mut d_gate, 1, |first, values| {
            cpu::vectorized(|| {
                for ((d, &g), &u) in values.iter_mut().zip(&gates[first..]).zip(&ups[first..]) {
                    let s = sigmoid(inner(g));
                    *d *= u * (s + g * s * (T::one() - s) * inner_slope(g));
                }
            });
        });
        cpu::for_row_blocks(&mut d_up, 1, |first, values| {
            cpu::vectorized(|| {
                for (d, &g) in values.iter_mut().zip(&gates[first..]) {
                    *d *= g * sigmoid(inner(g));
                }
            });
        });
        Ok((
            Tensor::from_vec(d_gate, gate.shape(), gate.device())?,
            Tensor::from_vec(d_up, gate.shape(), gate.device())?,
        ))
    })
}

/// `2 sqrt(2/pi) (x + 0.044715 x^3)`.
#[inline(always)]
fn inner<T: Real>(x: T) -> T {
    <T as Real>::real(2.0 * (2.0 / std::f64::consts::PI).sqrt())
        * (x + <T as Real>::real(CUBIC) * x * x * x)
}

#[inline(always)]
fn inner_slope<T: Real>(x: T) -> T {
    <T as Real>::real(2.0 * (2.0 / std::f64::consts::PI).sqrt())
        * (<T as Real>::real(1.0) + <T as Real>::real(3.0 * CUBIC) * x * x)
}
