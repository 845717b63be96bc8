//! The operations, a file for each.

mod elementwise;
mod rms_norm;

use super::Case;

/// Every case.
pub(super) fn cases() -> Vec<Case> {
    [elementwise::CASES, rms_norm::CASES].concat()
}
