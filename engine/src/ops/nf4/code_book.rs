//! The sixteen numbers of NF4 and how a block of weights becomes indices into them: scaled by its
//! largest magnitude, then the nearest code. Rounding follows bitsandbytes' CPU path to the bit.

/// Weights that share a scale: consecutive elements of the row-major tensor.
pub const BLOCK: usize = 64;

/// The NF4 code book; a 4-bit code is an index into it.
pub const CODES: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// The code of 0.0, which also fills the last half byte of an odd number of elements.
pub(super) const ZERO_CODE: u8 = 7;

/// Halfway between neighboring codes. A number on the bound takes the lower code.
const BOUNDS: [f32; 15] = {
    let mut bounds = [0.0; 15];
    let mut index = 0;
    while index < 15 {
        bounds[index] = (CODES[index] + CODES[index + 1]) / 2.0;
        index += 1;
    }
    bounds
};

/// bitsandbytes divides by no less than this, so that a block of zeros has no infinite reciprocal.
const SMALLEST_DIVISOR: f32 = 1e-38;

/// A block holds a number that is infinite or not a number.
pub(super) struct NotFinite;

/// Quantizes the numbers of one block, at most [`BLOCK`], to one code per byte; returns the scale.
///
/// A whole block is multiplied by the reciprocal of its largest magnitude, a shorter last one is
/// divided by it, and only the shorter one stores the raised divisor: that is bitsandbytes' CPU
/// path. Zeros become the code of zero either way.
#[inline(always)]
pub(super) fn quantize_block(values: &[f32], codes: &mut [u8]) -> Result<f32, NotFinite> {
    let largest = largest_magnitude(values)?;
    let divisor = largest.max(SMALLEST_DIVISOR);
    if let (Ok(values), Ok(codes)) = (
        <&[f32; BLOCK]>::try_from(values),
        <&mut [u8; BLOCK]>::try_from(&mut *codes),
    ) {
        let reciprocal = 1.0 / divisor;
        for (code, value) in codes.iter_mut().zip(values) {
            *code = nearest_code(value * reciprocal);
        }
        Ok(largest)
    } else {
        for (code, value) in codes.iter_mut().zip(values) {
            *code = nearest_code(value / divisor);
        }
        Ok(divisor)
    }
}

/// Without its sign bit a float orders like an integer, infinities and NaNs above all numbers: one
/// pass finds the largest magnitude and whatever is not finite.
#[inline(always)]
fn largest_magnitude(values: &[f32]) -> Result<f32, NotFinite> {
    let largest = values
        .iter()
        .fold(0, |largest, value| largest.max(value.abs().to_bits()));
    let largest = f32::from_bits(largest);
    if largest.is_finite() {
        Ok(largest)
    } else {
        Err(NotFinite)
    }
}

/// Counting the bounds below a number needs no branch, so it vectorizes.
#[inline(always)]
fn nearest_code(scaled: f32) -> u8 {
    let mut below = 0;
    for bound in BOUNDS {
        below += u8::from(scaled > bound);
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own_nearest() {
        for (index, code) in CODES.into_iter().enumerate() {
            assert_eq!(usize::from(nearest_code(code)), index);
        }
        assert_eq!(CODES[usize::from(ZERO_CODE)], 0.0);
    }

    #[test]
    fn a_number_halfway_takes_the_lower_code_and_the_next_one_the_upper() {
        for (index, bound) in BOUNDS.into_iter().enumerate() {
            assert_eq!(usize::from(nearest_code(bound)), index);
            assert_eq!(usize::from(nearest_code(bound.next_up())), index + 1);
        }
    }

    #[test]
    fn infinities_and_nans_are_found_anywhere_in_a_block() {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for place in [0, 31, 63] {
                let mut values = [0.5; BLOCK];
                values[place] = bad;
                assert!(quantize_block(&values, &mut [0; BLOCK]).is_err());
            }
        }
        assert!(quantize_block(&[f32::MAX; BLOCK], &mut [0; BLOCK]).is_ok());
    }
}
