//! How a kernel is found, given its arguments and started. All unsafe code of the card's operations is
//! here and in the matrix products.

use std::cell::Cell;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaStream, DevicePtr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDevice, CudaStorageSlice};
use candle_core::{DType, Device, Result, Shape, Storage, Tensor, bail};

/// The kernels of one source file, compiled for two generations of cards.
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    /// The file's name.
    pub name: &'static str,
    /// PTX for every card since compute capability 7.5: no bf16.
    pub sm_75: &'static str,
    /// PTX for every card since 8.0.
    pub sm_80: &'static str,
}

/// The kernels of `kernels/<name>.cu`.
macro_rules! kernels {
    ($name:literal) => {
        $crate::ops::cuda::Kernels {
            name: $name,
            sm_75: include_str!(concat!("ptx/", $name, ".sm_75.ptx")),
            sm_80: include_str!(concat!("ptx/", $name, ".sm_80.ptx")),
        }
    };
}
pub(super) use kernels;

/// One kernel, ready to be started.
pub struct Kernel {
    function: CudaFunction,
    stream: Arc<CudaStream>,
}

/// How many threads work, and what they share.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Blocks in x, y and z.
    pub blocks: (u32, u32, u32),
    /// Threads of a block.
    pub threads: u32,
    /// Bytes of shared memory that a block is given beside what its kernel declares.
    pub shared_bytes: u32,
}

/// What a kernel is told. The order and types are those of its declaration in the source file.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a> {
    /// The address of a contiguous tensor's first number.
    Tensor(&'a Tensor),
    /// A null pointer, for a tensor that there is none of.
    None,
    /// `unsigned int`
    U32(u32),
    /// `unsigned long long`
    U64(u64),
    /// `float`
    F32(f32),
}

impl<'a> Argument<'a> {
    /// A tensor's address, or null.
    pub fn maybe(tensor: Option<&'a Tensor>) -> Self {
        tensor.map_or(Self::None, Self::Tensor)
    }

    /// A size, which must fit 32 bits.
    ///
    /// # Errors
    /// When it does not.
    pub fn size(size: usize) -> Result<Self> {
        match u32::try_from(size) {
            Ok(size) => Ok(Self::U32(size)),
            Err(_) => bail!("a size of {size} for a kernel"),
        }
    }
}

impl Grid {
    /// A block of `threads` for each row.
    ///
    /// # Errors
    /// When there are more rows than a grid can have.
    pub fn rows(rows: usize, threads: u32) -> Result<Self> {
        Self::of((rows, 1, 1), threads)
    }

    /// A thread for each of so many elements, 256 in a block.
    ///
    /// # Errors
    /// When there are more than a grid can have.
    pub fn elements(elements: usize) -> Result<Self> {
        Self::of((elements.div_ceil(256), 1, 1), 256)
    }

    /// So many blocks in x, y and z.
    ///
    /// # Errors
    /// When a grid cannot have so many.
    pub fn of((x, y, z): (usize, usize, usize), threads: u32) -> Result<Self> {
        let fits = x <= i32::MAX as usize && y <= 65_535 && z <= 65_535;
        if !fits {
            bail!("a grid of {x} x {y} x {z} blocks");
        }
        Ok(Self {
            blocks: (x as u32, y as u32, z as u32),
            threads,
            shared_bytes: 0,
        })
    }

    /// The same with shared memory.
    #[must_use]
    pub fn with_shared_bytes(self, shared_bytes: usize) -> Self {
        Self {
            shared_bytes: shared_bytes as u32,
            ..self
        }
    }
}

/// The card that a tensor lies on.
///
/// # Errors
/// When it lies elsewhere.
pub fn device_of(tensor: &Tensor) -> Result<&CudaDevice> {
    match tensor.device() {
        Device::Cuda(device) => Ok(device),
        _ => bail!("a tensor in RAM for a kernel of the card"),
    }
}

/// The name of a float type in the names of kernels.
///
/// # Errors
/// When kernels know no such type.
pub fn type_name(dtype: DType) -> Result<&'static str> {
    match dtype {
        DType::F32 => Ok("f32"),
        DType::F16 => Ok("f16"),
        DType::BF16 => Ok("bf16"),
        other => bail!("kernels compute with f32, f16 and bf16, not {other:?}"),
    }
}

/// Checks that `tensor` has the shape of another.
///
/// # Errors
/// When it has not.
pub fn same_shape(what: &str, tensor: &Tensor, other: &Tensor) -> Result<()> {
    if tensor.shape() != other.shape() {
        bail!("{what} {:?} for {:?}", tensor.shape(), other.shape());
    }
    Ok(())
}

/// Checks that `tensor` has the shape and type of another.
///
/// # Errors
/// When it has not.
pub fn same_kind(what: &str, tensor: &Tensor, other: &Tensor) -> Result<()> {
    same_shape(what, tensor, other)?;
    if tensor.dtype() != other.dtype() {
        bail!("{what} of {:?} for {:?}", tensor.dtype(), other.dtype());
    }
    Ok(())
}

/// The kernel `function` of a source file.
///
/// # Errors
/// When the file has none of this name for this card: those with bf16 need compute capability 8.0.
pub fn kernel(device: &CudaDevice, kernels: Kernels, function: &str) -> Result<Kernel> {
    let ptx = match capability(device)? {
        (8.., _) => kernels.sm_80,
        _ => kernels.sm_75,
    };
    let function = device.get_or_load_custom_func(function, kernels.name, ptx)?;
    Ok(Kernel {
        function: function.into_cuda_function(),
        stream: device.cuda_stream(),
    })
}

/// The card's name.
pub fn name(device: &CudaDevice) -> String {
    let stream = device.cuda_stream();
    { stream.context().name() }.unwrap_or_else(|_| "NVIDIA card".to_owned())
}

/// Bytes of the card's memory, all and free.
///
/// # Errors
/// When the driver does not tell.
pub fn memory(device: &CudaDevice) -> Result<(u64, u64)> {
    let stream = device.cuda_stream();
    let context = stream.context();
    let (free, total) = context.mem_get_info().map_err(candle_core::Error::wrap)?;
    Ok((total as u64, free as u64))
}

/// Compute capability, major and minor.
///
/// # Errors
/// When the driver does not tell.
pub fn capability(device: &CudaDevice) -> Result<(i32, i32)> {
    let stream = device.cuda_stream();
    let (major, minor) = stream
        .context()
        .compute_capability()
        .map_err(candle_core::Error::wrap)?;
    Ok((major, minor))
}

impl Kernel {
    /// Starts it. It runs after everything started before.
    ///
    /// # Errors
    /// When a tensor is not contiguous or not on the card, or the driver refuses.
    pub fn launch(&self, grid: Grid, arguments: &[Argument<'_>]) -> Result<()> {
        let (x, y, z) = grid.blocks;
        if x == 0 || y == 0 || z == 0 {
            return Ok(());
        }
        let values = arguments
            .iter()
            .map(Value::of)
            .collect::<Result<Vec<_>>>()?;
        let mut builder = self.stream.launch_builder(&self.function);
        for value in &values {
            match value {
                Value::Address(value) | Value::U64(value) => builder.arg(value),
                Value::U32(value) => builder.arg(value),
                Value::F32(value) => builder.arg(value),
            };
        }
        let config = LaunchConfig {
            grid_dim: grid.blocks,
            block_dim: (grid.threads, 1, 1),
            shared_mem_bytes: grid.shared_bytes,
        };
        // SAFETY: each caller lists the arguments in the order and types of its kernel's declaration
        // and has checked the sizes that the kernel goes by; tensors live at least until the launch,
        // and their memory is given back in the order of the stream.
        unsafe { builder.launch(config) }.map_err(candle_core::Error::wrap)?;
        Ok(())
    }
}

/// A tensor for a kernel to write: its numbers are whatever lay there before.
///
/// # Errors
/// When memory runs out.
pub fn fresh_of(shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
    let shape = shape.into();
    // SAFETY: every bit pattern is a number of these types, and the caller's kernel writes them all
    // before anything reads them.
    noting_refusal(&shape, dtype, || unsafe {
        Tensor::empty(&shape, dtype, device)
    })
}

/// A tensor of zeros.
///
/// # Errors
/// When memory runs out.
pub fn zeros(shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
    let shape = shape.into();
    noting_refusal(&shape, dtype, || Tensor::zeros(&shape, dtype, device))
}

thread_local! {
    static REFUSED_BYTES: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Notes how large a tensor was that there was no room for: the driver's error does not say.
fn noting_refusal(
    shape: &Shape,
    dtype: DType,
    make: impl FnOnce() -> Result<Tensor>,
) -> Result<Tensor> {
    let made = make();
    if made.is_err() {
        let bytes = shape.elem_count() * dtype.size_in_bytes();
        REFUSED_BYTES.set(Some(bytes as u64));
    }
    made
}

/// Bytes of the last tensor that could not be made on this thread.
pub fn last_refused_bytes() -> Option<u64> {
    REFUSED_BYTES.get()
}

/// The same on the device and in the type of another.
///
/// # Errors
/// When memory runs out.
pub fn fresh(like: &Tensor, shape: impl Into<Shape>) -> Result<Tensor> {
    fresh_of(shape, like.dtype(), like.device())
}

enum Value {
    Address(u64),
    U32(u32),
    U64(u64),
    F32(f32),
}

impl Value {
    fn of(argument: &Argument<'_>) -> Result<Self> {
        Ok(match argument {
            Argument::Tensor(tensor) => Self::Address(address(tensor)?),
            Argument::None => Self::Address(0),
            Argument::U32(value) => Self::U32(*value),
            Argument::U64(value) => Self::U64(*value),
            Argument::F32(value) => Self::F32(*value),
        })
    }
}

/// Where a contiguous tensor's first number lies.
///
/// # Errors
/// When the tensor is not contiguous or not on a card.
pub fn address(tensor: &Tensor) -> Result<u64> {
    let (storage, layout) = tensor.storage_and_layout();
    let Some((start, _)) = layout.contiguous_offsets() else {
        bail!(
            "kernel input of shape {:?} is not contiguous",
            tensor.shape()
        )
    };
    let Storage::Cuda(storage) = &*storage else {
        bail!("kernel input is not on the card")
    };
    let stream = storage.device.cuda_stream();
    let first = match &storage.slice {
        CudaStorageSlice::U8(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::U32(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::I16(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::I32(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::I64(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::BF16(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::F16(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::F32(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::F64(slice) => slice.device_ptr(&stream).0,
        _ => bail!("kernels do not read {:?}", tensor.dtype()),
    };
    Ok(first + (start * tensor.dtype().size_in_bytes()) as u64)
}
