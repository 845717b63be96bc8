//! The second quantization: the scales of 64 weights each become 8-bit codes of a dynamic map, in
//! blocks of 256 around their mean. 4.127 bits per weight instead of 4.5.

use crate::ops::dynamic_map::{BLOCK, SIGNED};

/// Scales that share a second-level scale.
pub const SCALE_BLOCK: usize = BLOCK;

/// The mean, which is taken off before the second quantization. It is exact but for its last
/// rounding; torch's sum of f32 may end one or two last bits away.
pub(super) fn mean(scales: &[f32]) -> f32 {
    if scales.is_empty() {
        return 0.0;
    }
    let sum: f64 = scales.iter().map(|&scale| f64::from(scale)).sum();
    (sum / scales.len() as f64) as f32
}

/// Codes of `scales - offset`, and the largest magnitude of each block of [`SCALE_BLOCK`].
pub(super) fn quantize_scales(scales: &[f32], offset: f32) -> (Vec<u8>, Vec<f32>) {
    let mut codes = vec![0; scales.len()];
    let blocks = scales
        .chunks(SCALE_BLOCK)
        .zip(codes.chunks_mut(SCALE_BLOCK));
    let absmax = blocks.map(|(scales, codes)| {
        let mut shifted = [0.0; SCALE_BLOCK];
        for (shifted, scale) in shifted.iter_mut().zip(scales) {
            *shifted = scale - offset;
        }
        SIGNED.quantize_block(&shifted[..scales.len()], codes)
    });
    let absmax = absmax.collect();
    (codes, absmax)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scales_leave_nothing_to_quantize() {
        let (codes, absmax) = quantize_scales(&[0.25; 300], 0.25);
        assert_eq!((codes, absmax), (vec![0; 300], vec![0.0; 2]));
    }

    #[test]
    fn the_mean_is_rounded_once() {
        let scales = vec![0.1_f32; 1 << 20];
        assert_eq!(mean(&scales), 0.1);
        assert_eq!(mean(&[]), 0.0);
    }
}
