//! bitsandbytes' 8-bit "dynamic" numbers (Dettmers 2015, arXiv 1511.04561; `create_dynamic_map`):
//! seven decades, each with twice the steps of the one below, signed or not, and a scale (the
//! largest magnitude) for each block of [`BLOCK`] numbers. NF4's scales are kept in the signed map,
//! and AdamW's first moments; its second moments, which have no sign, in the unsigned one.
//!
//! Codes are those of bitsandbytes 0.50 on the CPU to the bit. It rounds a scaled number to one of
//! 65,536 numbers on [-1, 1] before it takes the nearest code, so the codes of the lowest two decades
//! are hardly ever taken, and there is no way to write zero but in a block of zeros: zero becomes the
//! code nearest to 1 / 65535. A second moment therefore never rounds down to zero under a first moment
//! that does not, as it may where bitsandbytes takes the nearest code on a GPU.

use std::sync::LazyLock;

/// Numbers that share a scale.
pub const BLOCK: usize = 256;

/// The map with negative numbers.
pub static SIGNED: LazyLock<DynamicMap> = LazyLock::new(|| DynamicMap::new(&signed_values()));
/// The map without, and with twice the steps.
pub static UNSIGNED: LazyLock<DynamicMap> = LazyLock::new(|| DynamicMap::new(&unsigned_values()));

/// Intervals of the grid on [-1, 1].
const GRID: usize = 65_535;

/// One of the two maps, with what finds a number's code.
#[derive(Debug)]
pub struct DynamicMap {
    /// What each code stands for, rising.
    pub values: [f32; 256],
    /// The nearest code of every grid point, the lower one in the middle: `[GRID + 1]`.
    codes_of_grid: Vec<u8>,
}

impl DynamicMap {
    fn new(sorted: &[f32]) -> Self {
        let mut values = [0.0; 256];
        values.copy_from_slice(sorted);
        let mut code = 0;
        let codes_of_grid = (0..=GRID)
            .map(|point| {
                let value = 2.0 * point as f32 / GRID as f32 - 1.0;
                while code < 255 && value > (values[code] + values[code + 1]) * 0.5 {
                    code += 1;
                }
                code as u8
            })
            .collect();
        Self {
            values,
            codes_of_grid,
        }
    }

    /// Codes of one block (at most [`BLOCK`] numbers), and their scale: the largest magnitude. A block
    /// of zeros has code 0 and scale 0.
    #[inline(always)]
    pub fn quantize_block(&self, numbers: &[f32], codes: &mut [u8]) -> f32 {
        let largest = numbers
            .iter()
            .fold(0_f32, |largest, number| largest.max(number.abs()));
        if largest == 0.0 {
            codes.fill(0);
            return largest;
        }
        let reciprocal = 1.0 / largest;
        for (code, number) in codes.iter_mut().zip(numbers) {
            *code = self.codes_of_grid[grid_point(number * reciprocal)];
        }
        largest
    }
}

/// The grid point of a scaled number. bitsandbytes rounds `y * 65535 + 0.5` once (a fused
/// multiply-add); in f64 both operations are exact, so the conversion to f32 is that one rounding.
/// What is no number (zero by the infinite reciprocal of a subnormal scale) gets point 0 here and there.
#[inline(always)]
fn grid_point(scaled: f32) -> usize {
    let share = (scaled.clamp(-1.0, 1.0) + 1.0) * 0.5;
    (f64::from(share) * GRID as f64 + 0.5) as f32 as usize
}

const DECADES: u32 = 7;

/// Middles of `steps` equal intervals on [0.1, 1], times the decade's magnitude.
///
/// The last bits are those of torch's `linspace` on a processor with fused multiply-add (every
/// x86-64 one with AVX2), where each half of the interval counts from its own end.
fn decade(decade: u32, steps: i32) -> impl Iterator<Item = f32> {
    let step = (1.0 - 0.1_f32) / steps as f32;
    let edge = move |index: i32| {
        if index < (steps + 1) / 2 {
            step.mul_add(index as f32, 0.1)
        } else {
            (-step).mul_add((steps - index) as f32, 1.0)
        }
    };
    let magnitude = 10_f64.powi(decade as i32 + 1 - DECADES as i32) as f32;
    (0..steps).map(move |index| magnitude * ((edge(index) + edge(index + 1)) / 2.0))
}

fn signed_values() -> Vec<f32> {
    let decades = (0..DECADES).flat_map(|index| decade(index, 1 << index));
    let both = decades.flat_map(|middle| [middle, -middle]);
    sorted(both.chain([0.0, 1.0]).collect())
}

fn unsigned_values() -> Vec<f32> {
    let decades = (0..DECADES).flat_map(|index| decade(index, 2 << index));
    sorted(decades.chain([0.0, 1.0]).collect())
}

fn sorted(mut values: Vec<f32>) -> Vec<f32> {
    values.sort_by(f32::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maps_rise_to_one_and_hold_zero() {
        for (map, zero) in [(&*SIGNED, 127), (&*UNSIGNED, 0)] {
            assert!(map.values.is_sorted_by(|a, b| a < b));
            assert_eq!((map.values[zero], map.values[255]), (0.0, 1.0));
        }
        assert!((-1.0..-0.99).contains(&SIGNED.values[0]));
        // Twice the steps begin lower in the lowest decade: at 0.325 instead of 0.55.
        assert!((UNSIGNED.values[1] / 3.25e-7 - 1.0).abs() < 1e-6);
        assert!((SIGNED.values[128] / 5.5e-7 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_code_of_a_map_is_given_back_for_its_own_value() {
        // The grid is coarser than the lowest decades of the map: those codes may move.
        for map in [&*SIGNED, &*UNSIGNED] {
            let mut codes = [0; 256];
            assert_eq!(map.quantize_block(&map.values, &mut codes), 1.0);
            for (index, (&code, value)) in codes.iter().zip(map.values).enumerate() {
                if value.abs() > 1e-3 {
                    assert_eq!(usize::from(code), index);
                }
            }
        }
    }

    #[test]
    fn only_a_block_of_zeros_comes_back_as_zeros() {
        let mut codes = [7; 3];
        assert_eq!(UNSIGNED.quantize_block(&[0.0; 3], &mut codes), 0.0);
        assert_eq!(codes, [0; 3]);
        UNSIGNED.quantize_block(&[0.0, 1e-12, 1.0], &mut codes);
        assert_eq!(codes, [7, 7, 255]);
        // The point of the grid beside zero is 1 / 65535.
        assert!((UNSIGNED.values[7] * 65535.0 - 1.0).abs() < 0.03);
    }

    #[test]
    fn a_scale_too_small_for_a_reciprocal_gives_the_outermost_codes() {
        let mut codes = [7; 3];
        let largest = SIGNED.quantize_block(&[0.0, 1e-42, -1e-42], &mut codes);
        assert_eq!((largest, codes), (1e-42, [0, 255, 0]));
    }

    /// What the card's kernels know of a map: its values, and for each code the first point of the grid
    /// whose code is above it.
    fn in_kernels(name: &str, map: &DynamicMap) -> String {
        let values = map.values.map(|value| format!("{value:e}f"));
        let above = (0..255).map(|code| {
            let point = map.codes_of_grid.partition_point(|&other| other <= code);
            point.to_string()
        });
        let above: Vec<String> = above.collect();
        let lines = |numbers: &[String]| {
            let lines: Vec<String> = numbers.chunks(8).map(|line| line.join(", ")).collect();
            lines.join(",\n    ")
        };
        format!(
            "static __constant__ float {name}_VALUES[256] = {{\n    {}}};\n\
             static __constant__ unsigned short {name}_ABOVE[255] = {{\n    {}}};\n",
            lines(&values),
            lines(&above)
        )
    }

    #[test]
    fn the_kernels_of_the_card_know_the_same_maps() {
        let source = include_str!("cuda/kernels/dynamic_map.cuh");
        for (name, map) in [("SIGNED", &*SIGNED), ("UNSIGNED", &*UNSIGNED)] {
            let expected = in_kernels(name, map);
            assert!(source.contains(&expected), "it should have\n{expected}");
        }
    }
}
