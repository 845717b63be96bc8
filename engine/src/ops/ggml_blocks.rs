//! Quantized weights as a GGUF file holds them: blocks of a few dozen numbers that share a scale.
//! They stay as they are; rows are dequantized when they are needed, by candle's reading of the
//! formats. There is no repacked second copy.

use candle_core::quantized::GgmlDType;
use candle_core::quantized::k_quants::{
    BlockQ2K, BlockQ3K, BlockQ4_0, BlockQ4_1, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K,
    BlockQ8_0, BlockQ8_1, BlockQ8K, GgmlType,
};
use candle_core::{Result, bail};

/// A matrix in blocks; a row is a whole number of them.
pub struct GgmlBlocks {
    kind: GgmlDType,
    blocks: Box<dyn Blocks>,
    blocks_per_row: usize,
}

trait Blocks: Send + Sync {
    fn as_bytes(&self) -> &[u8];
    fn dequantize(&self, first: usize, out: &mut [f32]);
}

impl<B: GgmlType> Blocks for Vec<B> {
    fn as_bytes(&self) -> &[u8] {
        // SAFETY: a block is a repr(C) struct of numbers without padding (candle asserts their sizes),
        // so each of its bytes is initialized.
        unsafe { std::slice::from_raw_parts(self.as_ptr().cast(), size_of_val(self.as_slice())) }
    }

    fn dequantize(&self, first: usize, out: &mut [f32]) {
        B::to_float(&self[first..first + out.len() / B::BLCK_SIZE], out);
    }
}

impl GgmlBlocks {
    /// From a file's bytes: `rows` yields each row's bytes, in the order the matrix has them.
    ///
    /// # Errors
    /// When the width is no multiple of the block, a row has another length, or the type is none of
    /// the quantized ones.
    pub fn new<'a>(
        kind: GgmlDType,
        columns: usize,
        rows: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Result<Self> {
        if columns == 0 || !columns.is_multiple_of(kind.block_size()) {
            bail!(
                "rows of {columns} numbers in blocks of {}",
                kind.block_size()
            );
        }
        let blocks: Box<dyn Blocks> = match kind {
            GgmlDType::Q4_0 => copied::<BlockQ4_0>(columns, rows)?,
            GgmlDType::Q4_1 => copied::<BlockQ4_1>(columns, rows)?,
            GgmlDType::Q5_0 => copied::<BlockQ5_0>(columns, rows)?,
            GgmlDType::Q5_1 => copied::<BlockQ5_1>(columns, rows)?,
            GgmlDType::Q8_0 => copied::<BlockQ8_0>(columns, rows)?,
            GgmlDType::Q8_1 => copied::<BlockQ8_1>(columns, rows)?,
            GgmlDType::Q2K => copied::<BlockQ2K>(columns, rows)?,
            GgmlDType::Q3K => copied::<BlockQ3K>(columns, rows)?,
            GgmlDType::Q4K => copied::<BlockQ4K>(columns, rows)?,
            GgmlDType::Q5K => copied::<BlockQ5K>(columns, rows)?,
            GgmlDType::Q6K => copied::<BlockQ6K>(columns, rows)?,
            GgmlDType::Q8K => copied::<BlockQ8K>(columns, rows)?,
            GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16 => {
                bail!("{kind:?} is not a type of quantized blocks")
            }
        };
        Ok(Self {
            kind,
            blocks,
            blocks_per_row: columns / kind.block_size(),
        })
    }

    /// How the numbers are stored.
    pub fn kind(&self) -> GgmlDType {
        self.kind
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.as_bytes().len()
    }

    /// The blocks as a file has them.
    pub fn as_bytes(&self) -> &[u8] {
        self.blocks.as_bytes()
    }

    /// Dequantizes whole rows from `first_row` on, as many as `out` has room for.
    pub fn dequantize(&self, first_row: usize, out: &mut [f32]) {
        self.blocks.dequantize(first_row * self.blocks_per_row, out);
    }
}

/// Copies rows of bytes into blocks of their own type.
fn copied<'a, B: GgmlType + 'static>(
    columns: usize,
    rows: impl ExactSizeIterator<Item = &'a [u8]>,
) -> Result<Box<dyn Blocks>> {
    let per_row = columns / B::BLCK_SIZE;
    let row_bytes = per_row * size_of::<B>();
    let mut blocks: Vec<B> = Vec::with_capacity(rows.len() * per_row);
    for row in rows {
        if row.len() != row_bytes {
            bail!("a row of {} bytes, expected {row_bytes}", row.len());
        }
        blocks.reserve(per_row);
        // SAFETY: room for `per_row` blocks was reserved, the source has exactly their bytes, and a
        // block is a repr(C) struct of numbers without padding (candle asserts their sizes), for
        // which every bit pattern is valid.
        unsafe {
            let end = blocks.as_mut_ptr().add(blocks.len()).cast::<u8>();
            std::ptr::copy_nonoverlapping(row.as_ptr(), end, row_bytes);
            blocks.set_len(blocks.len() + per_row);
        }
    }
    Ok(Box::new(blocks))
}

/// What candle can quantize to, for tests and for comparing a card with the CPU.
#[cfg(any(test, feature = "cuda"))]
pub(crate) const KINDS: [GgmlDType; 11] = [
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q2K,
    GgmlDType::Q3K,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
    GgmlDType::Q8K,
];

#[cfg(test)]
mod tests {
    use candle_core::quantized::QTensor;
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn rows_come_back_as_candle_dequantizes_them() {
        let values: Vec<f32> = (0..5 * 512)
            .map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.01)
            .collect();
        let dense = Tensor::from_vec(values, (5, 512), &Device::Cpu).unwrap();
        for kind in KINDS {
            let quantized = QTensor::quantize(&dense, kind).unwrap();
            let expected = quantized.dequantize(&Device::Cpu).unwrap();
            let expected = expected.to_vec2::<f32>().unwrap();
            let bytes = quantized.data().unwrap();
            let rows = bytes.chunks_exact(bytes.len() / 5);
            let blocks = GgmlBlocks::new(kind, 512, rows.rev()).unwrap();
            let mut out = vec![0.0; 2 * 512];
            blocks.dequantize(1, &mut out);
            // The rows were handed over last first.
            assert_eq!(out[..512], expected[3], "{kind:?}");
            assert_eq!(out[512..], expected[2], "{kind:?}");
            assert_eq!(blocks.bytes(), bytes.len());
            let rows = bytes.chunks_exact(bytes.len() / 5).rev();
            assert_eq!(blocks.as_bytes(), rows.collect::<Vec<_>>().concat());
        }
    }

    #[test]
    fn wrong_sizes_are_refused() {
        let row = [0u8; 34];
        assert!(GgmlBlocks::new(GgmlDType::Q8_0, 33, [row.as_slice()].into_iter()).is_err());
        assert!(GgmlBlocks::new(GgmlDType::Q8_0, 64, [row.as_slice()].into_iter()).is_err());
        assert!(GgmlBlocks::new(GgmlDType::F32, 32, [row.as_slice()].into_iter()).is_err());
    }
}
