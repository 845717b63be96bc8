//! One update of one tensor, on slices.

use rayon::prelude::*;

use super::moments::CodedMoment;
use crate::ops::cpu;
use crate::ops::dynamic_map::{BLOCK, SIGNED, UNSIGNED};

/// An update's factors: functions of the settings, the number of the update and its learning rate,
/// computed in f64 and rounded once, as torch does with Python's numbers.
#[derive(Clone, Copy)]
pub(super) struct Factors {
    /// `learning_rate / (1 - beta1^t)`.
    pub(super) step_size: f32,
    /// `sqrt(1 - beta2^t)`.
    pub(super) root_correction: f32,
    /// `1 - learning_rate * weight_decay`.
    pub(super) keep: f32,
    pub(super) eps: f32,
    pub(super) beta1: f32,
    pub(super) beta2: f32,
    pub(super) one_minus_beta1: f32,
    pub(super) one_minus_beta2: f32,
}

/// `torch.optim.AdamW`.
pub(super) fn with_f32_moments(
    factors: Factors,
    parameter: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    cpu::vectorized(
        #[inline(always)]
        || {
            let moments = first.iter_mut().zip(second.iter_mut());
            for ((p, &g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
                *m += factors.one_minus_beta1 * (g - *m);
                *v = *v * factors.beta2 + factors.one_minus_beta2 * g * g;
                let root = v.sqrt() / factors.root_correction + factors.eps;
                *p = *p * factors.keep - factors.step_size * (*m / root);
            }
        },
    );
}

/// Blocks that a thread takes at a time.
const BLOCKS_PER_TASK: usize = 64;

/// bitsandbytes' `AdamW8bit` (Dettmers et al. 2022, arXiv 2110.02861), as its CPU backend computes it:
/// decay before the step, the step from the new moments before they are rounded. A block's moments
/// are widened, used and rounded again before the next block, so no more than 2 KiB per thread are
/// ever f32; blocks are independent of each other, and of the number of threads.
///
/// # Panics
/// When lengths differ.
pub(super) fn with_coded_moments(
    factors: Factors,
    parameter: &mut [f32],
    gradient: &[f32],
    first: &mut CodedMoment,
    second: &mut CodedMoment,
) {
    let elements = parameter.len();
    assert_eq!(gradient.len(), elements, "gradient length");
    for moment in [&*first, &*second] {
        assert_eq!(moment.codes.len(), elements, "codes of a moment");
        assert_eq!(
            moment.absmax.len(),
            elements.div_ceil(BLOCK),
            "scales of a moment"
        );
    }
    const TASK: usize = BLOCKS_PER_TASK * BLOCK;
    parameter
        .par_chunks_mut(TASK)
        .zip(gradient.par_chunks(TASK))
        .zip(first.codes.par_chunks_mut(TASK))
        .zip(first.absmax.par_chunks_mut(BLOCKS_PER_TASK))
        .zip(second.codes.par_chunks_mut(TASK))
        .zip(second.absmax.par_chunks_mut(BLOCKS_PER_TASK))
        .for_each(
            |(((((p, g), first_codes), first_absmax), second_codes), second_absmax)| {
                cpu::vectorized(
                    #[inline(always)]
                    || {
                        let parameters = p.chunks_mut(BLOCK).zip(g.chunks(BLOCK));
                        let first = first_codes.chunks_mut(BLOCK).zip(first_absmax);
                        let second = second_codes.chunks_mut(BLOCK).zip(second_absmax);
                        for (((p, g), first), second) in parameters.zip(first).zip(second) {
                            update_block(factors, p, g, first, second);
                        }
                    },
                );
            },
        );
}

/// A block's codes and its scale.
type CodedBlock<'a> = (&'a mut [u8], &'a mut f32);

/// The moments are rounded as torch rounds them (`mul_` and `add_`, `addcmul_`): a fused multiply-add
/// each. Codes of the next update hang on their last bits.
#[inline(always)]
fn update_block(
    factors: Factors,
    parameter: &mut [f32],
    gradient: &[f32],
    (first_codes, first_absmax): CodedBlock<'_>,
    (second_codes, second_absmax): CodedBlock<'_>,
) {
    let (mut first, mut second) = ([0_f32; BLOCK], [0_f32; BLOCK]);
    let (first, second) = (
        &mut first[..parameter.len()],
        &mut second[..parameter.len()],
    );
    for ((m, code), g) in first.iter_mut().zip(&*first_codes).zip(gradient) {
        let before = SIGNED.values[usize::from(*code)] * *first_absmax;
        *m = factors.one_minus_beta1.mul_add(*g, before * factors.beta1);
    }
    for ((v, code), g) in second.iter_mut().zip(&*second_codes).zip(gradient) {
        let before = UNSIGNED.values[usize::from(*code)] * *second_absmax;
        *v = (factors.one_minus_beta2 * g).mul_add(*g, before * factors.beta2);
    }
    for ((p, m), v) in parameter.iter_mut().zip(&*first).zip(&*second) {
        let root = v.sqrt() / factors.root_correction + factors.eps;
        *p = *p * factors.keep - factors.step_size * m / root;
    }
    *first_absmax = SIGNED.quantize_block(first, first_codes);
    *second_absmax = UNSIGNED.quantize_block(second, second_codes);
}
