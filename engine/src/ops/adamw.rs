//! One update of one tensor by AdamW, in place, with moments in f32 or in 8 bits; the optimizer that
//! walks over tensors is in `training`. Parameters and gradients are f32, on the CPU or all on one card.

use candle_core::{DType, Result, Tensor, bail};
use rayon::prelude::*;

use super::dynamic_map::{BLOCK, SIGNED, UNSIGNED};
use super::{cpu, on_card};

/// An update's factors: functions of the settings, the number of the update and its learning rate,
/// computed in f64 and rounded once, as torch does with Python's numbers.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    /// `learning_rate / (1 - beta1^t)`.
    pub step_size: f32,
    /// `sqrt(1 - beta2^t)`.
    pub root_correction: f32,
    /// `1 - learning_rate * weight_decay`.
    pub keep: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// `1 - beta1`.
    pub one_minus_beta1: f32,
    /// `1 - beta2`.
    pub one_minus_beta2: f32,
}

/// A moment in 8 bits: number `i` is `map[codes[i]] * absmax[i / BLOCK]`.
#[derive(Clone, Copy, Debug)]
pub struct Coded<'a> {
    /// One u8 per number.
    pub codes: &'a Tensor,
    /// The largest magnitude of each block, f32.
    pub absmax: &'a Tensor,
}

/// `torch.optim.AdamW`.
///
/// # Errors
/// When shapes or types differ or a tensor is not contiguous.
pub fn adamw(
    factors: Factors,
    parameter: &Tensor,
    gradient: &Tensor,
    first: &Tensor,
    second: &Tensor,
) -> Result<()> {
    for other in [gradient, first, second] {
        if other.shape() != parameter.shape() || other.dtype() != DType::F32 {
            bail!("{other:?} for the parameter {parameter:?}");
        }
    }
    on_card!(
        parameter,
        super::cuda::adamw::adamw(factors, parameter, gradient, first, second)
    );
    let gradient = cpu::read::<f32>(gradient)?;
    cpu::update::<f32, _>(parameter, |p| {
        cpu::update::<f32, _>(first, |m| {
            cpu::update::<f32, _>(second, |v| {
                with_f32_moments(factors, p, &gradient, m, v);
            })
        })
    })??
}

/// bitsandbytes' `AdamW8bit` (Dettmers et al. 2022, arXiv 2110.02861), as its CPU backend computes it:
/// decay before the step, the step from the new moments before they are rounded. A block's moments
/// are widened, used and rounded again before the next block, so no more than 2 KiB per thread are
/// ever f32; blocks are independent of each other, and of the number of threads. The first moment is
/// in the signed dynamic map, the second in the unsigned one.
///
/// # Errors
/// When sizes or types do not fit together or a tensor is not contiguous.
pub fn adamw_8bit(
    factors: Factors,
    parameter: &Tensor,
    gradient: &Tensor,
    first: Coded<'_>,
    second: Coded<'_>,
) -> Result<()> {
    let elements = parameter.elem_count();
    let fits = |moment: &Coded<'_>| {
        let sizes = [moment.codes.elem_count(), moment.absmax.elem_count()];
        let types = [moment.codes.dtype(), moment.absmax.dtype()];
        sizes == [elements, elements.div_ceil(BLOCK)] && types == [DType::U8, DType::F32]
    };
    if gradient.shape() != parameter.shape() || gradient.dtype() != DType::F32 {
        bail!("{gradient:?} for the parameter {parameter:?}");
    }
    if let Some(other) = [first, second].iter().find(|moment| !fits(moment)) {
        bail!("{other:?} for the parameter {parameter:?}");
    }
    on_card!(
        parameter,
        super::cuda::adamw::adamw_8bit(factors, parameter, gradient, first, second)
    );
    let gradient = cpu::read::<f32>(gradient)?;
    cpu::update::<f32, _>(parameter, |p| {
        update_coded(first, |first| {
            update_coded(second, |second| {
                with_coded_moments(factors, p, &gradient, first, second);
            })
        })
    })??
}

/// The codes and scales of a tensor.
type Codes<'a> = (&'a mut [u8], &'a mut [f32]);

fn update_coded<R>(moment: Coded<'_>, change: impl FnOnce(Codes<'_>) -> R) -> Result<R> {
    cpu::update::<u8, _>(moment.codes, |codes| {
        cpu::update::<f32, _>(moment.absmax, |absmax| change((codes, absmax)))
    })?
}

fn with_f32_moments(
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

fn with_coded_moments(
    factors: Factors,
    parameter: &mut [f32],
    gradient: &[f32],
    (first_codes, first_absmax): Codes<'_>,
    (second_codes, second_absmax): Codes<'_>,
) {
    const TASK: usize = BLOCKS_PER_TASK * BLOCK;
    parameter
        .par_chunks_mut(TASK)
        .zip(gradient.par_chunks(TASK))
        .zip(first_codes.par_chunks_mut(TASK))
        .zip(first_absmax.par_chunks_mut(BLOCKS_PER_TASK))
        .zip(second_codes.par_chunks_mut(TASK))
        .zip(second_absmax.par_chunks_mut(BLOCKS_PER_TASK))
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
