//! A linear map that is never trained: forward, and the gradient with respect to its input. There
//! is no slot for a weight gradient, so none can be computed by mistake. The weight stays in the
//! form it is stored in; rows are widened in tiles, never as a whole.

use candle_core::{Result, Tensor, bail};
use num_traits::{One, Zero};
use rayon::prelude::*;

use super::cpu::{self, Output, Real, Strides, Workers, by_float_type, matmul};
use super::frozen_matrix::FrozenMatrix;

/// Up to this many tokens, rows are multiplied one by one: a matrix product would spend its time
/// packing.
const FEW_TOKENS: usize = 4;
/// Numbers of a weight below which one thread multiplies its rows alone.
const PARALLEL_NUMBERS: usize = 1 << 16;

/// `y = x W^T + b` with a frozen weight `[outputs, inputs]`.
#[derive(Clone, Debug)]
pub struct FrozenLinear {
    weight: FrozenMatrix,
    bias: Option<Tensor>,
}

impl FrozenLinear {
    /// `weight` `[outputs, inputs]`, `bias` `[outputs]` in any float type.
    ///
    /// # Errors
    /// When the shapes do not fit together.
    pub fn new(weight: FrozenMatrix, bias: Option<Tensor>) -> Result<Self> {
        let bias = bias
            .map(|bias| bias.to_dtype(weight.compute_type()))
            .transpose()?;
        if let Some(bias) = bias.as_ref().filter(|bias| bias.dims() != [weight.rows()]) {
            bail!("bias of {:?} for weight {weight:?}", bias.shape());
        }
        Ok(Self { weight, bias })
    }

    /// Width of the input.
    pub fn inputs(&self) -> usize {
        self.weight.columns()
    }

    /// Width of the output.
    pub fn outputs(&self) -> usize {
        self.weight.rows()
    }

    /// The stored weight, `[outputs, inputs]`.
    pub fn weight(&self) -> &FrozenMatrix {
        &self.weight
    }

    /// `x` `[tokens, inputs]` -> `[tokens, outputs]`.
    ///
    /// # Errors
    /// When the width or type of `x` does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (tokens, inputs) = x.dims2()?;
        if inputs != self.inputs() {
            bail!("input {:?} for weight {:?}", x.shape(), self.weight);
        }
        by_float_type!(x, T => {
            let x_values = cpu::read::<T>(x)?;
            let mut output = vec![T::zero(); tokens * self.outputs()];
            self.multiply::<T>(&x_values, &mut output, tokens)?;
            if let Some(bias) = &self.bias {
                super::linear::add_bias(&mut output, &cpu::read::<T>(bias)?);
            }
            Tensor::from_vec(output, (tokens, self.outputs()), x.device())
        })
    }

    /// Gradient with respect to the input: `grad` `[tokens, outputs]` -> `[tokens, inputs]`.
    ///
    /// # Errors
    /// When the width or type of `grad` does not fit.
    pub fn backward_input(&self, grad: &Tensor) -> Result<Tensor> {
        let (tokens, outputs) = grad.dims2()?;
        let inputs = self.inputs();
        if outputs != self.outputs() {
            bail!("gradient {:?} for weight {:?}", grad.shape(), self.weight);
        }
        by_float_type!(grad, T => {
            let grads = cpu::read::<T>(grad)?;
            let mut output = vec![T::zero(); tokens * inputs];
            self.weight.for_tiles::<T>(|first, rows, tile| {
                matmul(
                    (tokens, inputs, rows),
                    (&mut output, Strides::row_major(inputs)),
                    (&grads[first..], Strides::row_major(outputs)),
                    (tile, Strides::row_major(inputs)),
                    T::one(),
                    Output::Add,
                    Workers::All,
                );
            })?;
            Tensor::from_vec(output, (tokens, inputs), grad.device())
        })
    }

    fn multiply<T: Real>(&self, x: &[T], output: &mut [T], tokens: usize) -> Result<()> {
        let (outputs, inputs) = (self.outputs(), self.inputs());
        if tokens <= FEW_TOKENS
            && let (Some(x), Some(output)) = (cpu::cast(x), cpu::cast_mut(output))
        {
            return self.multiply_rows(x, output, tokens);
        }
        self.weight.for_tiles::<T>(|first, rows, tile| {
            matmul(
                (tokens, rows, inputs),
                (&mut output[first..], Strides::row_major(outputs)),
                (x, Strides::row_major(inputs)),
                (tile, Strides::transposed(inputs)),
                T::one(),
                Output::Overwrite,
                Workers::All,
            );
        })
    }

    /// One dot product per output and token, the weight's rows shared out among the threads.
    fn multiply_rows(&self, x: &[f32], output: &mut [f32], tokens: usize) -> Result<()> {
        let (outputs, inputs) = (self.outputs(), self.inputs());
        // [outputs, tokens], so that a thread's results lie together
        let mut by_output = vec![0f32; outputs * tokens];
        self.weight.with_rows(|reader| {
            let work = |first: usize, results: &mut [f32]| {
                let mut scratch = vec![0f32; inputs];
                for (offset, results) in results.chunks_exact_mut(tokens).enumerate() {
                    let row = match reader.stored(first + offset) {
                        Some(row) => row,
                        None => {
                            reader.read(first + offset, &mut scratch);
                            scratch.as_slice()
                        }
                    };
                    cpu::vectorized(|| {
                        for (result, x) in results.iter_mut().zip(x.chunks_exact(inputs)) {
                            *result = cpu::dot(row, x);
                        }
                    });
                }
            };
            if outputs * inputs < PARALLEL_NUMBERS {
                work(0, &mut by_output);
            } else {
                let rows = outputs.div_ceil(2 * rayon::current_num_threads());
                by_output
                    .par_chunks_mut(rows * tokens)
                    .enumerate()
                    .for_each(|(block, results)| work(block * rows, results));
            }
        })?;
        for (row, results) in by_output.chunks_exact(tokens).enumerate() {
            for (token, &result) in results.iter().enumerate() {
                output[token * outputs + row] = result;
            }
        }
        Ok(())
    }
}
