//! Plain text and Markdown: a document is a row with one field, `text`. A long document becomes
//! several, cut at blank lines, so that memory does not grow with it.

use memchr::memmem;
use serde_json::Value;

use super::Cutter;
use super::json_lines::{broken, newlines, not_utf8};
use super::stop::Stop;
use super::stream::TextStream;
use crate::datasets::row::{Fields, Row, RowContent};

/// About how long a part of a long document is.
const PART_BYTES: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Text {
    /// What was read and is not in a row yet.
    held: Vec<u8>,
}

impl Cutter for Text {
    fn next_row(&mut self, stream: &mut TextStream<'_>) -> Result<Option<Row>, Stop> {
        loop {
            while self.held.len() <= PART_BYTES && stream.refill()? {
                let window = stream.window();
                let count = window.len();
                self.held.extend_from_slice(window);
                stream.take(count);
            }
            if self.held.is_empty() {
                return Ok(None);
            }
            let end = match self.held.len() {
                0..=PART_BYTES => self.held.len(),
                _ => end_of_part(&self.held[..PART_BYTES]),
            };
            let rest = self.held.split_off(end);
            let part = std::mem::replace(&mut self.held, rest);
            let line = stream.line;
            stream.line += newlines(&part);
            if let Some(row) = row(line, part) {
                return Ok(Some(row));
            }
        }
    }
}

/// Behind the last blank line, or else the last line, or else the last whole character.
fn end_of_part(part: &[u8]) -> usize {
    let behind = |separator: &[u8]| memmem::rfind(part, separator).map(|at| at + separator.len());
    let blank_line = behind(b"\n\n").max(behind(b"\n\r\n"));
    let character = || {
        let begins = |byte: &u8| !(0x80..0xc0).contains(byte);
        part.iter().rposition(begins).filter(|at| *at > 0)
    };
    blank_line
        .or_else(|| behind(b"\n"))
        .or_else(character)
        .unwrap_or(part.len())
}

fn row(line: usize, part: Vec<u8>) -> Option<Row> {
    let text = match String::from_utf8(part) {
        Ok(text) => text,
        Err(error) => {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line_start = before.iter().rposition(|byte| *byte == b'\n');
            let column = before.len() - line_start.map_or(0, |at| at + 1) + 1;
            return Some(broken(line + newlines(before), not_utf8(column)));
        }
    };
    if text.trim_start().is_empty() {
        return None;
    }
    let fields = Fields::from_iter([("text".to_owned(), Value::String(text))]);
    Some(Row {
        line,
        content: RowContent::Fields(fields),
    })
}
