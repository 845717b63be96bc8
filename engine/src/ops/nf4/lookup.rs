//! Codes to numbers, many at a time. A table of sixteen floats fits one AVX-512 register (two of
//! AVX2), so a whole register of codes is looked up by one permutation. Elsewhere a table of byte
//! pairs gives two numbers per load. All of them multiply the same two floats, so they agree to the
//! last bit.

use super::code_book::{BLOCK, CODES};

/// Bytes of a whole block.
pub(super) const BLOCK_BYTES: usize = BLOCK / 2;

/// Both numbers of every byte, the high half byte first.
static PAIRS: [[f32; 2]; 256] = {
    let mut pairs = [[0.0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [CODES[byte >> 4], CODES[byte & 15]];
        byte += 1;
    }
    pairs
};

/// Looks up whole blocks: `packed` in pieces of [`BLOCK_BYTES`], `out` in pieces of [`BLOCK`],
/// `scale(index)` for each.
pub(super) fn decode_blocks(packed: &[u8], scale: impl Fn(usize) -> f32, out: &mut [f32]) {
    let blocks = packed.as_chunks::<BLOCK_BYTES>().0.iter();
    let blocks = blocks.zip(out.as_chunks_mut::<BLOCK>().0).enumerate();
    #[cfg(target_arch = "x86_64")]
    {
        use pulp::x86::{V3, V4};
        if let Some(simd) = V4::try_new() {
            return simd.vectorize(
                #[inline(always)]
                || {
                    blocks
                        .for_each(|(index, (packed, out))| avx512(simd, packed, scale(index), out))
                },
            );
        }
        if let Some(simd) = V3::try_new() {
            return simd.vectorize(
                #[inline(always)]
                || blocks.for_each(|(index, (packed, out))| avx2(simd, packed, scale(index), out)),
            );
        }
    }
    blocks.for_each(|(index, (packed, out))| pairs(packed, scale(index), out));
}

/// One number of a packed slice.
#[inline(always)]
pub(super) fn decode(packed: &[u8], element: usize) -> f32 {
    PAIRS[usize::from(packed[element / 2])][element % 2]
}

#[inline(always)]
fn pairs(packed: &[u8; BLOCK_BYTES], scale: f32, out: &mut [f32; BLOCK]) {
    for (out, &byte) in out.as_chunks_mut::<2>().0.iter_mut().zip(packed) {
        let [high, low] = PAIRS[usize::from(byte)];
        *out = [high * scale, low * scale];
    }
}

/// Each byte becomes 64 bits: the high half byte in the lower 32, the whole byte in the upper 32.
/// The permutation looks at the last four bits of each 32 alone, so nothing has to be masked.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn avx512(simd: pulp::x86::V4, packed: &[u8; BLOCK_BYTES], scale: f32, out: &mut [f32; BLOCK]) {
    let f = simd.avx512f;
    let table = f._mm512_mul_ps(pulp::cast(CODES), f._mm512_set1_ps(scale));
    let pieces = packed.as_chunks::<8>().0.iter();
    for (bytes, out) in pieces.zip(out.as_chunks_mut::<16>().0) {
        let bytes = f._mm512_cvtepu8_epi64(low_bytes(u64::from_le_bytes(*bytes)));
        let indices = f._mm512_or_si512(
            f._mm512_srli_epi64::<4>(bytes),
            f._mm512_slli_epi64::<32>(bytes),
        );
        *out = pulp::cast(f._mm512_permutexvar_ps(indices, table));
    }
}

/// As above with half the width: the table is two registers, and bit 3 of a code says which.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn avx2(simd: pulp::x86::V3, packed: &[u8; BLOCK_BYTES], scale: f32, out: &mut [f32; BLOCK]) {
    let (avx, avx2) = (simd.avx, simd.avx2);
    let [lower, upper]: [core::arch::x86_64::__m256; 2] = pulp::cast(CODES);
    let scale = avx._mm256_set1_ps(scale);
    let lower = avx._mm256_mul_ps(lower, scale);
    let upper = avx._mm256_mul_ps(upper, scale);
    let pieces = packed.as_chunks::<4>().0.iter();
    for (bytes, out) in pieces.zip(out.as_chunks_mut::<8>().0) {
        let bytes = low_bytes(u64::from(u32::from_le_bytes(*bytes)));
        let bytes = avx2._mm256_cvtepu8_epi64(bytes);
        let indices = avx2._mm256_or_si256(
            avx2._mm256_srli_epi64::<4>(bytes),
            avx2._mm256_slli_epi64::<32>(bytes),
        );
        let sign_is_bit_3 = pulp::cast(avx2._mm256_slli_epi32::<28>(indices));
        *out = pulp::cast(avx._mm256_blendv_ps(
            avx2._mm256_permutevar8x32_ps(lower, indices),
            avx2._mm256_permutevar8x32_ps(upper, indices),
            sign_is_bit_3,
        ));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn low_bytes(bytes: u64) -> core::arch::x86_64::__m128i {
    pulp::cast([bytes, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte once, in blocks.
    fn all_bytes() -> Vec<[u8; BLOCK_BYTES]> {
        let bytes: Vec<u8> = (0..=255).collect();
        bytes.as_chunks().0.to_vec()
    }

    #[test]
    fn the_high_half_byte_comes_first() {
        for packed in all_bytes() {
            let mut out = [0.0; BLOCK];
            pairs(&packed, 0.3, &mut out);
            for (element, &out) in out.iter().enumerate() {
                let byte = packed[element / 2];
                let code = if element % 2 == 0 {
                    byte >> 4
                } else {
                    byte & 15
                };
                assert_eq!(out, CODES[usize::from(code)] * 0.3);
                assert_eq!(out, decode(&packed, element) * 0.3);
            }
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn every_instruction_set_gives_the_same_bits() {
        use pulp::x86::{V3, V4};
        let bits = |out: [f32; BLOCK]| out.map(f32::to_bits);
        for packed in all_bytes() {
            for scale in [0.3, -1.7e-39, 3.4e38, 0.0] {
                let mut portable = [0.0; BLOCK];
                pairs(&packed, scale, &mut portable);
                let mut out = [f32::NAN; BLOCK];
                if let Some(simd) = V4::try_new() {
                    simd.vectorize(
                        #[inline(always)]
                        || avx512(simd, &packed, scale, &mut out),
                    );
                    assert_eq!(bits(out), bits(portable));
                }
                if let Some(simd) = V3::try_new() {
                    out = [f32::NAN; BLOCK];
                    simd.vectorize(
                        #[inline(always)]
                        || avx2(simd, &packed, scale, &mut out),
                    );
                    assert_eq!(bits(out), bits(portable));
                }
            }
        }
    }
}
