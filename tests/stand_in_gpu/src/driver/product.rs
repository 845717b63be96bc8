//! Matrix products as cuBLAS computes them: column-major, every operand possibly transposed. Each
//! element is summed in single (or double) precision from the first product to the last, so a
//! result never depends on how many threads there are.

use half::{bf16, f16};
use rayon::prelude::*;

/// The types elements are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Stored {
    F16,
    Bf16,
    F32,
    F64,
}

impl Stored {
    /// The type of a `cudaDataType`.
    pub fn of(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F64,
            2 => Self::F16,
            14 => Self::Bf16,
            _ => return None,
        })
    }

    /// Bytes of an element.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// A matrix in memory.
#[derive(Clone, Copy, Debug)]
pub struct Operand {
    /// Where it begins.
    pub address: u64,
    /// What its elements are.
    pub stored: Stored,
    /// Elements from one column to the next.
    pub leading: usize,
    /// Whether rows and columns are exchanged when it is read.
    pub transposed: bool,
}

/// `c = alpha a b + beta c`, with `a` of `m` by `k` and `b` of `k` by `n`.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Product {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub alpha: f64,
    pub beta: f64,
    pub a: Operand,
    pub b: Operand,
    pub c: Operand,
}

/// What sums are made in.
trait Number: Copy + Send + Sync + Default {
    fn of(value: f64) -> Self;
    fn to(self) -> f64;
    fn add_product(self, a: Self, b: Self) -> Self;
}

macro_rules! number {
    ($kind:ty) => {
        impl Number for $kind {
            #[inline]
            fn of(value: f64) -> Self {
                value as Self
            }
            #[inline]
            fn to(self) -> f64 {
                self.into()
            }
            #[inline]
            fn add_product(self, a: Self, b: Self) -> Self {
                self + a * b
            }
        }
    };
}
number!(f32);
number!(f64);

impl Operand {
    #[inline]
    fn get<T: Number>(&self, row: usize, column: usize) -> T {
        let (row, column) = if self.transposed {
            (column, row)
        } else {
            (row, column)
        };
        let at = column * self.leading + row;
        let first = self.address as usize;
        // SAFETY: whoever asks for a product has checked that the matrices lie in allocations.
        unsafe {
            match self.stored {
                Stored::F16 => T::of(
                    std::ptr::with_exposed_provenance::<f16>(first)
                        .add(at)
                        .read()
                        .to_f64(),
                ),
                Stored::Bf16 => T::of(
                    std::ptr::with_exposed_provenance::<bf16>(first)
                        .add(at)
                        .read()
                        .to_f64(),
                ),
                Stored::F32 => T::of(f64::from(
                    std::ptr::with_exposed_provenance::<f32>(first)
                        .add(at)
                        .read(),
                )),
                Stored::F64 => T::of(
                    std::ptr::with_exposed_provenance::<f64>(first)
                        .add(at)
                        .read(),
                ),
            }
        }
    }

    fn set(&self, row: usize, column: usize, value: f64) {
        let at = column * self.leading + row;
        let first = self.address as usize;
        // SAFETY: as above, and every element of the result is written by one task.
        unsafe {
            match self.stored {
                Stored::F16 => std::ptr::with_exposed_provenance_mut::<f16>(first)
                    .add(at)
                    .write(f16::from_f32(value as f32)),
                Stored::Bf16 => std::ptr::with_exposed_provenance_mut::<bf16>(first)
                    .add(at)
                    .write(bf16::from_f32(value as f32)),
                Stored::F32 => {
                    std::ptr::with_exposed_provenance_mut::<f32>(first)
                        .add(at)
                        .write(value as f32);
                }
                Stored::F64 => {
                    std::ptr::with_exposed_provenance_mut::<f64>(first)
                        .add(at)
                        .write(value);
                }
            }
        }
    }
}

/// Rows and columns that are computed together.
const ROWS: usize = 8;
const COLUMNS: usize = 4;

fn compute<T: Number>(product: &Product) {
    let Product {
        m,
        n,
        k,
        alpha,
        beta,
        a,
        b,
        c,
    } = *product;
    let panels = m.div_ceil(ROWS);
    // Panels of rows, so that the innermost loop reads both operands from one end to the other.
    let mut packed = vec![T::default(); panels * k * ROWS];
    if k > 0 {
        packed
            .par_chunks_mut(k * ROWS)
            .enumerate()
            .for_each(|(panel, packed)| {
                for row in 0..ROWS.min(m - panel * ROWS) {
                    for (at, values) in packed.chunks_exact_mut(ROWS).enumerate() {
                        values[row] = a.get(panel * ROWS + row, at);
                    }
                }
            });
    }
    (0..n.div_ceil(COLUMNS)).into_par_iter().for_each(|group| {
        let first = group * COLUMNS;
        let columns = COLUMNS.min(n - first);
        let mut right = vec![[T::default(); COLUMNS]; k];
        for column in 0..columns {
            for (at, values) in right.iter_mut().enumerate() {
                values[column] = b.get(at, first + column);
            }
        }
        for panel in 0..panels {
            let left = &packed[panel * k * ROWS..(panel + 1) * k * ROWS];
            let mut sums = [[T::default(); ROWS]; COLUMNS];
            for (left, right) in left.chunks_exact(ROWS).zip(&right) {
                for (sums, &right) in sums.iter_mut().zip(right) {
                    for (sum, &left) in sums.iter_mut().zip(left) {
                        *sum = sum.add_product(left, right);
                    }
                }
            }
            for (column, sums) in sums.iter().enumerate().take(columns) {
                for (row, sum) in sums.iter().enumerate().take(m - panel * ROWS) {
                    let (row, column) = (panel * ROWS + row, first + column);
                    // With a beta of zero nothing is read: it may not have been written yet.
                    let kept = if beta == 0.0 {
                        0.0
                    } else {
                        beta * c.get::<T>(row, column).to()
                    };
                    c.set(row, column, alpha * sum.to() + kept);
                }
            }
        }
    });
}

/// Computes a product.
///
/// # Safety
/// The matrices lie in memory that is allocated, and the result overlaps neither operand.
pub unsafe fn multiply(product: &Product) {
    if product.c.stored == Stored::F64 {
        compute::<f64>(product)
    } else {
        compute::<f32>(product)
    }
}
