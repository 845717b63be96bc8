//! [`crate::ops::attention`] on the card. Types of 16 bits are multiplied by tensor cores, in tiles of
//! queries and keys; f32, and the few queries of an answer in the making, by kernels without tiles.

use candle_core::{DType, Result, Tensor, bail};

use super::launch::kernels;
use super::{Argument, Grid, Kernels, device_of, fresh, fresh_of, kernel, type_name};
use crate::ops::attention::{Attended, Attention, AttentionGradients};

const FORWARD: Kernels = kernels!("attention_forward");
const BACKWARD: Kernels = kernels!("attention_backward");

/// So many queries have a block each, which goes through the keys with all its warps; more are tiles.
const FEW_QUERIES: usize = 4;
/// Warps of such a block, at most; each has so many keys before there is another.
const MOST_WARPS: usize = 8;
const KEYS_OF_WARP: usize = 64;
/// Queries of a block that computes a tile.
const TILE_QUERIES: usize = 64;
/// Threads of a block that computes a tile, or rows without tensor cores.
const TILE_THREADS: u32 = 128;
/// Rows of a block of the backward without tensor cores.
const ROWS_OF_BLOCK: usize = 4;
/// Threads of a block that sums, 32 for each sum.
const SUM_THREADS: u32 = 256;

/// As its twin.
pub fn forward(attention: &Attention<'_>, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Attended> {
    check(attention, q, k, v)?;
    let rows = attention.batch * attention.queries;
    let output = fresh(q, q.shape())?;
    let log_sum_exp = fresh_of((rows, attention.heads), DType::F32, q.device())?;
    let type_name = type_name(q.dtype())?;
    let (name, tiles, threads) = if q.dtype() == DType::F32 || attention.queries <= FEW_QUERIES {
        let warps = attention.keys.div_ceil(KEYS_OF_WARP).clamp(1, MOST_WARPS);
        let name = format!("attention_query_{type_name}");
        (name, attention.queries, warps as u32 * 32)
    } else {
        let width = padded(attention.head_dim, &[32, 64, 96, 128, 256])?;
        let name = format!("attention_{type_name}_{width}");
        let tiles = attention.queries.div_ceil(TILE_QUERIES);
        (name, tiles, TILE_THREADS)
    };
    let first_visible = first_visible(attention, q)?;
    let mut arguments = vec![
        Argument::Tensor(q),
        Argument::Tensor(k),
        Argument::Tensor(v),
        Argument::maybe(first_visible.as_ref()),
        Argument::Tensor(&output),
        Argument::Tensor(&log_sum_exp),
    ];
    arguments.extend(sizes(attention)?);
    kernel(device_of(q)?, FORWARD, &name)?.launch(
        Grid::of((tiles, attention.heads, attention.batch), threads)?,
        &arguments,
    )?;
    Ok(Attended {
        output,
        log_sum_exp,
    })
}

/// As its twin.
pub fn backward(
    attention: &Attention<'_>,
    (q, k, v): (&Tensor, &Tensor, &Tensor),
    attended: &Attended,
    grad: &Tensor,
) -> Result<AttentionGradients> {
    check(attention, q, k, v)?;
    let sums = [attention.batch * attention.queries, attention.heads];
    let fits = grad.shape() == q.shape()
        && grad.dtype() == q.dtype()
        && attended.output.shape() == q.shape()
        && attended.output.dtype() == q.dtype()
        && attended.log_sum_exp.dims() == sums
        && attended.log_sum_exp.dtype() == DType::F32;
    if !fits {
        bail!(
            "gradient {grad:?} of attention {:?} and {:?} for queries {q:?}",
            attended.output,
            attended.log_sum_exp
        );
    }
    let device = device_of(q)?;
    let type_name = type_name(q.dtype())?;
    let along = fresh_of(&sums, DType::F32, q.device())?;
    let sums = sums[0] * sums[1];
    kernel(device, BACKWARD, &format!("attention_along_{type_name}"))?.launch(
        Grid::rows(sums.div_ceil(SUM_THREADS as usize / 32), SUM_THREADS)?,
        &[
            Argument::Tensor(&attended.output),
            Argument::Tensor(grad),
            Argument::Tensor(&along),
            Argument::size(sums)?,
            Argument::size(attention.head_dim)?,
        ],
    )?;

    let (name, rows_of_block) = if q.dtype() == DType::F32 {
        (type_name.to_owned(), ROWS_OF_BLOCK)
    } else {
        let width = padded(attention.head_dim, &[32, 64, 128, 256])?;
        // The widest tiles are lower: shared memory has no room for more.
        let rows = if width > 128 { 32 } else { 64 };
        (format!("{type_name}_{width}"), rows)
    };
    let gradients = AttentionGradients {
        queries: fresh(q, q.shape())?,
        keys: fresh(k, k.shape())?,
        values: fresh(v, v.shape())?,
    };
    let first_visible = first_visible(attention, q)?;
    let inputs = [
        Argument::Tensor(q),
        Argument::Tensor(k),
        Argument::Tensor(v),
        Argument::maybe(first_visible.as_ref()),
        Argument::Tensor(grad),
        Argument::Tensor(&attended.log_sum_exp),
        Argument::Tensor(&along),
    ];
    let sizes = sizes(attention)?;
    let launch = |what: &str, rows: usize, heads: usize, outputs: &[Argument<'_>]| {
        let tiles = rows.div_ceil(rows_of_block);
        kernel(device, BACKWARD, &format!("attention_{what}_{name}"))?.launch(
            Grid::of((tiles, heads, attention.batch), TILE_THREADS)?,
            &[&inputs, outputs, &sizes].concat(),
        )
    };
    launch(
        "queries",
        attention.queries,
        attention.heads,
        &[Argument::Tensor(&gradients.queries)],
    )?;
    launch(
        "keys",
        attention.key_capacity,
        attention.kv_heads,
        &[
            Argument::Tensor(&gradients.keys),
            Argument::Tensor(&gradients.values),
        ],
    )?;
    Ok(gradients)
}

/// What kernels ask for beyond the shapes that both twins check.
fn check(attention: &Attention<'_>, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<()> {
    let head_dim = attention.head_dim;
    if head_dim > 256 || !head_dim.is_multiple_of(2) {
        bail!("attention on the card has heads of an even width up to 256, not {head_dim}");
    }
    if k.dtype() != q.dtype() || v.dtype() != q.dtype() {
        bail!(
            "attention of queries in {:?} to keys in {:?} and values in {:?}",
            q.dtype(),
            k.dtype(),
            v.dtype()
        );
    }
    if attention.scale <= 0.0 || attention.soft_cap.is_some_and(|cap| cap <= 0.0) {
        bail!(
            "attention with scale {} and cap {:?}",
            attention.scale,
            attention.soft_cap
        );
    }
    Ok(())
}

/// The narrowest tile that a head fits.
fn padded(head_dim: usize, widths: &[usize]) -> Result<usize> {
    match widths.iter().find(|&&width| head_dim <= width) {
        Some(&width) => Ok(width),
        None => bail!("no tiles for heads of width {head_dim}"),
    }
}

fn first_visible(attention: &Attention<'_>, q: &Tensor) -> Result<Option<Tensor>> {
    let list = attention.first_visible;
    match list.is_empty() {
        true => Ok(None),
        false => Ok(Some(Tensor::from_slice(list, list.len(), q.device())?)),
    }
}

/// The arguments that end every kernel's list.
fn sizes(attention: &Attention<'_>) -> Result<[Argument<'static>; 9]> {
    let window = attention
        .window
        .map_or(u32::MAX, |window| u32::try_from(window).unwrap_or(u32::MAX));
    Ok([
        Argument::size(attention.queries)?,
        Argument::size(attention.keys)?,
        Argument::size(attention.key_capacity)?,
        Argument::size(attention.heads)?,
        Argument::size(attention.kv_heads)?,
        Argument::size(attention.head_dim)?,
        Argument::U32(window),
        Argument::F32(attention.scale as f32),
        Argument::F32(attention.soft_cap.map_or(0.0, |cap| cap as f32)),
    ])
}
