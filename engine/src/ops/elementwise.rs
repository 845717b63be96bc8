//! In-place element-by-element arithmetic, for tensors that the caller alone knows.

use candle_core::{DType, Result, Tensor, bail};

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

/// The numbers of `x` in a tensor of their own. `Tensor::copy` would copy all of the storage that `x`
/// may be a small view of.
///
/// # Errors
/// When memory runs out.
pub fn copy(x: &Tensor) -> Result<Tensor> {
    let copied = x.zeros_like()?;
    copied.slice_set(x, 0, 0)?;
    Ok(copied)
}

/// `x` in another float type.
///
/// # Errors
/// When memory runs out.
pub fn to_type(x: &Tensor, dtype: DType) -> Result<Tensor> {
    x.to_dtype(dtype)
}

/// Rows of several tensors, one after the other.
///
/// # Errors
/// When memory runs out.
pub fn cat_rows(parts: &[Tensor]) -> Result<Tensor> {
    Tensor::cat(parts, 0)
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

/// The transpose of [`gather_rows`]: adds row `i` of `x` `[indices, width]` to row `indices[i]` of
/// `target` `[rows, width]`.
///
/// # Errors
/// When an index is out of range.
pub fn add_rows(target: &Tensor, x: &Tensor, indices: &[u32]) -> Result<()> {
    let ((count, width), (rows, target_width)) = (x.dims2()?, target.dims2()?);
    let outside = indices.iter().any(|&index| index as usize >= rows);
    if count != indices.len() || width != target_width || outside {
        bail!(
            "{:?} to {} rows of {:?}",
            x.shape(),
            indices.len(),
            target.shape()
        );
    }
    by_float_type!(x, T => {
        let values = cpu::read::<T>(x)?;
        let values: &[T] = &values;
        cpu::update::<T, _>(target, |output| {
            for (row, &index) in values.chunks_exact(width).zip(indices) {
                let at = index as usize * width;
                for (sum, &value) in output[at..at + width].iter_mut().zip(row) {
                    *sum += value;
                }
            }
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_view_is_the_view_alone() {
        let whole = Tensor::arange(0f32, 12.0, &candle_core::Device::Cpu).unwrap();
        let whole = whole.reshape((6, 2)).unwrap();
        let copied = copy(&whole.narrow(0, 2, 2).unwrap()).unwrap();
        assert_eq!(copied.to_vec2::<f32>().unwrap(), [[4.0, 5.0], [6.0, 7.0]]);
        let (storage, _) = copied.storage_and_layout();
        let candle_core::Storage::Cpu(candle_core::CpuStorage::F32(values)) = &*storage else {
            panic!("f32 on the CPU");
        };
        assert_eq!(values.len(), 4);
    }
}
