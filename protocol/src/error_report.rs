//! How an error crosses the seam.

use serde::{Deserialize, Serialize};

/// What happened, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// Stable name of the kind of error, for programs.
    pub code: String,
    /// What was found and where: file, line, field.
    pub message: String,
    /// What the user can do about it.
    pub hint: String,
    /// What a bug report would want: a panic's place, the last lines of a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

impl ErrorReport {
    /// A report without details.
    pub fn new(
        code: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            hint: hint.into(),
            details: None,
        }
    }
}
