//! The operations, a file for each.

mod attention;
mod rms_norm;

use super::Case;

/// Every case.
pub(super) fn cases() -> Vec<Case> {
    [attention::CASES, rms_norm::CASES].concat()
}
