//! In-place element-by-element arithmetic, for tensors that the caller alone knows.

use candle_core::{Result, Tensor, bail};

use super::cpu::{self, Real, by_float_type};

/// `target += factor * addend`.
///
/// # Errors
/// When shapes or types differ.
pub fn add_scaled(target: &Tensor, addend: &Tensor, factor: f64) -> Result<()> {
    if target.shape() != addend.shape() {
        bail!("cannot add {:?} to {:?}", addend.shape(), target.shape());
    }
    by_float_type!(target, T => {
        let addend = cpu::read::<T>(addend)?;
        let addend: &[T] = &addend;
        let factor = T::real(factor);
        cpu::update::<T, _>(target, |values| {
            cpu::for_row_blocks(values, 1, |first, values| {
                cpu::vectorized(|| {
                    for (value, &addend) in values.iter_mut().zip(&addend[first..]) {
                        *value += factor * addend;
                    }
                });
            });
        })
    })
}

/// `target += addend`.
///
/// # Errors
/// When shapes or types differ.
pub fn add(target: &Tensor, addend: &Tensor) -> Result<()> {
    add_scaled(target, addend, 1.0)
}

/// `target *= factor`.
///
/// # Errors
/// When the tensor cannot be changed.
pub fn scale(target: &Tensor, factor: f64) -> Result<()> {
    by_float_type!(target, T => {
        let factor = T::real(factor);
        cpu::update::<T, _>(target, |values| {
            cpu::for_row_blocks(values, 1, |_, values| {
                values.iter_mut().for_each(|value| *value *= factor);
            });
        })
    })
}

/// Rows of `x` `[rows, width]` at the given indices: `[indices, width]`.
///
/// # Errors
/// When an index is out of range.
pub fn gather_rows(x: &Tensor, indices: &[u32]) -> Result<Tensor> {
    x.index_select(&Tensor::from_slice(indices, indices.len(), x.device())?, 0)
}

/// The transpose of [`gather_rows`]: a `[rows, width]` tensor of zeros to which row `i` of `x` is
/// added at `indices[i]`.
///
/// # Errors
/// When an index is out of range.
pub fn scatter_rows(x: &Tensor, indices: &[u32], rows: usize) -> Result<Tensor> {
    let (count, width) = x.dims2()?;
    if count != indices.len() || indices.iter().any(|&index| index as usize >= rows) {
        bail!("{count} rows to {} indices below {rows}", indices.len());
    }
    by_float_type!(x, T => {
        let values = cpu::read::<T>(x)?;
        let mut output = vec![T::default(); rows * width];
        for (row, &index) in values.chunks_exact(width).zip(indices) {
            let at = index as usize * width;
            for (sum, &value) in output[at..at + width].iter_mut().zip(row) {
                *sum += value;
            }
        }
        Tensor::from_vec(output, (rows, width), x.device())
    })
}

/// Sum of `a * b` over all elements, accumulated in f64 in a fixed order.
///
/// # Errors
/// When shapes or types differ.
pub fn inner_product(a: &Tensor, b: &Tensor) -> Result<f64> {
    if a.shape() != b.shape() {
        bail!("inner product of {:?} and {:?}", a.shape(), b.shape());
    }
    by_float_type!(a, T => {
        let (a, b) = (cpu::read::<T>(a)?, cpu::read::<T>(b)?);
        Ok(inner::<T>(&a, &b))
    })
}

fn inner<T: Real>(a: &[T], b: &[T]) -> f64 {
    cpu::vectorized(|| {
        let blocks = a.chunks(1024).zip(b.chunks(1024));
        blocks
            .map(|(a, b)| candle_core::WithDType::to_f64(cpu::dot(a, b)))
            .sum()
    })
}
