//! From a tensor's bytes to its numbers, whatever their type and the order of their rows.

use std::borrow::Cow;
use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};

use super::TensorView;
use crate::models::gguf::RowOrder;
use crate::models::stored_type::StoredType;
use crate::ops::ggml_blocks::GgmlBlocks;
use crate::ops::nf4::{DoubleQuantization, Nf4};
use crate::{Error, Result};

/// How stored numbers differ from those of a checkpoint. GGUF files reorder the rows of some
/// tensors and hold `1 + w` where Gemma's checkpoints hold `w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The order of the rows.
    pub rows: RowOrder,
    /// One was added to every number.
    pub one_added: bool,
}

impl Layout {
    /// No difference.
    pub const CHECKPOINT: Self = Self {
        rows: RowOrder::AsInCheckpoint,
        one_added: false,
    };
}

impl<'a> TensorView<'a> {
    /// The bytes of each row, in the checkpoint's order.
    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        let (bytes, order) = (self.bytes, self.layout.rows);
        let rows = self.shape.first().copied().unwrap_or(1);
        let row_bytes = bytes.len() / rows.max(1);
        (0..rows).map(move |row| {
            let start = order.stored_row(row) * row_bytes;
            &bytes[start..start + row_bytes]
        })
    }

    /// All bytes in the checkpoint's order.
    fn ordered(&self) -> Cow<'a, [u8]> {
        match self.layout.rows {
            RowOrder::AsInCheckpoint => Cow::Borrowed(self.bytes),
            RowOrder::Interleaved { .. } => Cow::Owned(self.rows().flatten().copied().collect()),
        }
    }

    fn float_type(&self) -> Result<DType> {
        match self.stored {
            StoredType::F32 => Ok(DType::F32),
            StoredType::F16 => Ok(DType::F16),
            StoredType::BF16 => Ok(DType::BF16),
            StoredType::Blocks(_) | StoredType::Other(_) => Err(Error::TensorType {
                path: self.path.to_path_buf(),
                name: self.name.to_owned(),
                found: self.stored.name(),
            }),
        }
    }

    /// The floats in their stored type.
    pub(super) fn to_tensor(&self) -> Result<Tensor> {
        let dtype = self.float_type()?;
        let tensor = Tensor::from_raw_buffer(&self.ordered(), dtype, self.shape, &Device::Cpu)?;
        Ok(match self.layout.one_added {
            true => (tensor.to_dtype(DType::F32)? - 1.0)?,
            false => tensor,
        })
    }

    /// Quantizes floats straight from the file.
    pub(in crate::models) fn to_nf4(&self, double_quantization: DoubleQuantization) -> Result<Nf4> {
        let dtype = self.float_type()?;
        let width = dtype.size_in_bytes();
        let bytes = self.ordered();
        let read = |range: Range<usize>, out: &mut [f32]| {
            let bytes = &bytes[range.start * width..range.end * width];
            match dtype {
                DType::F32 => widen(bytes, out, f32::from_le_bytes),
                DType::F16 => widen(bytes, out, |number| f16::from_le_bytes(number).to_f32()),
                _ => widen(bytes, out, |number| bf16::from_le_bytes(number).to_f32()),
            }
        };
        let elements = bytes.len() / width;
        Nf4::quantize(elements, read, double_quantization).map_err(|problem| {
            Error::ModelFileInvalid {
                path: self.path.to_path_buf(),
                problem: format!("tensor {}: {problem}", self.name),
            }
        })
    }

    /// One number of a matrix, by its index in the checkpoint's order.
    pub(super) fn number(&self, index: usize) -> Option<f32> {
        let columns = self.shape.last().copied().filter(|columns| *columns > 0)?;
        let row = self.rows().nth(index / columns)?;
        let column = index % columns;
        let (block, block_bytes) = (self.stored.block_size()?, self.stored.block_bytes()?);
        let start = column / block * block_bytes;
        let bytes = row.get(start..start + block_bytes)?;
        match self.stored {
            StoredType::Blocks(kind) => {
                let blocks = GgmlBlocks::new(*kind, block, [bytes].into_iter()).ok()?;
                let mut numbers = vec![0.0; block];
                blocks.dequantize(0, &mut numbers);
                numbers.get(column % block).copied()
            }
            StoredType::F32 => bytes.try_into().ok().map(f32::from_le_bytes),
            StoredType::F16 => bytes
                .try_into()
                .ok()
                .map(|b| f16::from_le_bytes(b).to_f32()),
            StoredType::BF16 => bytes
                .try_into()
                .ok()
                .map(|b| bf16::from_le_bytes(b).to_f32()),
            StoredType::Other(_) => None,
        }
    }
}

fn widen<const N: usize>(bytes: &[u8], out: &mut [f32], read: impl Fn([u8; N]) -> f32) {
    for (out, number) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *out = read(*number);
    }
}
