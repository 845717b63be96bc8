//! The operations, a file for each.

mod rms_norm;

use super::Case;

/// Every case.
pub(super) fn cases() -> Vec<Case> {
    [rms_norm::CASES].concat()
}
