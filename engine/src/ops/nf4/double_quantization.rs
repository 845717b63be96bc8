//! The second quantization: the scales of 64 weights each become 8-bit codes of a dynamic map, in
//! blocks of 256 around their mean. 4.127 bits per weight instead of 4.5.

use std::sync::LazyLock;

/// Scales that share a second-level scale.
pub const SCALE_BLOCK: usize = 256;

/// The signed 8-bit dynamic map: seven decades, each with twice the steps of the one below.
pub static DYNAMIC_MAP: LazyLock<[f32; 256]> = LazyLock::new(dynamic_map);

/// The last bits are those of torch's `linspace` on a processor with fused multiply-add (every
/// x86-64 one with AVX2), where each half of the interval counts from its own end.
fn dynamic_map() -> [f32; 256] {
    const DECADES: u32 = 7;
    let mut values = Vec::with_capacity(256);
    for decade in 0..DECADES {
        let steps = 1 << decade;
        let step = (1.0 - 0.1_f32) / steps as f32;
        let edge = |index: i32| {
            if index < (steps + 1) / 2 {
                step.mul_add(index as f32, 0.1)
            } else {
                (-step).mul_add((steps - index) as f32, 1.0)
            }
        };
        let magnitude = 10_f64.powi(decade as i32 + 1 - DECADES as i32) as f32;
        for index in 0..steps {
            let middle = magnitude * ((edge(index) + edge(index + 1)) / 2.0);
            values.extend([middle, -middle]);
        }
    }
    values.extend([0.0, 1.0]);
    values.sort_by(f32::total_cmp);
    let mut map = [0.0; 256];
    map.copy_from_slice(&values);
    map
}

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
    let codes_of_grid = codes_of_grid();
    let mut codes = Vec::with_capacity(scales.len());
    let mut absmax = Vec::with_capacity(scales.len().div_ceil(SCALE_BLOCK));
    for block in scales.chunks(SCALE_BLOCK) {
        let largest = block
            .iter()
            .fold(0_f32, |largest, scale| largest.max((scale - offset).abs()));
        absmax.push(largest);
        if largest == 0.0 {
            codes.extend(block.iter().map(|_| 0));
            continue;
        }
        let reciprocal = 1.0 / largest;
        codes.extend(
            block
                .iter()
                .map(|scale| codes_of_grid[grid_point((scale - offset) * reciprocal)]),
        );
    }
    (codes, absmax)
}

/// Intervals of the grid on [-1, 1] that bitsandbytes' CPU path rounds to before it looks for the
/// nearest code.
const GRID: usize = 65_535;

/// The grid point of a scaled number. bitsandbytes rounds `y * 65535 + 0.5` once (a fused
/// multiply-add); in f64 both operations are exact, so the conversion to f32 is that one rounding.
fn grid_point(scaled: f32) -> usize {
    let share = (scaled.clamp(-1.0, 1.0) + 1.0) * 0.5;
    (f64::from(share) * GRID as f64 + 0.5) as f32 as usize
}

/// The nearest code of every grid point, the lower one in the middle.
fn codes_of_grid() -> Vec<u8> {
    let map = &*DYNAMIC_MAP;
    let mut code = 0;
    (0..=GRID)
        .map(|point| {
            let value = 2.0 * point as f32 / GRID as f32 - 1.0;
            while code < 255 && value > (map[code] + map[code + 1]) * 0.5 {
                code += 1;
            }
            code as u8
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dynamic_map_rises_from_minus_one_to_one_and_holds_zero() {
        let map = &*DYNAMIC_MAP;
        assert!(map.is_sorted_by(|a, b| a < b));
        assert_eq!((map[127], map[255]), (0.0, 1.0));
        assert!((-1.0..-0.99).contains(&map[0]));
    }

    #[test]
    fn a_code_of_the_map_is_given_back_for_its_own_value() {
        // The grid is coarser than the lowest decades of the map: those codes may move.
        let map = &*DYNAMIC_MAP;
        let (codes, absmax) = quantize_scales(&map[..], 0.0);
        assert_eq!(absmax, [1.0]);
        for (index, (&code, value)) in codes.iter().zip(map).enumerate() {
            if value.abs() > 1e-3 {
                assert_eq!(usize::from(code), index);
            }
        }
    }

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
