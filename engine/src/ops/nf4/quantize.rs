//! The loop of quantization: pieces of the source are read and quantized in parallel, each into its
//! own part of the result, so the number of threads changes nothing.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::code_book::{self, BLOCK, ZERO_CODE};
use super::{Nf4, Nf4Error, Scales};
use crate::ops::cpu;

/// Elements a thread reads at a time: 64 KiB of f32.
const PIECE: usize = 256 * BLOCK;

pub(super) fn quantize(
    elements: usize,
    read: impl Fn(Range<usize>, &mut [f32]) + Sync,
) -> Result<Nf4, Nf4Error> {
    let mut packed = vec![0; elements.div_ceil(2)];
    let mut scales = vec![0.0; elements.div_ceil(BLOCK)];
    let first_not_finite = AtomicUsize::new(usize::MAX);
    packed
        .par_chunks_mut(PIECE / 2)
        .zip(scales.par_chunks_mut(PIECE / BLOCK))
        .enumerate()
        .for_each_init(Vec::new, |values, (piece, (packed, scales))| {
            let range = piece * PIECE..elements.min((piece + 1) * PIECE);
            values.resize(range.len(), 0.0);
            read(range.clone(), values);
            let finite = cpu::vectorized(
                #[inline(always)]
                || quantize_piece(values, packed, scales),
            );
            if finite.is_err()
                && let Some(index) = values.iter().position(|value| !value.is_finite())
            {
                first_not_finite.fetch_min(range.start + index, Ordering::Relaxed);
            }
        });
    match first_not_finite.into_inner() {
        usize::MAX => Ok(Nf4 {
            elements,
            packed,
            scales: Scales::Plain(scales),
        }),
        element => Err(Nf4Error::NotFinite { element }),
    }
}

#[inline(always)]
fn quantize_piece(
    values: &[f32],
    packed: &mut [u8],
    scales: &mut [f32],
) -> Result<(), code_book::NotFinite> {
    let blocks = values.chunks(BLOCK).zip(packed.chunks_mut(BLOCK / 2));
    for ((values, packed), scale) in blocks.zip(scales) {
        let mut codes = [ZERO_CODE; BLOCK];
        *scale = code_book::quantize_block(values, &mut codes[..values.len()])?;
        for (byte, [high, low]) in packed.iter_mut().zip(codes.as_chunks().0) {
            *byte = high << 4 | low;
        }
    }
    Ok(())
}
