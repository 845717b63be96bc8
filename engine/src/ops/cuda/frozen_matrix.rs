//! [`FrozenMatrix`](crate::ops::frozen_matrix::FrozenMatrix) on the card: it lies there as it is stored,
//! and rows are widened to the type of activations where they are multiplied, a tile at a time.

use std::ops::Range;

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device, Result, Tensor, bail};

use super::launch::kernels;
use super::{Argument, Grid, Kernels, device_of, fresh_of, kernel, type_name};
use crate::ops::frozen_matrix::{FrozenMatrix, card_tile_rows};
use crate::ops::ggml_blocks::GgmlBlocks;
use crate::ops::nf4::{Nf4, Scales};

const DENSE: Kernels = kernels!("dense");
const NF4: Kernels = kernels!("nf4");
const GGML: Kernels = kernels!("ggml");
const THREADS: u32 = 256;
/// Numbers that a block of threads makes: `PIECE` of widen.cuh.
const PIECE: usize = 8192;

/// What is stored, on a card.
pub enum CardMatrix {
    /// f32, bf16 or f16, `[rows, columns]`, contiguous.
    Dense(Tensor),
    /// The bytes of a GGUF file.
    Blocks {
        /// Their kind.
        kind: GgmlDType,
        /// u8.
        bytes: Tensor,
    },
    /// Blocks run across rows.
    Nf4 {
        /// u8, two codes each.
        packed: Tensor,
        /// One per block.
        scales: CardScales,
    },
}

/// NF4's scales on a card.
pub enum CardScales {
    /// f32.
    Plain(Tensor),
    /// Codes of the signed dynamic map.
    Double {
        /// u8.
        codes: Tensor,
        /// f32.
        absmax: Tensor,
        /// The mean of the scales.
        offset: f32,
    },
}

impl CardMatrix {
    /// Floats.
    ///
    /// # Errors
    /// When kernels do not know their type, or memory runs out.
    pub fn dense(weight: &Tensor, device: &Device) -> Result<Self> {
        type_name(weight.dtype())?;
        Ok(Self::Dense(weight.to_device(device)?))
    }

    /// Blocks.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn blocks(blocks: &GgmlBlocks, device: &Device) -> Result<Self> {
        Ok(Self::Blocks {
            kind: blocks.kind(),
            bytes: moved(blocks.as_bytes(), device)?,
        })
    }

    /// NF4.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn nf4(weight: &Nf4, device: &Device) -> Result<Self> {
        let scales = match weight.scales() {
            Scales::Plain(scales) => CardScales::Plain(moved(scales, device)?),
            Scales::Double {
                codes,
                absmax,
                offset,
            } => CardScales::Double {
                codes: moved(codes, device)?,
                absmax: moved(absmax, device)?,
                offset: *offset,
            },
        };
        Ok(Self::Nf4 {
            packed: moved(weight.packed(), device)?,
            scales,
        })
    }

    /// The card.
    pub fn device(&self) -> &Device {
        match self {
            Self::Dense(stored)
            | Self::Blocks { bytes: stored, .. }
            | Self::Nf4 { packed: stored, .. } => stored.device(),
        }
    }

    /// Bytes held.
    pub fn stored_bytes(&self) -> u64 {
        let bytes = |tensor: &Tensor| (tensor.elem_count() * tensor.dtype().size_in_bytes()) as u64;
        match self {
            Self::Dense(weight) => bytes(weight),
            Self::Blocks { bytes: blocks, .. } => bytes(blocks),
            Self::Nf4 { packed, scales } => {
                bytes(packed)
                    + match scales {
                        CardScales::Plain(scales) => bytes(scales),
                        CardScales::Double { codes, absmax, .. } => {
                            bytes(codes) + bytes(absmax) + size_of::<f32>() as u64
                        }
                    }
            }
        }
    }

    /// How it is stored.
    pub fn form(&self) -> String {
        match self {
            Self::Dense(weight) => format!("{:?}", weight.dtype()),
            Self::Blocks { kind, .. } => format!("{kind:?}"),
            Self::Nf4 { .. } => "NF4".to_owned(),
        }
    }

    /// Whether rows lie there in this type, so that they need no widening.
    pub fn is_stored_as(&self, dtype: DType) -> bool {
        matches!(self, Self::Dense(weight) if weight.dtype() == dtype)
    }

    /// Writes runs of numbers to `output`, one after the other.
    fn widen(&self, runs: &Runs<'_>, output: &Tensor) -> Result<()> {
        let device = device_of(output)?;
        let to = type_name(output.dtype())?;
        if output.elem_count() != runs.count * runs.length {
            bail!("{} runs of {} for {output:?}", runs.count, runs.length);
        }
        let (kernels, name, mut arguments) = match self {
            Self::Dense(weight) => (
                DENSE,
                format!("dense_{}_{to}", type_name(weight.dtype())?),
                vec![Argument::Tensor(weight)],
            ),
            Self::Blocks { kind, bytes } => (
                GGML,
                format!("ggml_{kind:?}_{to}"),
                vec![Argument::Tensor(bytes)],
            ),
            Self::Nf4 {
                packed,
                scales: CardScales::Plain(scales),
            } => (
                NF4,
                format!("nf4_plain_{to}"),
                vec![Argument::Tensor(packed), Argument::Tensor(scales)],
            ),
            Self::Nf4 {
                packed,
                scales:
                    CardScales::Double {
                        codes,
                        absmax,
                        offset,
                    },
            } => (
                NF4,
                format!("nf4_double_{to}"),
                vec![
                    Argument::Tensor(packed),
                    Argument::Tensor(codes),
                    Argument::Tensor(absmax),
                    Argument::F32(*offset),
                ],
            ),
        };
        let pieces = runs.length.div_ceil(PIECE);
        arguments.extend([
            Argument::maybe(runs.rows),
            Argument::U64(runs.start as u64),
            Argument::U64(runs.length as u64),
            Argument::size(pieces)?,
            Argument::Tensor(output),
        ]);
        kernel(device, kernels, &name)?
            .launch(Grid::rows(runs.count * pieces, THREADS)?, &arguments)
    }
}

/// Runs of numbers of a matrix: one from `start` on, or these rows.
struct Runs<'a> {
    rows: Option<&'a Tensor>,
    start: usize,
    length: usize,
    count: usize,
}

fn moved<T: candle_core::WithDType>(numbers: &[T], device: &Device) -> Result<Tensor> {
    Tensor::from_slice(numbers, numbers.len(), device)
}

/// These rows in this type, `[rows, columns]`: a tensor of its own, or a view where they lie if they are
/// stored so.
///
/// # Errors
/// When there are no such rows, the matrix lies in RAM or memory runs out.
pub fn widened(matrix: &FrozenMatrix, rows: Range<usize>, dtype: DType) -> Result<Tensor> {
    let (stored, first) = matrix.on_card()?;
    if rows.start > rows.end || rows.end > matrix.rows() {
        bail!("rows {rows:?} of a matrix of {}", matrix.rows());
    }
    if let CardMatrix::Dense(weight) = stored
        && weight.dtype() == dtype
    {
        return weight.narrow(0, first + rows.start, rows.len());
    }
    let output = fresh_of((rows.len(), matrix.columns()), dtype, stored.device())?;
    widen_into(matrix, rows, &output)?;
    Ok(output)
}

/// The same into a tensor that is there.
fn widen_into(matrix: &FrozenMatrix, rows: Range<usize>, output: &Tensor) -> Result<()> {
    let (stored, first) = matrix.on_card()?;
    let runs = Runs {
        rows: None,
        start: (first + rows.start) * matrix.columns(),
        length: rows.len() * matrix.columns(),
        count: 1,
    };
    stored.widen(&runs, output)
}

/// Calls `work(first_row, rows, tile)` for tiles of rows in this type, `[rows, columns]`. They lie in one
/// scratch that the next tile overwrites once the kernels started meanwhile have run; a matrix that is
/// stored in this type is handed over whole, where it lies.
///
/// # Errors
/// When the matrix lies in RAM, memory runs out, or `work` fails.
pub fn for_tiles(
    matrix: &FrozenMatrix,
    dtype: DType,
    work: impl FnMut(usize, usize, &Tensor) -> Result<()>,
) -> Result<()> {
    let tile_rows = card_tile_rows(matrix.rows(), matrix.columns());
    for_tiles_of(matrix, dtype, tile_rows, work)
}

/// The same in tiles of so many rows.
///
/// # Errors
/// As above.
pub fn for_tiles_of(
    matrix: &FrozenMatrix,
    dtype: DType,
    tile_rows: usize,
    mut work: impl FnMut(usize, usize, &Tensor) -> Result<()>,
) -> Result<()> {
    let (stored, _) = matrix.on_card()?;
    let rows = matrix.rows();
    if rows == 0 {
        return Ok(());
    }
    if stored.is_stored_as(dtype) {
        return work(0, rows, &widened(matrix, 0..rows, dtype)?);
    }
    let tile_rows = tile_rows.clamp(1, rows);
    let scratch = fresh_of((tile_rows, matrix.columns()), dtype, stored.device())?;
    for first in (0..rows).step_by(tile_rows) {
        let count = tile_rows.min(rows - first);
        let tile = scratch.narrow(0, 0, count)?;
        widen_into(matrix, first..first + count, &tile)?;
        work(first, count, &tile)?;
    }
    Ok(())
}

/// The rows of these indices in this type, `[indices, columns]`: an embedding.
///
/// # Errors
/// When an index lies outside, the matrix lies in RAM or memory runs out.
pub fn gather(matrix: &FrozenMatrix, indices: &[u32], dtype: DType) -> Result<Tensor> {
    let (stored, first) = matrix.on_card()?;
    let whole: Vec<u32> = indices
        .iter()
        .map(|&index| match (index as usize) < matrix.rows() {
            true => Ok(first as u32 + index),
            false => bail!("row {index} of a matrix of {}", matrix.rows()),
        })
        .collect::<Result<_>>()?;
    let shape = (indices.len(), matrix.columns());
    if indices.is_empty() {
        return Tensor::zeros(shape, dtype, stored.device());
    }
    let output = fresh_of(shape, dtype, stored.device())?;
    let rows = moved(&whole, stored.device())?;
    let runs = Runs {
        rows: Some(&rows),
        start: 0,
        length: matrix.columns(),
        count: indices.len(),
    };
    stored.widen(&runs, &output)?;
    Ok(output)
}
