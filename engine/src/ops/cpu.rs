//! What every CPU kernel shares: access to a tensor's numbers as slices, the [`Real`] trait, matrix
//! multiplication on slices, and dispatch to the widest vector instructions of this processor.

use std::cell::Cell;
use std::ops::Deref;

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor, WithDType, bail};
use rayon::prelude::*;

/// A float type kernels compute in: f32 for work, f64 for finite-difference tests.
pub trait Real:
    WithDType + num_traits::Float + num_traits::NumAssign + Default + Sync + Send
{
    /// e^x; for f32 a branch-free polynomial that vectorizes (relative error below 2e-7).
    fn exp_fast(self) -> Self;
    /// Conversion from f64.
    fn real(value: f64) -> Self;
}

impl Real for f32 {
    #[inline(always)]
    fn exp_fast(self) -> Self {
        // Cephes expf: split x = n ln 2 + r, a degree-6 polynomial for e^r, n into the exponent.
        const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
        let x = self.clamp(-87.3, 88.3);
        let shifted = x * std::f32::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
        let mut p = 1.987_569_1e-4_f32;
        p = p * r + 1.398_2e-3;
        p = p * r + 8.333_452e-3;
        p = p * r + 4.166_579_6e-2;
        p = p * r + 1.666_666_5e-1;
        p = p * r + 0.5;
        let mantissa = p * r * r + r + 1.0;
        let exponent = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
        let scale = f32::from_bits((exponent.wrapping_add(127) as u32) << 23);
        if self < -87.3 { 0.0 } else { mantissa * scale }
    }

    #[inline(always)]
    fn real(value: f64) -> Self {
        value as f32
    }
}

impl Real for f64 {
    #[inline(always)]
    fn exp_fast(self) -> Self {
        num_traits::Float::exp(self)
    }

    #[inline(always)]
    fn real(value: f64) -> Self {
        value
    }
}

/// Read access to a contiguous CPU tensor; holds the tensor's lock while it lives.
pub struct CpuSlice<'a, T> {
    storage: parking_lot::RwLockReadGuard<'a, Storage>,
    range: std::ops::Range<usize>,
    element: std::marker::PhantomData<T>,
}

impl<T: WithDType> Deref for CpuSlice<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &*self.storage {
            Storage::Cpu(storage) => match storage.as_slice::<T>() {
                Ok(all) => &all[self.range.clone()],
                // `read` checked the type and the device, and a storage never changes either.
                Err(_) => unreachable!("the element type was checked"),
            },
            _ => unreachable!("the device was checked"),
        }
    }
}

/// The numbers of a contiguous CPU tensor.
///
/// # Errors
/// When the tensor is not contiguous, not on the CPU or of another element type.
pub fn read<T: WithDType>(tensor: &Tensor) -> Result<CpuSlice<'_, T>> {
    let (storage, layout) = tensor.storage_and_layout();
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!(
            "kernel input of shape {:?} is not contiguous",
            tensor.shape()
        )
    };
    match &*storage {
        Storage::Cpu(cpu) => {
            cpu.as_slice::<T>()?;
        }
        _ => bail!("kernel input is not on the CPU"),
    }
    Ok(CpuSlice {
        storage,
        range: start..end,
        element: std::marker::PhantomData,
    })
}

/// Runs `change` on the numbers of a contiguous CPU tensor, in place. Only for tensors the caller
/// alone knows (fresh results, gradients, optimizer state): views share storage.
///
/// # Errors
/// When the tensor is not contiguous or of another element type.
pub fn update<T: WithDType, R>(tensor: &Tensor, change: impl FnOnce(&mut [T]) -> R) -> Result<R> {
    struct Update<F, T, R> {
        change: Cell<Option<F>>,
        answer: Cell<Option<R>>,
        element: std::marker::PhantomData<T>,
    }
    trait Elements: WithDType {
        fn of(storage: &mut CpuStorage) -> Result<&mut [Self]>;
    }
    impl<T: WithDType> Elements for T {
        fn of(storage: &mut CpuStorage) -> Result<&mut [T]> {
            // `CpuStorage` hands out mutable slices only by variant.
            let values = match storage {
                CpuStorage::F32(values) => cast_mut(values),
                CpuStorage::F64(values) => cast_mut(values),
                CpuStorage::BF16(values) => cast_mut(values),
                CpuStorage::F16(values) => cast_mut(values),
                CpuStorage::U8(values) => cast_mut(values),
                _ => None,
            };
            match values {
                Some(values) => Ok(values),
                None => bail!("kernel output is not of type {:?}", T::DTYPE),
            }
        }
    }
    impl<T: WithDType, R, F: FnOnce(&mut [T]) -> R> InplaceOp1 for Update<F, T, R> {
        fn name(&self) -> &'static str {
            "update"
        }

        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
            let Some((start, end)) = layout.contiguous_offsets() else {
                bail!("kernel output is not contiguous")
            };
            let values = T::of(storage)?;
            if let Some(change) = self.change.take() {
                self.answer.set(Some(change(&mut values[start..end])));
            }
            Ok(())
        }
    }
    let op = Update {
        change: Cell::new(Some(change)),
        answer: Cell::new(None),
        element: std::marker::PhantomData::<T>,
    };
    tensor.inplace_op1(&op)?;
    match op.answer.take() {
        Some(answer) => Ok(answer),
        None => bail!("in-place update did not run"),
    }
}

/// The same numbers, if `A` is `B`: states to the type system what a comparison of types has shown.
pub fn cast<A: WithDType, B: WithDType>(values: &[A]) -> Option<&[B]> {
    // SAFETY: every type of numbers has a DTYPE of its own, so `A` and `B` are the same.
    (A::DTYPE == B::DTYPE)
        .then(|| unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), values.len()) })
}

/// As [`cast`], to write to.
pub fn cast_mut<A: WithDType, B: WithDType>(values: &mut [A]) -> Option<&mut [B]> {
    // SAFETY: as above.
    (A::DTYPE == B::DTYPE).then(|| unsafe {
        std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len())
    })
}

/// Calls `$body` with `$T` bound to the tensor's float type.
macro_rules! by_float_type {
    ($tensor:expr, $T:ident => $body:expr) => {
        match $tensor.dtype() {
            candle_core::DType::F32 => {
                type $T = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $T = f64;
                $body
            }
            other => candle_core::bail!("kernels compute in f32 or f64, not {other:?}"),
        }
    };
}
pub(crate) use by_float_type;

/// Runs a closure compiled for the widest vector instructions this processor has. Whatever should
/// profit must be inlined into it.
#[inline(always)]
pub fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Below this many numbers a loop runs on the calling thread alone.
const PARALLEL_THRESHOLD: usize = 1 << 15;

/// Splits `out` in rows of `width` and runs `work(first_row, rows)` on blocks of whole rows in
/// parallel. Every row is computed alike wherever the cuts fall, so results do not depend on the
/// number of threads.
pub fn for_row_blocks<T: Send>(
    out: &mut [T],
    width: usize,
    work: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    if width == 0 || out.is_empty() {
        return;
    }
    let rows = out.len() / width;
    if out.len() < PARALLEL_THRESHOLD || rows == 1 {
        return work(0, out);
    }
    let block_rows = rows.div_ceil(4 * rayon::current_num_threads()).max(1);
    out.par_chunks_mut(block_rows * width)
        .enumerate()
        .for_each(|(block, rows)| work(block * block_rows, rows));
}

/// Lets this thread and every worker thread make the buffers that a thread keeps for matrix products
/// as long as it lives, so that they are there before memory is measured.
pub fn prepare_workers() {
    let prepare = || gemm_common::gemm::L2_SLAB.with(|_| ());
    prepare();
    rayon::broadcast(|_| prepare());
}

const LANES: usize = 16;

/// Sum of products, in a fixed order that vectorizes.
#[inline(always)]
pub fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::zero(); LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let mut total = fold(lanes, |a, b| a + b);
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        total += a * b;
    }
    total
}

/// Sum, in a fixed order that vectorizes.
#[inline(always)]
pub fn sum<T: Real>(values: &[T]) -> T {
    let mut lanes = [T::zero(); LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] += block[lane];
        }
    }
    rest.iter()
        .fold(fold(lanes, |a, b| a + b), |total, &value| total + value)
}

/// Largest value, or minus infinity for none.
#[inline(always)]
pub fn max<T: Real>(values: &[T]) -> T {
    let larger = |a: T, b: T| if b > a { b } else { a };
    let mut lanes = [T::neg_infinity(); LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] = larger(lanes[lane], block[lane]);
        }
    }
    rest.iter()
        .fold(fold(lanes, larger), |most, &value| larger(most, value))
}

#[inline(always)]
fn fold<T: Copy>(lanes: [T; LANES], join: impl Fn(T, T) -> T) -> T {
    let mut lanes = lanes;
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = join(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// A matrix inside a slice: element `(row, column)` lies at `row * row_stride + column * column_stride`.
#[derive(Clone, Copy)]
pub struct Strides {
    /// Distance between rows.
    pub row: usize,
    /// Distance between columns.
    pub column: usize,
}

impl Strides {
    /// Rows of `width` numbers one after the other.
    pub fn row_major(width: usize) -> Self {
        Self {
            row: width,
            column: 1,
        }
    }

    /// The transpose of a row-major matrix whose rows have `width` numbers.
    pub fn transposed(width: usize) -> Self {
        Self {
            row: 1,
            column: width,
        }
    }

    fn last(self, rows: usize, columns: usize) -> usize {
        (rows - 1) * self.row + (columns - 1) * self.column
    }
}

/// Who computes a matrix product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// The calling thread.
    One,
    /// Every thread of the pool.
    All,
}

/// What happens to the numbers already in the output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// They are replaced.
    Overwrite,
    /// The product is added to them.
    Add,
}

/// `out (+)= factor * a b` with `a` of `[m, k]`, `b` of `[k, n]`, `out` of `[m, n]`.
#[allow(
    clippy::too_many_arguments,
    reason = "a matrix product has three matrices and three sizes"
)]
pub fn matmul<T: Real>(
    (m, n, k): (usize, usize, usize),
    (out, out_strides): (&mut [T], Strides),
    (a, a_strides): (&[T], Strides),
    (b, b_strides): (&[T], Strides),
    factor: T,
    output: Output,
    workers: Workers,
) {
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if output == Output::Overwrite {
            for row in 0..m {
                for column in 0..n {
                    out[row * out_strides.row + column * out_strides.column] = T::zero();
                }
            }
        }
        return;
    }
    assert!(
        out_strides.last(m, n) < out.len(),
        "matmul output is too small"
    );
    assert!(
        a_strides.last(m, k) < a.len(),
        "matmul left side is too small"
    );
    assert!(
        b_strides.last(k, n) < b.len(),
        "matmul right side is too small"
    );
    let parallelism = match workers {
        // A product this small is done before a second thread has woken.
        Workers::All if m * n * k > 1 << 16 => gemm::Parallelism::Rayon(0),
        _ => gemm::Parallelism::None,
    };
    // SAFETY: the assertions above keep every index the strides can reach inside the slices.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            out_strides.column as isize,
            out_strides.row as isize,
            output == Output::Add,
            a.as_ptr(),
            a_strides.column as isize,
            a_strides.row as isize,
            b.as_ptr(),
            b_strides.column as isize,
            b_strides.row as isize,
            T::one(),
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_fast_is_exp() {
        let mut worst = 0f64;
        for i in -87_000..88_000 {
            let x = i as f32 / 1000.0;
            let (ours, exact) = (f64::from(x.exp_fast()), f64::from(x).exp());
            worst = worst.max((ours / exact - 1.0).abs());
        }
        assert!(worst < 2e-7, "relative error {worst}");
        assert_eq!(f32::NEG_INFINITY.exp_fast(), 0.0);
        assert_eq!((-100f32).exp_fast(), 0.0);
    }

    #[test]
    fn reductions_cover_every_length() {
        for length in 0..70 {
            let a: Vec<f64> = (0..length).map(|i| f64::from(i) - 7.5).collect();
            let b: Vec<f64> = (0..length).map(|i| 1.0 / f64::from(i + 1)).collect();
            let exact: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            assert!((dot(&a, &b) - exact).abs() < 1e-12);
            assert!((sum(&a) - a.iter().sum::<f64>()).abs() < 1e-12);
            assert_eq!(max(&a), a.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        }
    }
}
