//! The operations, a file for each.

mod adamw;
mod attention;
mod bias;
mod cross_entropy;
mod elementwise;
mod frozen_matrix;
mod gated;
mod rms_norm;
mod rope;

use super::Case;

/// Every case.
pub(super) fn cases() -> Vec<Case> {
    [
        adamw::CASES,
        attention::CASES,
        bias::CASES,
        cross_entropy::CASES,
        elementwise::CASES,
        frozen_matrix::CASES,
        gated::CASES,
        rms_norm::CASES,
        rope::CASES,
    ]
    .concat()
}
