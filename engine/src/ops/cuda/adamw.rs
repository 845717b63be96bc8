//! [`crate::ops::adamw`] on the card: a thread per number.

use candle_core::{Result, Tensor};

use super::launch::kernels;
use super::{Argument, Grid, Kernels, device_of, kernel};
use crate::ops::adamw::{Coded, Factors};
use crate::ops::dynamic_map::BLOCK;

const KERNELS: Kernels = kernels!("adamw");
/// Blocks of numbers that a block of threads updates one after the other: it reads the maps once.
const BLOCKS_EACH: usize = 8;

/// As its twin, which has checked the sizes.
pub fn adamw(
    factors: Factors,
    parameter: &Tensor,
    gradient: &Tensor,
    first: &Tensor,
    second: &Tensor,
) -> Result<()> {
    let elements = parameter.elem_count();
    let tensors = [parameter, gradient, first, second].map(Argument::Tensor);
    let numbers = [Argument::U64(elements as u64)];
    let arguments = [&tensors[..], &numbers, &arguments_of(factors)].concat();
    kernel(device_of(parameter)?, KERNELS, "adamw_f32")?
        .launch(Grid::elements(elements)?, &arguments)
}

/// As its twin, which has checked the sizes.
pub fn adamw_8bit(
    factors: Factors,
    parameter: &Tensor,
    gradient: &Tensor,
    first: Coded<'_>,
    second: Coded<'_>,
) -> Result<()> {
    let elements = parameter.elem_count();
    let tensors = [
        parameter,
        gradient,
        first.codes,
        first.absmax,
        second.codes,
        second.absmax,
    ];
    let tensors = tensors.map(Argument::Tensor);
    let numbers = [Argument::U64(elements as u64)];
    let arguments = [&tensors[..], &numbers, &arguments_of(factors)].concat();
    let blocks = elements.div_ceil(BLOCK * BLOCKS_EACH);
    kernel(device_of(parameter)?, KERNELS, "adamw_8bit")?
        .launch(Grid::rows(blocks, BLOCK as u32)?, &arguments)
}

fn arguments_of(factors: Factors) -> [Argument<'static>; 8] {
    [
        factors.step_size,
        factors.root_correction,
        factors.keep,
        factors.eps,
        factors.beta1,
        factors.beta2,
        factors.one_minus_beta1,
        factors.one_minus_beta2,
    ]
    .map(Argument::F32)
}
