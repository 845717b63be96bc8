//! NF4: a frozen weight in four bits per element, as bitsandbytes stores it. Blocks of 64 elements
//! of the row-major tensor share a scale; the scales may be quantized once more.
//!
//! Quantizing gives the codes and scales of bitsandbytes 0.50 on an x86-64 CPU to the bit. A 16-bit
//! weight gives the same codes as its f32 copy there and here, so a source is read as f32. The mean
//! that is taken off the scales before they are quantized again may differ in its last bits: torch
//! sums in f32.
//!
//! Dequantizing multiplies in f32 and does not round further. bitsandbytes rounds the result to the
//! type that the weight had before it was quantized, which is no part of the format.

mod code_book;
mod double_quantization;
mod lookup;
mod quantize;

use std::ops::Range;

pub use code_book::{BLOCK, CODES};
pub use double_quantization::SCALE_BLOCK;

use crate::ops::dynamic_map::SIGNED;

/// A weight in NF4.
#[derive(Clone, Debug, PartialEq)]
pub struct Nf4 {
    elements: usize,
    packed: Vec<u8>,
    scales: Scales,
}

/// The scale of each block of [`BLOCK`] elements.
#[derive(Clone, Debug, PartialEq)]
pub enum Scales {
    /// As they are.
    Plain(Vec<f32>),
    /// Scale `i` is `SIGNED.values[codes[i]] * absmax[i / SCALE_BLOCK] + offset`.
    Double {
        /// One per block.
        codes: Vec<u8>,
        /// One per [`SCALE_BLOCK`] codes.
        absmax: Vec<f32>,
        /// The mean of the scales.
        offset: f32,
    },
}

/// Whether the scales are quantized too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoubleQuantization {
    /// 4.127 bits per element.
    On,
    /// 4.5 bits per element.
    Off,
}

/// Why there is no NF4 of something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nf4Error {
    /// A number to quantize is infinite or not a number: no scale could hold its block.
    #[error("element {element} is not a finite number")]
    NotFinite {
        /// The first such element.
        element: usize,
    },
    /// A stored part is too short or too long for the number of elements.
    #[error("{found} {part} for {elements} elements, expected {expected}")]
    Length {
        /// Which part: "bytes of codes", "scales", "codes of scales" or "second-level scales".
        part: &'static str,
        /// What was there.
        found: usize,
        /// What the number of elements asks for.
        expected: usize,
        /// The number of elements.
        elements: usize,
    },
}

impl Nf4 {
    /// Quantizes `elements` numbers in parallel. `read(range, to)` fills `to` with the elements of
    /// `range`, piece by piece and from several threads, so a 16-bit source is never widened as a
    /// whole: beside the result (and the plain scales, when they are quantized again) a thread
    /// holds one piece of 64 KiB.
    ///
    /// # Errors
    /// When a number is not finite. bitsandbytes would store a block that dequantizes to NaN.
    pub fn quantize(
        elements: usize,
        read: impl Fn(Range<usize>, &mut [f32]) + Sync,
        double_quantization: DoubleQuantization,
    ) -> Result<Self, Nf4Error> {
        let plain = quantize::quantize(elements, read)?;
        Ok(match double_quantization {
            DoubleQuantization::Off => plain,
            DoubleQuantization::On => {
                let offset = plain.mean_scale();
                plain.double_quantized(offset)
            }
        })
    }

    /// Quantizes plain scales around `offset`; scales that are quantized already stay as they are.
    /// [`quantize`](Self::quantize) passes [`mean_scale`](Self::mean_scale).
    pub fn double_quantized(self, offset: f32) -> Self {
        let scales = match self.scales {
            Scales::Plain(scales) => {
                let (codes, absmax) = double_quantization::quantize_scales(&scales, offset);
                Scales::Double {
                    codes,
                    absmax,
                    offset,
                }
            }
            double @ Scales::Double { .. } => double,
        };
        Self { scales, ..self }
    }

    /// From parts that were stored. Their numbers are taken as they are: whatever is not finite
    /// shows in the weight.
    ///
    /// # Errors
    /// Says which part has another length than `elements` asks for.
    pub fn from_parts(elements: usize, packed: Vec<u8>, scales: Scales) -> Result<Self, Nf4Error> {
        let check = |part, found, expected| {
            if found == expected {
                Ok(())
            } else {
                Err(Nf4Error::Length {
                    part,
                    found,
                    expected,
                    elements,
                })
            }
        };
        let blocks = elements.div_ceil(BLOCK);
        check("bytes of codes", packed.len(), elements.div_ceil(2))?;
        match &scales {
            Scales::Plain(scales) => check("scales", scales.len(), blocks)?,
            Scales::Double { codes, absmax, .. } => {
                check("codes of scales", codes.len(), blocks)?;
                let expected = blocks.div_ceil(SCALE_BLOCK);
                check("second-level scales", absmax.len(), expected)?;
            }
        }
        Ok(Self {
            elements,
            packed,
            scales,
        })
    }

    /// Writes the elements of `range` to `out`. Any range will do; several threads may work on
    /// ranges of their own.
    ///
    /// # Panics
    /// When `range` reaches beyond the last element or `out` has another length.
    pub fn dequantize(&self, range: Range<usize>, out: &mut [f32]) {
        assert!(range.end <= self.elements, "NF4 range is out of bounds");
        assert_eq!(range.len(), out.len(), "NF4 output length");
        if range.is_empty() {
            return;
        }
        // What lies before the first whole block, the whole blocks, what is left.
        let first_whole = range.start.next_multiple_of(BLOCK).min(range.end);
        let whole_end = (range.end / BLOCK * BLOCK).max(first_whole);
        let (before, rest) = out.split_at_mut(first_whole - range.start);
        let (whole, after) = rest.split_at_mut(whole_end - first_whole);
        self.dequantize_part_of_block(range.start, before);
        if !whole.is_empty() {
            let packed = &self.packed[first_whole / 2..whole_end / 2];
            let first_block = first_whole / BLOCK;
            match &self.scales {
                Scales::Plain(scales) => {
                    let scales = &scales[first_block..][..whole.len() / BLOCK];
                    lookup::decode_blocks(packed, |index| scales[index], whole);
                }
                Scales::Double {
                    codes,
                    absmax,
                    offset,
                } => {
                    let map = &SIGNED.values;
                    let scale =
                        |index| double_scale(map, codes, absmax, *offset, first_block + index);
                    lookup::decode_blocks(packed, scale, whole);
                }
            }
        }
        self.dequantize_part_of_block(whole_end, after);
    }

    fn dequantize_part_of_block(&self, start: usize, out: &mut [f32]) {
        if out.is_empty() {
            return;
        }
        let scale = self.scale(start / BLOCK);
        for (element, out) in (start..).zip(out) {
            *out = lookup::decode(&self.packed, element) * scale;
        }
    }

    /// The scale of a block.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn scale(&self, block: usize) -> f32 {
        match &self.scales {
            Scales::Plain(scales) => scales[block],
            Scales::Double {
                codes,
                absmax,
                offset,
            } => double_scale(&SIGNED.values, codes, absmax, *offset, block),
        }
    }

    /// The mean of the scales: what bitsandbytes takes off them before it quantizes them again.
    pub fn mean_scale(&self) -> f32 {
        match &self.scales {
            Scales::Plain(scales) => double_quantization::mean(scales),
            Scales::Double { offset, .. } => *offset,
        }
    }

    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Codes, two per byte: element `2 i` in the high half of byte `i`, element `2 i + 1` in the
    /// low half. After an odd number of elements the last half byte is the code of zero.
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// The scales as they are held.
    pub fn scales(&self) -> &Scales {
        &self.scales
    }

    /// All that is held.
    pub fn bytes(&self) -> u64 {
        let scales = match &self.scales {
            Scales::Plain(scales) => size_of_val(scales.as_slice()),
            Scales::Double { codes, absmax, .. } => {
                codes.len() + size_of_val(absmax.as_slice()) + size_of::<f32>()
            }
        };
        (self.packed.len() + scales) as u64
    }
}

/// Product and sum are rounded one after the other, as bitsandbytes does.
#[inline(always)]
fn double_scale(map: &[f32; 256], codes: &[u8], absmax: &[f32], offset: f32, block: usize) -> f32 {
    map[usize::from(codes[block])] * absmax[block / SCALE_BLOCK] + offset
}

#[cfg(test)]
mod tests;
