//! The operations, a file for each.

mod adamw;
mod frozen_matrix;
mod rms_norm;

use super::Case;

/// Every case.
pub(super) fn cases() -> Vec<Case> {
    [adamw::CASES, frozen_matrix::CASES, rms_norm::CASES].concat()
}
