//! Matrix products on the card, by cuBLAS: sums in f32 whatever the type of the factors. The same
//! sizes on the same card give the same bits.

use std::ffi::c_void;

use candle_core::cuda_backend::cudarc::cublas::{result, sys};
use candle_core::{DType, Result, Tensor, bail};

use super::{address, device_of};
use crate::ops::cpu::Output;

/// A row-major matrix inside a tensor, or its transpose.
#[derive(Clone, Copy)]
pub struct Factor<'a> {
    tensor: &'a Tensor,
    /// First number of the tensor that belongs to it.
    first: usize,
    /// Numbers from one row to the next, as it lies in memory.
    stride: usize,
    is_transposed: bool,
}

impl<'a> Factor<'a> {
    /// Rows of `width` numbers one after the other.
    pub fn row_major(tensor: &'a Tensor, width: usize) -> Self {
        Self {
            tensor,
            first: 0,
            stride: width,
            is_transposed: false,
        }
    }

    /// The transpose of a row-major matrix whose rows have `width` numbers.
    pub fn transposed(tensor: &'a Tensor, width: usize) -> Self {
        Self {
            is_transposed: true,
            ..Self::row_major(tensor, width)
        }
    }

    /// The columns from `first` on, of a matrix that is not transposed.
    #[must_use]
    pub fn from_column(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// Numbers that reach from the first to the last one used of `[rows, columns]`, as it lies.
    fn checked(&self, rows: usize, columns: usize) -> Result<()> {
        let (rows, columns) = match self.is_transposed {
            true => (columns, rows),
            false => (rows, columns),
        };
        let reach = self.first + (rows - 1) * self.stride + columns;
        if columns > self.stride || reach > self.tensor.elem_count() {
            bail!(
                "a factor of {rows} x {columns} in {:?}",
                self.tensor.shape()
            );
        }
        Ok(())
    }

    fn pointer(&self) -> Result<*mut c_void> {
        let offset = self.first * self.tensor.dtype().size_in_bytes();
        Ok((address(self.tensor)? + offset as u64) as *mut c_void)
    }

    fn operation(&self) -> sys::cublasOperation_t {
        match self.is_transposed {
            true => sys::cublasOperation_t::CUBLAS_OP_T,
            false => sys::cublasOperation_t::CUBLAS_OP_N,
        }
    }
}

/// `out (+)= factor * a b` with `a` of `[m, k]`, `b` of `[k, n]`, `out` of `[m, n]`, not transposed.
/// `a` and `b` have one type; `out` has it too, or is f32.
///
/// # Errors
/// When sizes or types do not fit, or cuBLAS refuses.
pub fn matmul(
    (m, n, k): (usize, usize, usize),
    out: Factor<'_>,
    a: Factor<'_>,
    b: Factor<'_>,
    factor: f64,
    output: Output,
) -> Result<()> {
    if m == 0 || n == 0 || k == 0 {
        if k == 0 && output == Output::Overwrite && m * n > 0 {
            bail!("a product over nothing");
        }
        return Ok(());
    }
    let types = (a.tensor.dtype(), b.tensor.dtype(), out.tensor.dtype());
    if types.0 != types.1 || ![types.0, DType::F32].contains(&types.2) {
        bail!(
            "a product of {:?} and {:?} into {:?}",
            types.0,
            types.1,
            types.2
        );
    }
    a.checked(m, k)?;
    b.checked(k, n)?;
    out.checked(m, n)?;
    let device = device_of(out.tensor)?;
    let (alpha, beta) = (
        factor as f32,
        match output {
            Output::Overwrite => 0f32,
            Output::Add => 1f32,
        },
    );
    let int = |size: usize| i32::try_from(size).map_err(candle_core::Error::wrap);
    let scalar = |value: &f32| std::ptr::from_ref(value).cast::<c_void>();
    // cuBLAS counts columns first: it is asked for out^T = b^T a^T.
    // SAFETY: the pointers are those of tensors on this card that live until the call returns, whose
    // memory is given back in the order of the stream; the checks above keep every element that the
    // sizes and strides reach inside them. The scalars are read before the call returns.
    unsafe {
        result::gemm_ex(
            *device.cublas_handle().handle(),
            b.operation(),
            a.operation(),
            int(n)?,
            int(m)?,
            int(k)?,
            scalar(&alpha),
            b.pointer()?,
            type_of(types.1)?,
            int(b.stride)?,
            a.pointer()?,
            type_of(types.0)?,
            int(a.stride)?,
            scalar(&beta),
            out.pointer()?,
            type_of(types.2)?,
            int(out.stride)?,
            sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
            sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
        )
    }
    .map_err(candle_core::Error::wrap)
}

fn type_of(dtype: DType) -> Result<sys::cudaDataType> {
    match dtype {
        DType::F32 => Ok(sys::cudaDataType::CUDA_R_32F),
        DType::F16 => Ok(sys::cudaDataType::CUDA_R_16F),
        DType::BF16 => Ok(sys::cudaDataType::CUDA_R_16BF),
        other => bail!("a product of {other:?}"),
    }
}
