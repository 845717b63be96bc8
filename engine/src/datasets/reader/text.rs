//! Plain text and Markdown: a document is a row with one field, `text`. A long document becomes
//! several, cut at blank lines, so that memory does not grow with it. A line that is no UTF-8 is a row
//! of its own, and the document goes on behind it.

use memchr::{memchr, memmem, memrchr};
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
    /// What was read and is not in a part yet.
    held: Vec<u8>,
    /// The part that rows are cut off, and how much of it is in rows.
    part: Vec<u8>,
    cut: usize,
    /// Why there is nothing behind what is held.
    failure: Option<Stop>,
}

impl Cutter for Text {
    fn next_row(&mut self, stream: &mut TextStream<'_>) -> Result<Option<Row>, Stop> {
        loop {
            if self.cut == self.part.len() {
                self.hold_a_part(stream);
                if self.held.is_empty() {
                    return self.failure.take().map_or(Ok(None), Err);
                }
                self.begin_part();
            }
            let piece = piece(&self.part[self.cut..]);
            let line = stream.line;
            self.cut += piece.len();
            stream.line += newlines(piece);
            if let Some(row) = row(line, piece) {
                return Ok(Some(row));
            }
        }
    }
}

impl Text {
    /// Reads until a part is held, or all that there is.
    fn hold_a_part(&mut self, stream: &mut TextStream<'_>) {
        while self.held.len() <= PART_BYTES && self.failure.is_none() {
            match stream.refill() {
                Ok(true) => {}
                Ok(false) => return,
                Err(stop) => self.failure = Some(stop),
            }
            let window = stream.window();
            let count = window.len();
            self.held.extend_from_slice(window);
            stream.take(count);
        }
    }

    fn begin_part(&mut self) {
        let end = match self.held.len() {
            0..=PART_BYTES => self.held.len(),
            _ => end_of_part(&self.held[..PART_BYTES]),
        };
        let rest = self.held.split_off(end);
        (self.part, self.cut) = (std::mem::replace(&mut self.held, rest), 0);
    }
}

/// What is a row of a part: all of it, or the lines before one that is no UTF-8, or that line.
fn piece(part: &[u8]) -> &[u8] {
    let Err(error) = str::from_utf8(part) else {
        return part;
    };
    let (before, behind) = part.split_at(error.valid_up_to());
    match memrchr(b'\n', before) {
        Some(line_break) => &part[..=line_break],
        None => memchr(b'\n', behind).map_or(part, |at| &part[..=before.len() + at]),
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

fn row(line: usize, piece: &[u8]) -> Option<Row> {
    let text = match str::from_utf8(piece) {
        Ok(text) => text,
        Err(error) => return Some(broken(line, not_utf8(error.valid_up_to() + 1))),
    };
    if text.trim_start().is_empty() {
        return None;
    }
    let fields = Fields::from_iter([("text".to_owned(), Value::String(text.to_owned()))]);
    Some(Row {
        line,
        content: RowContent::Fields(fields),
    })
}
