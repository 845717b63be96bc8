//! The weight of a frozen linear map or embedding in the form it is stored: floats, or quantized
//! blocks. It is read in rows, widened to f32 where they are used, and never as a whole.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, bail};
use half::{bf16, f16};
use rayon::prelude::*;

use super::cpu::{self, Real};
#[cfg(feature = "cuda")]
use super::cuda::frozen_matrix::{self as card, CardMatrix};
use super::ggml_blocks::GgmlBlocks;
use super::nf4::Nf4;

/// Rows that are widened at a time.
pub(crate) const TILE_ROWS: usize = 256;
/// Numbers in a tile of rows that is widened on a card, unless one row has more.
const CARD_TILE_NUMBERS: usize = 1 << 24;
/// Numbers below which one thread widens a tile alone.
const PARALLEL_NUMBERS: usize = 1 << 14;

/// `[rows, columns]`, or a view of some rows of one.
#[derive(Clone)]
pub struct FrozenMatrix {
    storage: Arc<Storage>,
    first_row: usize,
    rows: usize,
    columns: usize,
}

enum Storage {
    /// f32, bf16 or f16 (f64 in tests), `[rows, columns]`, contiguous.
    Dense(Tensor),
    Blocks(GgmlBlocks),
    /// Blocks run across rows: `[rows * columns]`.
    Nf4(Nf4),
    /// Any of these on a card.
    #[cfg(feature = "cuda")]
    Card(CardMatrix),
}

/// Rows of `[rows, columns]` that are widened at a time on a card.
pub(crate) fn card_tile_rows(rows: usize, columns: usize) -> usize {
    rows.min((CARD_TILE_NUMBERS / columns.max(1)).max(1))
}

impl FrozenMatrix {
    /// A matrix of floats `[rows, columns]`.
    ///
    /// # Errors
    /// When it is no matrix, or its type cannot be computed with.
    pub fn dense(weight: &Tensor) -> Result<Self> {
        let (rows, columns) = weight.dims2()?;
        match weight.dtype() {
            DType::F32 | DType::F64 | DType::BF16 | DType::F16 => {}
            other => bail!("a linear weight of type {other:?}"),
        }
        let weight = weight.contiguous()?;
        #[cfg(feature = "cuda")]
        if weight.device().is_cuda() {
            let stored = CardMatrix::dense(&weight, weight.device())?;
            return Ok(Self::whole(Storage::Card(stored), rows, columns));
        }
        Ok(Self::whole(Storage::Dense(weight), rows, columns))
    }

    /// A matrix of a GGUF file.
    pub fn blocks(blocks: GgmlBlocks, rows: usize, columns: usize) -> Self {
        Self::whole(Storage::Blocks(blocks), rows, columns)
    }

    /// A matrix in NF4.
    ///
    /// # Errors
    /// When it has another number of elements.
    pub fn nf4(weight: Nf4, rows: usize, columns: usize) -> Result<Self> {
        if Some(weight.elements()) != rows.checked_mul(columns) {
            bail!("{} numbers for [{rows}, {columns}]", weight.elements());
        }
        Ok(Self::whole(Storage::Nf4(weight), rows, columns))
    }

    fn whole(storage: Storage, rows: usize, columns: usize) -> Self {
        Self {
            storage: Arc::new(storage),
            first_row: 0,
            rows,
            columns,
        }
    }

    /// Some of the rows, sharing what is stored.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn view(&self, rows: Range<usize>) -> Result<Self> {
        if rows.start > rows.end || rows.end > self.rows {
            bail!("rows {rows:?} of a matrix of {}", self.rows);
        }
        Ok(Self {
            storage: self.storage.clone(),
            first_row: self.first_row + rows.start,
            rows: rows.len(),
            columns: self.columns,
        })
    }

    /// The same on a device; views are views of what is moved there, all of it. Views of one matrix that
    /// are moved one by one share nothing any more: move the whole, then take views.
    ///
    /// # Errors
    /// When the device cannot hold it, or does not compute with such numbers.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        if self.device().same_device(device) {
            return Ok(self.clone());
        }
        Ok(Self {
            storage: Arc::new(self.storage.to_device(device)?),
            ..*self
        })
    }

    /// Where it lies.
    pub fn device(&self) -> Device {
        match &*self.storage {
            #[cfg(feature = "cuda")]
            Storage::Card(stored) => stored.device().clone(),
            _ => Device::Cpu,
        }
    }

    /// What is stored on a card, and which of its rows is the first of this matrix.
    ///
    /// # Errors
    /// When it lies in RAM.
    #[cfg(feature = "cuda")]
    pub(super) fn on_card(&self) -> Result<(&CardMatrix, usize)> {
        match &*self.storage {
            Storage::Card(stored) => Ok((stored, self.first_row)),
            _ => bail!("{self:?} lies in RAM, not on the card"),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The type that biases and activations have beside it: f32, or f64 in tests.
    pub fn compute_type(&self) -> DType {
        match &*self.storage {
            Storage::Dense(weight) if weight.dtype() == DType::F64 => DType::F64,
            _ => DType::F32,
        }
    }

    /// Bytes of the tile that rows are widened into on the CPU; none for a matrix of f32.
    pub(super) fn tile_bytes(&self) -> usize {
        match self.stored_floats() {
            Some(DType::F32) => 0,
            _ => TILE_ROWS.min(self.rows) * self.columns * size_of::<f32>(),
        }
    }

    /// Bytes of the tile that rows are widened into on a card, for activations of this type; none for a
    /// matrix that is stored in it.
    pub fn card_tile_bytes(&self, dtype: DType) -> usize {
        match self.stored_floats() == Some(dtype) {
            true => 0,
            false => card_tile_rows(self.rows, self.columns) * self.columns * dtype.size_in_bytes(),
        }
    }

    /// The type of a matrix of floats.
    fn stored_floats(&self) -> Option<DType> {
        match &*self.storage {
            Storage::Dense(weight) => Some(weight.dtype()),
            #[cfg(feature = "cuda")]
            Storage::Card(CardMatrix::Dense(weight)) => Some(weight.dtype()),
            _ => None,
        }
    }

    /// Bytes held; views of one matrix share them.
    pub fn stored_bytes(&self) -> u64 {
        match &*self.storage {
            Storage::Dense(weight) => (weight.elem_count() * weight.dtype().size_in_bytes()) as u64,
            Storage::Blocks(blocks) => blocks.bytes() as u64,
            Storage::Nf4(weight) => weight.bytes(),
            #[cfg(feature = "cuda")]
            Storage::Card(stored) => stored.stored_bytes(),
        }
    }

    /// The rows of these indices in this type, `[indices, columns]`, where the matrix lies: an embedding.
    ///
    /// # Errors
    /// When an index lies outside.
    pub fn gather(&self, indices: &[u32], dtype: DType) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if let Storage::Card(_) = &*self.storage {
            return card::gather(self, indices, dtype);
        }
        if let Some(outside) = indices.iter().find(|&&row| row as usize >= self.rows) {
            bail!("row {outside} of a matrix of {}", self.rows);
        }
        let mut values = vec![0f32; indices.len() * self.columns];
        self.with_rows(|reader| {
            let rows = values.chunks_exact_mut(self.columns.max(1));
            for (&index, out) in indices.iter().zip(rows) {
                reader.read(index as usize, out);
            }
        })?;
        Tensor::from_vec(values, (indices.len(), self.columns), &Device::Cpu)?.to_dtype(dtype)
    }

    /// All numbers in f32, `[rows, columns]`; for tests and exports of small matrices.
    ///
    /// # Errors
    /// When the type is f64 or the matrix lies on a card.
    pub fn to_f32(&self) -> Result<Tensor> {
        let mut values = vec![0f32; self.rows * self.columns];
        self.with_rows(|reader| reader.read_parallel(0, &mut values))?;
        Tensor::from_vec(values, (self.rows, self.columns), &Device::Cpu)
    }

    /// Calls `work(first_row, rows, tile)` for tiles of rows in the compute type. The scratch is one
    /// tile; a matrix that is stored in the compute type is handed over whole, where it lies.
    ///
    /// # Errors
    /// When the compute type does not fit the stored one, or the matrix lies on a card.
    pub(super) fn for_tiles<T: Real>(
        &self,
        mut work: impl FnMut(usize, usize, &[T]),
    ) -> Result<()> {
        if let Storage::Dense(weight) = &*self.storage
            && weight.dtype() == T::DTYPE
        {
            let span = self.first_row * self.columns..(self.first_row + self.rows) * self.columns;
            work(0, self.rows, &cpu::read::<T>(weight)?[span]);
            return Ok(());
        }
        let tile_rows = TILE_ROWS.min(self.rows);
        let mut scratch = vec![0f32; tile_rows * self.columns];
        self.with_rows(|reader| {
            for first in (0..self.rows).step_by(tile_rows.max(1)) {
                let rows = tile_rows.min(self.rows - first);
                let tile = &mut scratch[..rows * self.columns];
                reader.read_parallel(first, tile);
                match cpu::cast::<f32, T>(tile) {
                    Some(tile) => work(first, rows, tile),
                    None => bail!("{self:?} for activations of {:?}", T::DTYPE),
                }
            }
            Ok(())
        })?
    }

    /// Calls `work` with a reader of this matrix's rows.
    ///
    /// # Errors
    /// When the matrix is of f64 or lies on a card.
    pub(super) fn with_rows<R>(&self, work: impl FnOnce(RowReader<'_>) -> R) -> Result<R> {
        let reader = |rows| RowReader {
            rows,
            first_row: self.first_row,
            columns: self.columns,
        };
        Ok(match &*self.storage {
            Storage::Blocks(blocks) => work(reader(Rows::Blocks(blocks))),
            Storage::Nf4(weight) => work(reader(Rows::Nf4(weight))),
            #[cfg(feature = "cuda")]
            Storage::Card(_) => bail!("{self:?} lies on the card, where the CPU cannot read it"),
            Storage::Dense(weight) => match weight.dtype() {
                DType::F32 => work(reader(Rows::F32(&cpu::read::<f32>(weight)?))),
                DType::BF16 => work(reader(Rows::BF16(&cpu::read::<bf16>(weight)?))),
                DType::F16 => work(reader(Rows::F16(&cpu::read::<f16>(weight)?))),
                other => bail!("a weight of type {other:?} for f32 activations"),
            },
        })
    }
}

impl Storage {
    fn to_device(&self, device: &Device) -> Result<Self> {
        match (self, device) {
            #[cfg(feature = "cuda")]
            (Self::Dense(weight), Device::Cuda(_)) => {
                CardMatrix::dense(weight, device).map(Self::Card)
            }
            #[cfg(feature = "cuda")]
            (Self::Blocks(blocks), Device::Cuda(_)) => {
                CardMatrix::blocks(blocks, device).map(Self::Card)
            }
            #[cfg(feature = "cuda")]
            (Self::Nf4(weight), Device::Cuda(_)) => CardMatrix::nf4(weight, device).map(Self::Card),
            _ => bail!("a frozen matrix is not moved to {:?}", device.location()),
        }
    }
}

impl std::fmt::Debug for FrozenMatrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &*self.storage {
            Storage::Dense(weight) => format!("{:?}", weight.dtype()),
            Storage::Blocks(blocks) => format!("{:?}", blocks.kind()),
            Storage::Nf4(_) => "NF4".to_owned(),
            #[cfg(feature = "cuda")]
            Storage::Card(stored) => stored.form(),
        };
        write!(f, "FrozenMatrix({kind} [{}, {}])", self.rows, self.columns)
    }
}

/// Reads rows as f32, from any thread.
#[derive(Clone, Copy)]
pub(super) struct RowReader<'a> {
    rows: Rows<'a>,
    first_row: usize,
    columns: usize,
}

#[derive(Clone, Copy)]
enum Rows<'a> {
    F32(&'a [f32]),
    BF16(&'a [bf16]),
    F16(&'a [f16]),
    Blocks(&'a GgmlBlocks),
    Nf4(&'a Nf4),
}

impl<'a> RowReader<'a> {
    /// Widens whole rows from `first` on, as many as `out` has room for.
    #[inline(always)]
    pub(super) fn read(&self, first: usize, out: &mut [f32]) {
        let start = (self.first_row + first) * self.columns;
        let span = start..start + out.len();
        match self.rows {
            Rows::F32(values) => out.copy_from_slice(&values[span]),
            Rows::BF16(values) => cpu::vectorized(|| {
                for (out, value) in out.iter_mut().zip(&values[span]) {
                    *out = f32::from_bits(u32::from(value.to_bits()) << 16);
                }
            }),
            Rows::F16(values) => {
                half::slice::HalfFloatSliceExt::convert_to_f32_slice(&values[span], out);
            }
            Rows::Blocks(blocks) => blocks.dequantize(self.first_row + first, out),
            Rows::Nf4(weight) => weight.dequantize(span, out),
        }
    }

    /// The row where it lies, if it is stored as f32.
    pub(super) fn stored(&self, row: usize) -> Option<&'a [f32]> {
        let start = (self.first_row + row) * self.columns;
        match self.rows {
            Rows::F32(values) => Some(&values[start..start + self.columns]),
            _ => None,
        }
    }

    fn read_parallel(&self, first: usize, out: &mut [f32]) {
        if out.len() < PARALLEL_NUMBERS {
            return self.read(first, out);
        }
        let rows = out.len() / self.columns;
        let block = rows.div_ceil(4 * rayon::current_num_threads()).max(1);
        out.par_chunks_mut(block * self.columns)
            .enumerate()
            .for_each(|(index, out)| self.read(first + index * block, out));
    }
}
