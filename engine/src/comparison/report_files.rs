//! The files of a report, each written whole or not at all.

use std::path::Path;

use stepladder_protocol::{AnswerOutcome, ComparedRow, ComparisonDocument, ComparisonTimes};

use super::{csv, html};
use crate::Result;
use crate::files::{write_atomically, write_json_atomically};

/// Writes what comes of all answers. `baseline` is the place of the variant that the others are compared
/// with.
///
/// # Errors
/// When the disk refuses.
pub fn write(
    folder: &Path,
    document: &ComparisonDocument,
    baseline: usize,
    times: &ComparisonTimes,
) -> Result<()> {
    let csv = csv::csv(document, baseline);
    write_atomically(&folder.join("answers.csv"), csv.as_bytes())?;
    let html = html::html(document, baseline);
    write_atomically(&folder.join("report.html"), html.as_bytes())?;
    write_json_atomically(&folder.join("times.json"), times)?;
    // Last: where it is, the others are too.
    write_json_atomically(&folder.join("report.json"), document)
}

/// Of questions that leave no room for an answer.
pub fn without_room(rows: &[ComparedRow]) -> Option<String> {
    let is_full = |row: &&ComparedRow| {
        let mut answers = row.answers.iter();
        answers.any(|answer| answer.outcome == AnswerOutcome::Truncated && answer.total_tokens == 0)
    };
    match rows.iter().filter(is_full).count() {
        0 => None,
        number => Some(format!(
            "{number} questions are as long as the model's context and leave no room for an answer"
        )),
    }
}
