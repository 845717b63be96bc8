//! What the NF4 goldens and `tests/witness/nf4.py` compute alike: a hash of integers, and the
//! checksum that stands for a tensor too large to commit.

/// The finalizer of splitmix64.
pub fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Sum of (bits + 1) * mix(position), modulo 2^64.
pub fn checksum(bits: &[u32]) -> u64 {
    (0..)
        .zip(bits)
        .map(|(position, &bits)| (u64::from(bits) + 1).wrapping_mul(mix(position)))
        .fold(0, u64::wrapping_add)
}

/// The bits of floats, which tell -0.0 from 0.0.
pub fn float_bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}
