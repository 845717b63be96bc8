//! In-place element-by-element arithmetic, for tensors that the caller alone knows, and copies.

use candle_core::{DType, Device, Result, Shape, Tensor, WithDType, bail};

use super::cpu::{self, Real, by_float_type};
use super::on_card;

/// `target += factor * addend`. On a card the two may be of different types.
///
/// # Errors
/// When shapes or, in RAM, types differ.
pub fn add_scaled(target: &Tensor, addend: &Tensor, factor: f64) -> Result<()> {
    if target.shape() != addend.shape() {
        bail!("cannot add {:?} to {:?}", addend.shape(), target.shape());
    }
    on_card!(
        target,
        super::cuda::elementwise::add_scaled(target, addend, factor)
    );
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

/// A tensor of zeros.
///
/// # Errors
/// When memory runs out; on a card it is noted how much was asked for.
pub fn zeros(shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        return super::cuda::zeros(shape, dtype, device);
    }
    Tensor::zeros(shape, dtype, device)
}

/// Zeros of the shape and type of `x`, where it lies.
///
/// # Errors
/// As [`zeros`].
pub fn zeros_like(x: &Tensor) -> Result<Tensor> {
    zeros(x.shape(), x.dtype(), x.device())
}

/// The numbers of `x` in a tensor of their own. `Tensor::copy` would copy all of the storage that `x`
/// may be a small view of.
///
/// # Errors
/// When memory runs out.
pub fn copy(x: &Tensor) -> Result<Tensor> {
    on_card!(x, super::cuda::elementwise::copy(x));
    let copied = x.zeros_like()?;
    copied.slice_set(x, 0, 0)?;
    Ok(copied)
}

/// The numbers of `x` as another float type; `x` itself if it is of that type.
///
/// # Errors
/// When memory runs out.
pub fn to_type(x: &Tensor, dtype: DType) -> Result<Tensor> {
    if x.dtype() == dtype {
        return Ok(x.clone());
    }
    on_card!(x, super::cuda::elementwise::to_type(x, dtype));
    x.to_dtype(dtype)
}

/// The numbers of `x` on a device; `x` itself if it lies there. `Tensor::to_device` would move all of the
/// storage that `x` may be a small view of.
///
/// # Errors
/// When memory runs out.
pub fn to_device(x: &Tensor, device: &Device) -> Result<Tensor> {
    match x.device().same_device(device) {
        true => Ok(x.clone()),
        false => copy(x)?.to_device(device),
    }
}

/// Copies the numbers of `source` to `target`, which is of the same type and count and shares no
/// storage with it; both are contiguous.
///
/// # Errors
/// When they do not fit.
pub fn copy_into(target: &Tensor, source: &Tensor) -> Result<()> {
    if target.elem_count() != source.elem_count() {
        bail!("a copy of {:?} to {:?}", source.shape(), target.shape());
    }
    on_card!(target, super::cuda::elementwise::copy_into(target, source));
    target
        .flatten_all()?
        .slice_set(&source.flatten_all()?, 0, 0)
}

/// Copies blocks of so many numbers: the first begins at number `start` of the source and of the
/// target, each further one `stride` numbers behind the one before. Each is given as `(tensor, start,
/// stride)`; they are contiguous, of the same type and share no storage.
///
/// # Errors
/// When a block reaches beyond a tensor's end, or the types differ.
pub fn copy_blocks(
    target: (&Tensor, usize, usize),
    source: (&Tensor, usize, usize),
    blocks: usize,
    numbers: usize,
) -> Result<()> {
    on_card!(
        target.0,
        super::cuda::elementwise::copy_blocks(target, source, blocks, numbers)
    );
    by_float_type!(source.0, T => copy_typed_blocks::<T>(target, source, blocks, numbers))
}

fn copy_typed_blocks<T: WithDType>(
    (target, target_start, target_stride): (&Tensor, usize, usize),
    (source, source_start, source_stride): (&Tensor, usize, usize),
    blocks: usize,
    numbers: usize,
) -> Result<()> {
    let ends = |tensor: &Tensor, start: usize, stride: usize| {
        blocks == 0 || start + (blocks - 1) * stride + numbers <= tensor.elem_count()
    };
    if !ends(target, target_start, target_stride) || !ends(source, source_start, source_stride) {
        bail!("{blocks} blocks of {numbers} numbers from {source:?} to {target:?}");
    }
    let storage = |tensor: &Tensor| std::ptr::from_ref(&*tensor.storage_and_layout().0);
    if std::ptr::eq(storage(target), storage(source)) {
        bail!("a copy within one storage");
    }
    let from = cpu::read::<T>(source)?;
    cpu::update::<T, _>(target, |to| {
        for block in 0..blocks {
            let to = &mut to[target_start + block * target_stride..][..numbers];
            to.copy_from_slice(&from[source_start + block * source_stride..][..numbers]);
        }
    })
}

/// The rows of tensors `[rows, width]` one below the other; on a card, where their types may differ, in
/// f32 if they do.
///
/// # Errors
/// When there are none, or they do not fit together.
pub fn cat_rows(parts: &[Tensor]) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if let Some(first) = parts.first().filter(|part| part.device().is_cuda()) {
        return super::cuda::elementwise::cat_rows(first, parts);
    }
    Tensor::cat(parts, 0)
}

/// `x` with the numbers zeroed that are not `kept`, which is asked for each in turn, and the others
/// times `factor`.
///
/// # Errors
/// When the tensor cannot be read.
pub fn masked(x: &Tensor, factor: f64, mut kept: impl FnMut() -> bool) -> Result<Tensor> {
    on_card!(x, {
        let kept = (0..x.elem_count()).map(|_| u8::from(kept())).collect();
        super::cuda::elementwise::masked(x, kept, factor)
    });
    let masked = copy(x)?;
    by_float_type!(x, T => {
        let factor = T::real(factor);
        cpu::update::<T, _>(&masked, |values| {
            for value in values {
                *value = if kept() { *value * factor } else { T::default() };
            }
        })?;
    });
    Ok(masked)
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
    on_card!(target, super::cuda::elementwise::scale(target, factor));
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
    on_card!(x, super::cuda::elementwise::gather_rows(x, indices));
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
    on_card!(x, super::cuda::elementwise::add_rows(target, x, indices));
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
    on_card!(a, super::cuda::elementwise::inner_product(a, b));
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

    fn counted(shape: (usize, usize)) -> Tensor {
        let numbers = Tensor::arange(0f32, (shape.0 * shape.1) as f32, &Device::Cpu);
        numbers.unwrap().reshape(shape).unwrap()
    }

    #[test]
    fn blocks_are_copied_between_strides() {
        let (source, target) = (counted((4, 3)), counted((2, 5)).zeros_like().unwrap());
        copy_blocks((&target, 1, 5), (&source, 2, 6), 2, 3).unwrap();
        let expected = [[0.0, 2.0, 3.0, 4.0, 0.0], [0.0, 8.0, 9.0, 10.0, 0.0]];
        assert_eq!(target.to_vec2::<f32>().unwrap(), expected);
        assert!(copy_blocks((&target, 3, 5), (&source, 0, 0), 2, 3).is_err());
        assert!(copy_blocks((&target, 0, 0), (&target, 5, 0), 1, 5).is_err());
        let part = source.narrow(0, 1, 2).unwrap();
        copy_into(
            &target.narrow(0, 1, 1).unwrap(),
            &part.narrow(0, 0, 1).unwrap(),
        )
        .unwrap_err();
        copy_into(
            &target.flatten_all().unwrap().narrow(0, 4, 6).unwrap(),
            &part,
        )
        .unwrap();
        let expected = [[0.0, 2.0, 3.0, 4.0, 3.0], [4.0, 5.0, 6.0, 7.0, 8.0]];
        assert_eq!(target.to_vec2::<f32>().unwrap(), expected);
    }

    #[test]
    fn a_mask_asks_for_each_number_in_turn() {
        let mut asked = 0;
        let kept = masked(&counted((2, 2)), 2.0, || {
            asked += 1;
            asked != 3
        });
        assert_eq!(
            kept.unwrap().to_vec2::<f32>().unwrap(),
            [[0.0, 2.0], [0.0, 6.0]]
        );
    }

    #[test]
    fn a_copy_of_a_view_is_the_view_alone() {
        let whole = Tensor::arange(0f32, 12.0, &Device::Cpu).unwrap();
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
