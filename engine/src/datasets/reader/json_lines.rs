//! JSONL: a row per line, cut as fast as newlines are found. The JSON is read later, elsewhere.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

use super::stop::Stop;
use super::stream::TextStream;
use super::{Cutter, MAX_ROW_BYTES};
use crate::datasets::row::{Row, RowContent, RowProblem};

#[derive(Default)]
pub(super) struct JsonLines {
    /// The beginning of a line that goes on in the next window.
    begun: Vec<u8>,
}

impl Cutter for JsonLines {
    fn next_row(&mut self, stream: &mut TextStream<'_>) -> Result<Option<Row>, Stop> {
        let mut too_long = false;
        while stream.refill()? {
            let window = stream.window();
            let Some(end) = memchr(b'\n', window) else {
                let count = window.len();
                // One byte more than a row may have, for the `\r`.
                too_long |= self.begun.len() + count > MAX_ROW_BYTES + 1;
                if too_long {
                    self.begun = Vec::new();
                } else {
                    self.begun.extend_from_slice(window);
                }
                stream.take(count);
                continue;
            };
            let row = if too_long {
                Some(broken(stream.line, too_long_line()))
            } else if self.begun.is_empty() {
                row(stream.line, Cow::Borrowed(&window[..end]))
            } else {
                self.begun.extend_from_slice(&window[..end]);
                row(stream.line, Cow::Owned(std::mem::take(&mut self.begun)))
            };
            stream.take(end + 1);
            stream.line += 1;
            too_long = false;
            if row.is_some() {
                return Ok(row);
            }
        }
        if too_long {
            return Ok(Some(broken(stream.line, too_long_line())));
        }
        let last = std::mem::take(&mut self.begun);
        Ok(row(stream.line, Cow::Owned(last)))
    }
}

/// The row of a line that is not blank.
fn row(line: usize, mut bytes: Cow<'_, [u8]>) -> Option<Row> {
    if bytes.last() == Some(&b'\r') {
        match &mut bytes {
            Cow::Borrowed(bytes) => *bytes = &bytes[..bytes.len() - 1],
            Cow::Owned(bytes) => bytes.truncate(bytes.len() - 1),
        }
    }
    if bytes.len() > MAX_ROW_BYTES {
        return Some(broken(line, too_long_line()));
    }
    let text = match bytes {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).map(str::to_owned),
        Cow::Owned(bytes) => String::from_utf8(bytes).map_err(|error| error.utf8_error()),
    };
    match text {
        Ok(text) if text.trim_start().is_empty() => None,
        Ok(text) => Some(Row {
            line,
            content: RowContent::Json(text),
        }),
        Err(error) => Some(broken(line, not_utf8(error.valid_up_to() + 1))),
    }
}

pub(super) fn broken(line: usize, problem: RowProblem) -> Row {
    Row {
        line,
        content: RowContent::Broken(problem),
    }
}

/// `column` counts bytes from 1.
pub(super) fn not_utf8(column: usize) -> RowProblem {
    RowProblem::new(
        format!("not UTF-8 text at column {column}"),
        "save the file as UTF-8, or repair or remove the row",
    )
}

pub(super) fn newlines(bytes: &[u8]) -> usize {
    memchr_iter(b'\n', bytes).count()
}

fn too_long_line() -> RowProblem {
    RowProblem::new(
        "the line is longer than 32 MiB",
        "JSONL has one row per line; check that this file is JSONL, and split or remove the row",
    )
}
