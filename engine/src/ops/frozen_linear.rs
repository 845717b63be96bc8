//! A linear map that is never trained: forward, and the gradient with respect to its input. There
//! is no slot for a weight gradient, so none can be computed by mistake. The weight stays in the
//! form it is stored in; rows are widened in tiles, never as a whole.

use candle_core::{DType, Result, Tensor, bail};
use num_traits::One;
use rayon::prelude::*;

use super::cpu::{self, Output, Real, Strides, Workers, by_float_type, matmul};
use super::elementwise::zeros;
use super::frozen_matrix::FrozenMatrix;
use super::on_card;

/// Up to this many tokens, rows are multiplied one by one: a matrix product would spend its time
/// packing.
pub(crate) const FEW_TOKENS: usize = 4;
/// Up to this many tokens, a matrix product takes the weight as its right side, which it reads where
/// it lies, and gives the outputs transposed; with more, packing the weight is worth its time.
pub(crate) const UNPACKED_TOKENS: usize = 128;
/// Rows of the weight at a time there.
pub(crate) const UNPACKED_ROWS: usize = 1024;
/// Numbers of a weight below which one thread multiplies its rows alone.
const PARALLEL_NUMBERS: usize = 1 << 16;

/// `y = x W^T + b` with a frozen weight `[outputs, inputs]`.
#[derive(Clone, Debug)]
pub struct FrozenLinear {
    weight: FrozenMatrix,
    bias: Option<Tensor>,
    /// The type of the factors of its products, on a card.
    #[cfg_attr(
        not(feature = "cuda"),
        allow(dead_code, reason = "cards alone have several")
    )]
    computes_in: DType,
}

impl FrozenLinear {
    /// `weight` `[outputs, inputs]`, `bias` `[outputs]` in any float type. On a card it multiplies in
    /// f32; see [`Self::computing_in`].
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
        Ok(Self {
            weight,
            bias,
            computes_in: DType::F32,
        })
    }

    /// The same with the factors of its products in this type, where it lies on a card.
    #[must_use]
    pub fn computing_in(self, dtype: DType) -> Self {
        Self {
            computes_in: dtype,
            ..self
        }
    }

    /// The type that activations and their gradients are rounded to before they are multiplied: on a
    /// card; the CPU computes in the type it is given.
    pub fn computes_in(&self) -> DType {
        self.computes_in
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

    /// Bytes that `forward` and `backward_input` take for a while, for f32 activations: beside their
    /// result and what the matrix product packs.
    pub fn scratch_bytes(&self, tokens: usize) -> usize {
        let transposed = |rows: usize| rows * tokens * size_of::<f32>();
        let forward = if tokens <= FEW_TOKENS {
            transposed(self.outputs())
        } else if tokens <= UNPACKED_TOKENS {
            transposed(UNPACKED_ROWS.min(self.outputs()))
        } else {
            0
        };
        self.weight.tile_bytes() + forward
    }

    /// `x` `[tokens, inputs]` -> `[tokens, outputs]`.
    ///
    /// # Errors
    /// When the width or type of `x` does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (tokens, _) = x.dims2()?;
        let output = zeros((tokens, self.outputs()), x.dtype(), x.device())?;
        self.forward_into(x, &output)?;
        Ok(output)
    }

    /// The same, written to `output` `[tokens, outputs]`.
    ///
    /// # Errors
    /// When the width or type of `x` or `output` does not fit.
    pub fn forward_into(&self, x: &Tensor, output: &Tensor) -> Result<()> {
        let (tokens, inputs) = x.dims2()?;
        if inputs != self.inputs() || output.dims() != [tokens, self.outputs()] {
            bail!(
                "input {:?} for weight {:?} into {:?}",
                x.shape(),
                self.weight,
                output.shape()
            );
        }
        on_card!(x, {
            let (weight, bias) = (&self.weight, self.bias.as_ref());
            super::cuda::frozen_linear::forward_into(weight, bias, self.computes_in, x, output)
        });
        by_float_type!(x, T => {
            let x_values = cpu::read::<T>(x)?;
            cpu::update::<T, _>(output, |output| {
                self.multiply::<T>(&x_values, output, tokens)?;
                if let Some(bias) = &self.bias {
                    super::linear::add_bias(output, &cpu::read::<T>(bias)?);
                }
                Ok(())
            })?
        })
    }

    /// Gradient with respect to the input: `grad` `[tokens, outputs]` -> `[tokens, inputs]`.
    ///
    /// # Errors
    /// When the width or type of `grad` does not fit.
    pub fn backward_input(&self, grad: &Tensor) -> Result<Tensor> {
        let shape = (grad.dim(0)?, self.inputs());
        let input_gradient = zeros(shape, grad.dtype(), grad.device())?;
        self.accumulate_backward_input(grad, &input_gradient)?;
        Ok(input_gradient)
    }

    /// The same, added to `input_gradient` `[tokens, inputs]`.
    ///
    /// # Errors
    /// When the width or type of `grad` or `input_gradient` does not fit.
    pub fn accumulate_backward_input(&self, grad: &Tensor, input_gradient: &Tensor) -> Result<()> {
        let (tokens, outputs) = grad.dims2()?;
        let inputs = self.inputs();
        if outputs != self.outputs() || input_gradient.dims() != [tokens, inputs] {
            bail!(
                "gradient {:?} for weight {:?} into {:?}",
                grad.shape(),
                self.weight,
                input_gradient.shape()
            );
        }
        on_card!(grad, {
            let (weight, dtype) = (&self.weight, self.computes_in);
            let to = input_gradient;
            super::cuda::frozen_linear::accumulate_backward_input(weight, dtype, grad, to)
        });
        by_float_type!(grad, T => {
            let grads = cpu::read::<T>(grad)?;
            cpu::update::<T, _>(input_gradient, |output| {
                self.weight.for_tiles::<T>(|first, rows, tile| {
                    matmul(
                        (tokens, inputs, rows),
                        (output, Strides::row_major(inputs)),
                        (&grads[first..], Strides::row_major(outputs)),
                        (tile, Strides::row_major(inputs)),
                        T::one(),
                        Output::Add,
                        Workers::All,
                    );
                })
            })?
        })
    }

    fn multiply<T: Real>(&self, x: &[T], output: &mut [T], tokens: usize) -> Result<()> {
        let (outputs, inputs) = (self.outputs(), self.inputs());
        if tokens <= FEW_TOKENS
            && let (Some(x), Some(output)) = (cpu::cast(x), cpu::cast_mut(output))
        {
            return self.multiply_rows(x, output, tokens);
        }
        if tokens <= UNPACKED_TOKENS {
            let mut scratch = vec![T::zero(); UNPACKED_ROWS.min(outputs) * tokens];
            return self.weight.for_tiles::<T>(|first, _, tile| {
                for (number, weights) in tile.chunks(UNPACKED_ROWS * inputs).enumerate() {
                    let rows = weights.len() / inputs;
                    let transposed = &mut scratch[..rows * tokens];
                    matmul(
                        (tokens, rows, inputs),
                        (transposed, Strides::transposed(tokens)),
                        (x, Strides::row_major(inputs)),
                        (weights, Strides::transposed(inputs)),
                        T::one(),
                        Output::Overwrite,
                        Workers::All,
                    );
                    let output = &mut output[first + number * UNPACKED_ROWS..];
                    transpose(transposed, tokens, output, outputs);
                }
            });
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
        transpose(&by_output, tokens, output, outputs);
        Ok(())
    }
}

/// Writes `from`, rows of `width` numbers, as columns of `to`, whose rows lie `stride` apart.
fn transpose<T: Copy>(from: &[T], width: usize, to: &mut [T], stride: usize) {
    const BLOCK: usize = 32;
    for (block, rows) in from.chunks(BLOCK * width).enumerate() {
        for column in 0..width {
            let to = &mut to[column * stride + block * BLOCK..];
            for (to, row) in to.iter_mut().zip(rows.chunks_exact(width)) {
                *to = row[column];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_core::quantized::{GgmlDType, QTensor};

    use super::*;
    use crate::ops::ggml_blocks::{GgmlBlocks, KINDS};
    use crate::ops::nf4::{DoubleQuantization, Nf4};

    fn random(shape: (usize, usize)) -> Tensor {
        Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap()
    }

    fn nf4(weight: &Tensor, double: DoubleQuantization) -> FrozenMatrix {
        let (rows, columns) = weight.dims2().unwrap();
        let values = weight.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let read =
            |range: std::ops::Range<usize>, out: &mut [f32]| out.copy_from_slice(&values[range]);
        let weight = Nf4::quantize(rows * columns, read, double).unwrap();
        FrozenMatrix::nf4(weight, rows, columns).unwrap()
    }

    fn blocks(weight: &Tensor, kind: GgmlDType) -> FrozenMatrix {
        let (rows, columns) = weight.dims2().unwrap();
        let bytes = QTensor::quantize(weight, kind).unwrap();
        let bytes = bytes.data().unwrap();
        let by_row = bytes.chunks_exact(bytes.len() / rows);
        FrozenMatrix::blocks(
            GgmlBlocks::new(kind, columns, by_row).unwrap(),
            rows,
            columns,
        )
    }

    /// Every form of weight, more rows than a tile.
    fn forms() -> Vec<FrozenMatrix> {
        let weight = random((1100, 256));
        // 75 numbers a row: blocks of NF4 begin and end inside rows.
        let odd = random((1101, 75));
        let dense = |dtype| FrozenMatrix::dense(&odd.to_dtype(dtype).unwrap()).unwrap();
        let mut forms = vec![
            dense(DType::F32),
            dense(DType::BF16),
            dense(DType::F16),
            nf4(&odd, DoubleQuantization::Off),
            nf4(&odd, DoubleQuantization::On),
        ];
        for kind in KINDS {
            forms.push(blocks(&weight, kind));
        }
        let views: Vec<FrozenMatrix> = forms
            .iter()
            .map(|form| form.view(3..290).unwrap().view(2..280).unwrap())
            .collect();
        forms.extend(views);
        forms
    }

    fn assert_close(ours: &Tensor, expected: &Tensor, what: &str) {
        let largest = |tensor: &Tensor| {
            let most = tensor.abs().unwrap().max_all().unwrap();
            most.to_scalar::<f32>().unwrap()
        };
        let difference = largest(&(ours - expected).unwrap());
        assert!(
            difference <= 2e-5 * largest(expected).max(1.0),
            "{what}: {difference}"
        );
    }

    #[test]
    fn every_form_is_dequantize_then_multiply() {
        for matrix in forms() {
            let dense = matrix.to_f32().unwrap();
            let bias = random((1, matrix.rows())).squeeze(0).unwrap();
            let linear = FrozenLinear::new(matrix.clone(), Some(bias.clone())).unwrap();
            for tokens in [1, 3, 5, 70, 130] {
                let x = random((tokens, linear.inputs()));
                let product = x.matmul(&dense.t().unwrap()).unwrap();
                let expected = product.broadcast_add(&bias).unwrap();
                let what = format!("{matrix:?}, {tokens} tokens");
                assert_close(&linear.forward(&x).unwrap(), &expected, &what);
                let grad = random((tokens, linear.outputs()));
                let expected = grad.matmul(&dense).unwrap();
                assert_close(&linear.backward_input(&grad).unwrap(), &expected, &what);
            }
        }
    }

    #[test]
    fn views_and_gathered_rows_are_the_rows_of_the_whole() {
        for matrix in forms() {
            let dense = matrix.to_f32().unwrap();
            let view = matrix.view(5..9).unwrap().to_f32().unwrap();
            let rows = |tensor: &Tensor| tensor.to_vec2::<f32>().unwrap();
            assert_eq!(rows(&view), rows(&dense)[5..9]);
            let gathered = rows(&matrix.gather(&[8, 0, 8], DType::F32).unwrap());
            let dense = rows(&dense);
            assert_eq!(
                gathered,
                [&dense[8], &dense[0], &dense[8]].map(Clone::clone)
            );
            assert!(matrix.view(0..matrix.rows() + 1).is_err());
            assert!(matrix.gather(&[matrix.rows() as u32], DType::F32).is_err());
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let linear = FrozenLinear::new(forms().remove(0), None).unwrap();
        assert!(linear.forward(&random((2, 74))).is_err());
        assert!(linear.backward_input(&random((2, 1100))).is_err());
        let bias = random((1, 75)).squeeze(0).unwrap();
        assert!(FrozenLinear::new(linear.weight().clone(), Some(bias)).is_err());
    }
}
