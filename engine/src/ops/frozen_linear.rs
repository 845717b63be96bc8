//! A linear map that is never trained: forward, and the gradient with respect to its input. There
//! is no slot for a weight gradient, so none can be computed by mistake. The weight keeps the type
//! of the checkpoint; 16-bit weights are widened to f32 in tiles of rows, never as a whole.

use candle_core::{DType, Result, Tensor, WithDType, bail};
use half::slice::HalfFloatSliceExt;
use num_traits::{One, Zero};
use rayon::prelude::*;

use super::cpu::{self, Output, Real, Strides, Workers, by_float_type, matmul};

/// Rows of a 16-bit weight that are widened at a time.
const TILE_ROWS: usize = 256;

/// Up to this many tokens, rows are multiplied one by one straight from their stored type: a matrix
/// product would spend its time widening.
const FEW_TOKENS: usize = 4;

/// `y = x W^T + b` with a frozen weight `[outputs, inputs]` in f32, bf16 or f16 (f64 in tests).
#[derive(Clone, Debug)]
pub struct FrozenLinear {
    weight: Tensor,
    bias: Option<Tensor>,
    outputs: usize,
    inputs: usize,
}

impl FrozenLinear {
    /// `weight` `[outputs, inputs]`, `bias` `[outputs]` in any float type.
    ///
    /// # Errors
    /// When the shapes do not fit together or the weight's type cannot be computed with.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Result<Self> {
        let (outputs, inputs) = weight.dims2()?;
        if !matches!(
            weight.dtype(),
            DType::F32 | DType::F64 | DType::BF16 | DType::F16
        ) {
            bail!("a linear weight of type {:?}", weight.dtype());
        }
        let bias = bias
            .map(|bias| bias.to_dtype(compute_type(&weight)))
            .transpose()?;
        if bias.as_ref().is_some_and(|bias| bias.dims() != [outputs]) {
            bail!(
                "bias of {:?} for weight {:?}",
                bias.map(|b| b.shape().clone()),
                weight.shape()
            );
        }
        Ok(Self {
            weight: weight.contiguous()?,
            bias,
            outputs,
            inputs,
        })
    }

    /// Width of the input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of the output.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The stored weight, `[outputs, inputs]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `x` `[tokens, inputs]` -> `[tokens, outputs]`.
    ///
    /// # Errors
    /// When the width or type of `x` does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (tokens, inputs) = x.dims2()?;
        if inputs != self.inputs {
            bail!("input {:?} for weight {:?}", x.shape(), self.weight.shape());
        }
        by_float_type!(x, T => {
            let x_values = cpu::read::<T>(x)?;
            let mut output = vec![T::zero(); tokens * self.outputs];
            self.multiply::<T>(&x_values, &mut output, tokens)?;
            if let Some(bias) = &self.bias {
                super::linear::add_bias(&mut output, &cpu::read::<T>(bias)?);
            }
            Tensor::from_vec(output, (tokens, self.outputs), x.device())
        })
    }

    /// Gradient with respect to the input: `grad` `[tokens, outputs]` -> `[tokens, inputs]`.
    ///
    /// # Errors
    /// When the width or type of `grad` does not fit.
    pub fn backward_input(&self, grad: &Tensor) -> Result<Tensor> {
        let (tokens, outputs) = grad.dims2()?;
        if outputs != self.outputs {
            bail!(
                "gradient {:?} for weight {:?}",
                grad.shape(),
                self.weight.shape()
            );
        }
        by_float_type!(grad, T => {
            let grads = cpu::read::<T>(grad)?;
            let mut output = vec![T::zero(); tokens * self.inputs];
            self.for_tiles::<T>(|first, rows, tile| {
                matmul(
                    (tokens, self.inputs, rows),
                    (&mut output, Strides::row_major(self.inputs)),
                    (&grads[first..], Strides::row_major(outputs)),
                    (tile, Strides::row_major(self.inputs)),
                    T::one(),
                    Output::Add,
                    Workers::All,
                );
            })?;
            Tensor::from_vec(output, (tokens, self.inputs), grad.device())
        })
    }

    fn multiply<T: Real>(&self, x: &[T], output: &mut [T], tokens: usize) -> Result<()> {
        if tokens <= FEW_TOKENS && T::DTYPE == DType::F32 {
            return match self.weight.dtype() {
                DType::F32 => self.multiply_rows::<T, f32>(x, output, tokens, |w| {
                    <T as Real>::real(f64::from(w))
                }),
                DType::BF16 => self.multiply_rows::<T, half::bf16>(x, output, tokens, |w| {
                    <T as Real>::real(f64::from(w.to_f32()))
                }),
                DType::F16 => self.multiply_rows::<T, half::f16>(x, output, tokens, |w| {
                    <T as Real>::real(f64::from(w.to_f32()))
                }),
                other => bail!("a weight of type {other:?} for f32 activations"),
            };
        }
        self.for_tiles::<T>(|first, rows, tile| {
            matmul(
                (tokens, rows, self.inputs),
                (&mut output[first..], Strides::row_major(self.outputs)),
                (x, Strides::row_major(self.inputs)),
                (tile, Strides::transposed(self.inputs)),
                T::one(),
                Output::Overwrite,
                Workers::All,
            );
        })
    }

    /// One dot product per output and token, the weight's rows shared out among the threads.
    fn multiply_rows<T: Real, W: WithDType>(
        &self,
        x: &[T],
        output: &mut [T],
        tokens: usize,
        widen: impl Fn(W) -> T + Sync + Copy,
    ) -> Result<()> {
        let weight = cpu::read::<W>(&self.weight)?;
        let weight: &[W] = &weight;
        let inputs = self.inputs;
        // [outputs, tokens], so that a thread's results lie together
        let mut by_output = vec![T::zero(); self.outputs * tokens];
        let work = |first: usize, results: &mut [T]| {
            cpu::vectorized(|| {
                for (offset, results) in results.chunks_exact_mut(tokens).enumerate() {
                    let row = (first + offset) * inputs;
                    for (result, x) in results.iter_mut().zip(x.chunks_exact(inputs)) {
                        *result = dot_widening(&weight[row..row + inputs], x, widen);
                    }
                }
            });
        };
        if weight.len() < 1 << 16 {
            work(0, &mut by_output);
        } else {
            let rows = self.outputs.div_ceil(2 * rayon::current_num_threads());
            by_output
                .par_chunks_mut(rows * tokens)
                .enumerate()
                .for_each(|(block, results)| work(block * rows, results));
        }
        for (row, results) in by_output.chunks_exact(tokens).enumerate() {
            for (token, &result) in results.iter().enumerate() {
                output[token * self.outputs + row] = result;
            }
        }
        Ok(())
    }

    /// Calls `work(first_row, rows, tile)` for tiles of the weight in the compute type.
    fn for_tiles<T: Real>(&self, mut work: impl FnMut(usize, usize, &[T])) -> Result<()> {
        if self.weight.dtype() == T::DTYPE {
            work(0, self.outputs, &cpu::read::<T>(&self.weight)?);
            return Ok(());
        }
        let tile_rows = TILE_ROWS.min(self.outputs);
        let mut scratch = vec![0f32; tile_rows * self.inputs];
        for first in (0..self.outputs).step_by(tile_rows) {
            let rows = tile_rows.min(self.outputs - first);
            let span = first * self.inputs..(first + rows) * self.inputs;
            let tile = &mut scratch[..rows * self.inputs];
            match self.weight.dtype() {
                DType::BF16 => widen(&cpu::read::<half::bf16>(&self.weight)?[span], tile),
                DType::F16 => widen(&cpu::read::<half::f16>(&self.weight)?[span], tile),
                other => bail!(
                    "a weight of type {other:?} for activations of {:?}",
                    T::DTYPE
                ),
            }
            work(first, rows, as_compute_type(tile)?);
        }
        Ok(())
    }
}

fn compute_type(weight: &Tensor) -> DType {
    if weight.dtype() == DType::F64 {
        DType::F64
    } else {
        DType::F32
    }
}

/// 16-bit weights meet f32 activations only; this states it to the type system.
fn as_compute_type<T: Real>(tile: &[f32]) -> Result<&[T]> {
    if T::DTYPE != DType::F32 {
        bail!("16-bit weights need f32 activations, not {:?}", T::DTYPE);
    }
    // SAFETY: `Real` is implemented for f32 and f64 only, and DTYPE says T is f32.
    Ok(unsafe { std::slice::from_raw_parts(tile.as_ptr().cast::<T>(), tile.len()) })
}

fn widen<H: Sync>(from: &[H], to: &mut [f32])
where
    [H]: HalfFloatSliceExt,
{
    let block = from
        .len()
        .div_ceil(rayon::current_num_threads())
        .max(1 << 14);
    to.par_chunks_mut(block)
        .zip(from.par_chunks(block))
        .for_each(|(to, from)| from.convert_to_f32_slice(to));
}

#[inline(always)]
fn dot_widening<T: Real, W: WithDType>(weights: &[W], x: &[T], widen: impl Fn(W) -> T) -> T {
    const LANES: usize = 16;
    let mut lanes = [T::zero(); LANES];
    let (weight_blocks, weight_rest) = weights.as_chunks::<LANES>();
    let (x_blocks, x_rest) = x.as_chunks::<LANES>();
    for (weights, x) in weight_blocks.iter().zip(x_blocks) {
        for lane in 0..LANES {
            lanes[lane] += widen(weights[lane]) * x[lane];
        }
    }
    let mut total = cpu::sum(&lanes);
    for (&weight, &x) in weight_rest.iter().zip(x_rest) {
        total += widen(weight) * x;
    }
    total
}
