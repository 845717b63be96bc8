//! [`crate::ops::elementwise`] on the card.

use candle_core::{DType, Result, Tensor, bail};

use super::launch::kernels;
use super::{
    Argument, Grid, Kernels, address, device_of, fresh, fresh_of, kernel, same_shape, type_name,
};

const KERNELS: Kernels = kernels!("elementwise");
/// Threads of a block that goes over a row.
const ROW_THREADS: u32 = 256;
/// Parts of a sum of products, at most: the order of the sum depends on the number of its terms alone.
const PARTS: usize = 256;

/// As its twin; target and addend may be of different types.
pub fn add_scaled(target: &Tensor, addend: &Tensor, factor: f64) -> Result<()> {
    same_shape("an addend", addend, target)?;
    let name = pair("add_scaled", target, addend.dtype())?;
    let count = target.elem_count();
    kernel(device_of(target)?, KERNELS, &name)?.launch(
        Grid::elements(count)?,
        &[
            Argument::Tensor(target),
            Argument::Tensor(addend),
            Argument::F32(factor as f32),
            Argument::U64(count as u64),
        ],
    )
}

/// As its twin.
pub fn scale(target: &Tensor, factor: f64) -> Result<()> {
    let name = format!("scale_{}", type_name(target.dtype())?);
    let count = target.elem_count();
    kernel(device_of(target)?, KERNELS, &name)?.launch(
        Grid::elements(count)?,
        &[
            Argument::Tensor(target),
            Argument::F32(factor as f32),
            Argument::U64(count as u64),
        ],
    )
}

/// As its twin.
pub fn to_type(x: &Tensor, dtype: DType) -> Result<Tensor> {
    let name = pair("cast", x, dtype)?;
    let count = x.elem_count();
    let cast = fresh_of(x.shape(), dtype, x.device())?;
    kernel(device_of(x)?, KERNELS, &name)?.launch(
        Grid::elements(count)?,
        &[
            Argument::Tensor(x),
            Argument::Tensor(&cast),
            Argument::U64(count as u64),
        ],
    )?;
    Ok(cast)
}

/// As its twin, for a byte per number that says whether it is kept.
pub fn masked(x: &Tensor, kept: Vec<u8>, factor: f64) -> Result<Tensor> {
    let count = x.elem_count();
    if kept.len() != count {
        bail!("a mask of {} for {count} numbers", kept.len());
    }
    let kept = Tensor::from_vec(kept, count, x.device())?;
    let masked = fresh(x, x.shape())?;
    let name = format!("masked_{}", type_name(x.dtype())?);
    kernel(device_of(x)?, KERNELS, &name)?.launch(
        Grid::elements(count)?,
        &[
            Argument::Tensor(x),
            Argument::Tensor(&kept),
            Argument::Tensor(&masked),
            Argument::F32(factor as f32),
            Argument::U64(count as u64),
        ],
    )?;
    Ok(masked)
}

/// As its twin; both are contiguous.
pub fn copy(x: &Tensor) -> Result<Tensor> {
    let copied = fresh(x, x.shape())?;
    copy_into(&copied, x)?;
    Ok(copied)
}

/// As its twin.
pub fn copy_into(target: &Tensor, source: &Tensor) -> Result<()> {
    let numbers = source.elem_count();
    copy_blocks((target, 0, 0), (source, 0, 0), 1, numbers)
}

/// As its twin.
pub fn copy_blocks(
    (target, target_start, target_stride): (&Tensor, usize, usize),
    (source, source_start, source_stride): (&Tensor, usize, usize),
    blocks: usize,
    numbers: usize,
) -> Result<()> {
    if target.dtype() != source.dtype() {
        bail!("a copy of {:?} to {:?}", source.dtype(), target.dtype());
    }
    let ends = |tensor: &Tensor, start: usize, stride: usize| {
        blocks == 0 || start + (blocks - 1) * stride + numbers <= tensor.elem_count()
    };
    if !ends(target, target_start, target_stride) || !ends(source, source_start, source_stride) {
        bail!("{blocks} blocks of {numbers} numbers from {source:?} to {target:?}");
    }
    let size = target.dtype().size_in_bytes();
    let offsets = [
        target_start,
        target_stride,
        source_start,
        source_stride,
        numbers,
    ];
    let unit = unit_of(&[target, source], size, &offsets)?;
    let [
        target_start,
        target_stride,
        source_start,
        source_stride,
        units,
    ] = offsets.map(|numbers| numbers * size / unit);
    let tiles = units.div_ceil(ROW_THREADS as usize).min(65_535);
    let name = format!("copy_blocks_{unit}");
    kernel(device_of(target)?, KERNELS, &name)?.launch(
        Grid::of((blocks, tiles, 1), ROW_THREADS)?,
        &[
            Argument::Tensor(target),
            Argument::U64(target_start as u64),
            Argument::U64(target_stride as u64),
            Argument::Tensor(source),
            Argument::U64(source_start as u64),
            Argument::U64(source_stride as u64),
            Argument::U64(units as u64),
        ],
    )
}

/// As its twin; `first` is the first of the parts.
pub fn cat_rows(first: &Tensor, parts: &[Tensor]) -> Result<Tensor> {
    let width = first.dim(1)?;
    let mut rows = 0;
    for part in parts {
        let (own, part_width) = part.dims2()?;
        if part_width != width {
            bail!("rows of {part_width} below rows of {width}");
        }
        rows += own;
    }
    let dtype = match parts.iter().all(|part| part.dtype() == first.dtype()) {
        true => first.dtype(),
        false => DType::F32,
    };
    let all = fresh_of((rows, width), dtype, first.device())?;
    let mut row = 0;
    for part in parts {
        let part = crate::ops::elementwise::to_type(part, dtype)?;
        copy_blocks((&all, row * width, 0), (&part, 0, 0), 1, part.elem_count())?;
        row += part.dim(0)?;
    }
    Ok(all)
}

/// As its twin.
pub fn gather_rows(x: &Tensor, indices: &[u32]) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    if let Some(index) = indices.iter().find(|&&index| index as usize >= rows) {
        bail!("row {index} of {rows}");
    }
    let gathered = fresh(x, (indices.len(), width))?;
    let size = x.dtype().size_in_bytes();
    let unit = unit_of(&[x, &gathered], size, &[width])?;
    let name = format!("gather_rows_{unit}");
    let index = Tensor::from_slice(indices, indices.len(), x.device())?;
    kernel(device_of(x)?, KERNELS, &name)?.launch(
        Grid::rows(indices.len(), ROW_THREADS)?,
        &[
            Argument::Tensor(x),
            Argument::Tensor(&index),
            Argument::Tensor(&gathered),
            Argument::size(width * size / unit)?,
        ],
    )?;
    Ok(gathered)
}

/// As its twin, which has checked shapes and indices.
pub fn add_rows(target: &Tensor, x: &Tensor, indices: &[u32]) -> Result<()> {
    if target.dtype() != x.dtype() {
        bail!("rows of {:?} to {:?}", x.dtype(), target.dtype());
    }
    if indices.is_empty() {
        return Ok(());
    }
    let groups = Groups::of(indices);
    let count = groups.rows.len();
    let of = |numbers: Vec<u32>| {
        let count = numbers.len();
        Tensor::from_vec(numbers, count, x.device())
    };
    let (rows, starts, order) = (of(groups.rows)?, of(groups.starts)?, of(groups.order)?);
    let name = format!("add_rows_{}", type_name(x.dtype())?);
    kernel(device_of(x)?, KERNELS, &name)?.launch(
        Grid::rows(count, ROW_THREADS)?,
        &[
            Argument::Tensor(target),
            Argument::Tensor(x),
            Argument::Tensor(&rows),
            Argument::Tensor(&starts),
            Argument::Tensor(&order),
            Argument::size(x.dim(1)?)?,
        ],
    )
}

/// As its twin; the two may be of different types.
pub fn inner_product(a: &Tensor, b: &Tensor) -> Result<f64> {
    same_shape("a factor", b, a)?;
    let count = a.elem_count();
    let parts = count.div_ceil(256).clamp(1, PARTS);
    let partial = fresh_of(parts, DType::F64, a.device())?;
    let name = pair("inner_product", a, b.dtype())?;
    kernel(device_of(a)?, KERNELS, &name)?.launch(
        Grid::of((parts, 1, 1), 256)?,
        &[
            Argument::Tensor(a),
            Argument::Tensor(b),
            Argument::Tensor(&partial),
            Argument::U64(count as u64),
        ],
    )?;
    Ok(partial.to_vec1::<f64>()?.iter().sum())
}

/// Which rows of an operand are added to which row, each row once and in the operand's order.
struct Groups {
    rows: Vec<u32>,
    starts: Vec<u32>,
    order: Vec<u32>,
}

impl Groups {
    fn of(indices: &[u32]) -> Self {
        let mut order: Vec<u32> = (0..indices.len() as u32).collect();
        order.sort_by_key(|&at| indices[at as usize]); // stable
        let (mut rows, mut starts) = (Vec::new(), vec![0]);
        for group in order.chunk_by(|&a, &b| indices[a as usize] == indices[b as usize]) {
            rows.push(indices[group[0] as usize]);
            starts.push(starts[starts.len() - 1] + group.len() as u32);
        }
        Self {
            rows,
            starts,
            order,
        }
    }
}

/// The most bytes that a copy can move at once: all addresses and offsets (in numbers of `size` bytes)
/// are multiples of it.
fn unit_of(tensors: &[&Tensor], size: usize, offsets: &[usize]) -> Result<usize> {
    let mut bits = 16;
    for tensor in tensors {
        bits |= address(tensor)?;
    }
    for offset in offsets {
        bits |= (offset * size) as u64;
    }
    match 1 << bits.trailing_zeros() {
        unit @ (2 | 4 | 8 | 16) => Ok(unit),
        unit => bail!("a copy in units of {unit} bytes"),
    }
}

fn pair(operation: &str, first: &Tensor, second: DType) -> Result<String> {
    Ok(format!(
        "{operation}_{}_{}",
        type_name(first.dtype())?,
        type_name(second)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_grouped_in_their_order() {
        let groups = Groups::of(&[4, 1, 4, 0, 1]);
        assert_eq!(groups.rows, [0, 1, 4]);
        assert_eq!(groups.starts, [0, 1, 3, 5]);
        assert_eq!(groups.order, [3, 1, 4, 0, 2]);
    }
}
