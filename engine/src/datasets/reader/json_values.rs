//! JSON values one after the other, in a list or just so, each cut out as it stands. However long
//! the list is, one value of it is held.
//!
//! Brackets tell where a value ends. When they do not match, the value goes up to where the next one
//! seems to begin: all rows of a file tend to begin alike, so the first row's beginning is looked for.
//! The damaged row then fails by itself when its JSON is read, with its line, and the others live.

use memchr::memmem;
use serde::de::IgnoredAny;

use super::json_brackets::{Brackets, Piece};
use super::json_lines::{broken, newlines, not_utf8};
use super::stop::Stop;
use super::stream::TextStream;
use super::{Cutter, MAX_ROW_BYTES};
use crate::datasets::row::{Row, RowContent, RowProblem};

/// So often brackets are followed through what follows a damaged row, as far as a row may reach. In
/// a file with more damage the next row's beginning counts at once, so that reading stays linear.
const PATIENCE: usize = 16;
/// Beginnings longer than this are not looked for.
const MAX_BEGINNING_BYTES: usize = 256;

/// Cuts a list, whose `[` has been taken, or values without one.
pub(super) struct JsonValues {
    in_list: bool,
    ended: bool,
    /// What was read too far, and how much of it is taken again.
    ahead: Vec<u8>,
    ahead_taken: usize,
    /// How a row begins: `{"prompt"`, say, with the line break and indentation before it.
    beginning: Option<Vec<u8>>,
    damaged: usize,
}

impl JsonValues {
    pub(super) fn in_list() -> Self {
        Self::new(true)
    }

    pub(super) fn one_after_the_other() -> Self {
        Self::new(false)
    }

    fn new(in_list: bool) -> Self {
        Self {
            in_list,
            ended: false,
            ahead: Vec::new(),
            ahead_taken: 0,
            beginning: None,
            damaged: 0,
        }
    }

    fn window<'s>(&'s self, stream: &'s TextStream<'_>) -> &'s [u8] {
        match &self.ahead[self.ahead_taken..] {
            [] => stream.window(),
            ahead => ahead,
        }
    }

    fn refill(&mut self, stream: &mut TextStream<'_>) -> Result<bool, Stop> {
        Ok(self.ahead_taken < self.ahead.len() || stream.refill()?)
    }

    fn take(&mut self, stream: &mut TextStream<'_>, count: usize) {
        if self.ahead_taken == self.ahead.len() {
            stream.take(count);
            return;
        }
        self.ahead_taken += count;
        if self.ahead_taken == self.ahead.len() {
            (self.ahead, self.ahead_taken) = (Vec::new(), 0);
        }
    }

    /// Gives bytes back, to be read again.
    fn give_back(&mut self, bytes: &[u8]) {
        self.ahead.splice(..self.ahead_taken, bytes.iter().copied());
        self.ahead_taken = 0;
    }

    /// Passes over what stands between values: the byte that the next begins with, and the space
    /// before it back to the line break.
    fn pass_to_value(
        &mut self,
        stream: &mut TextStream<'_>,
    ) -> Result<Option<(u8, Vec<u8>)>, Stop> {
        let mut space = Vec::new();
        while self.refill(stream)? {
            let window = self.window(stream);
            let between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
            let count = window.iter().take_while(|byte| between(byte)).count();
            let (passed, next) = (&window[..count], window.get(count).copied());
            match passed.iter().rposition(|byte| *byte == b'\n') {
                Some(at) => space = passed[at..].to_vec(),
                None => space.extend_from_slice(passed),
            }
            space.truncate(MAX_BEGINNING_BYTES);
            stream.line += newlines(passed);
            self.take(stream, count);
            if let Some(next) = next {
                return Ok(Some((next, space)));
            }
        }
        Ok(None)
    }

    /// Says so when the list ends early or something stands behind it.
    fn end_of_list(&mut self, stream: &mut TextStream<'_>, next: Option<u8>) -> Result<(), Stop> {
        self.ended = true;
        if next.is_none() {
            stream.notices.push(
                "the list of rows is not closed with `]`, so the file may be cut off".to_owned(),
            );
            return Ok(());
        }
        self.take(stream, 1);
        let behind = self.pass_to_value(stream)?.map(|(next, _)| next);
        // What closes the object that the list stands in.
        if behind.is_some_and(|next| next != b'}') {
            stream
                .notices
                .push("what stands behind the list of rows was not read".to_owned());
        }
        while stream.refill()? {
            let count = stream.window().len();
            stream.take(count);
        }
        Ok(())
    }

    /// The value that begins here.
    fn value(&mut self, stream: &mut TextStream<'_>, space: &[u8]) -> Result<Row, Stop> {
        let mut held = Held {
            line: stream.line,
            bytes: Vec::new(),
            passed_over: 0,
        };
        // `None` once nobody knows where the value ends.
        let mut brackets = Some(Brackets::default());
        while self.refill(stream)? {
            let mut window = self.window(stream);
            let hurried = brackets.is_none() || self.damaged >= PATIENCE;
            if hurried {
                let from = usize::from(held.bytes.is_empty());
                match self.next_beginning(window, from) {
                    Some(0) => return Ok(self.cut(stream, held)),
                    Some(next) => window = &window[..next],
                    None => {}
                }
            }
            let piece = match &mut brackets {
                Some(brackets) => brackets.follow(window),
                None => Piece::Inside,
            };
            let count = match piece {
                Piece::Inside => window.len(),
                Piece::Ends(count) | Piece::Astray(count) => count,
            };
            let before = held.bytes.len().saturating_sub(MAX_BEGINNING_BYTES);
            held.bytes.extend_from_slice(&window[..count]);
            self.take(stream, count);
            if self.beginning.is_none() && held.passed_over == 0 {
                self.beginning = beginning(&held.bytes, space);
            }
            let too_long = held.bytes.len() > MAX_ROW_BYTES;
            let next = match piece {
                Piece::Ends(_) if held.passed_over > 0 => None,
                // A row may hold what begins like it, or be two of which the first has no end.
                Piece::Ends(_) => self
                    .next_beginning(&held.bytes, 1)
                    .filter(|_| serde_json::from_slice::<IgnoredAny>(&held.bytes).is_err()),
                Piece::Astray(_) => self.next_beginning(&held.bytes, 1),
                Piece::Inside if too_long => self.next_beginning(&held.bytes, 1),
                // One that lies across two windows.
                Piece::Inside if hurried => self.next_beginning(&held.bytes, before.max(1)),
                Piece::Inside => None,
            };
            match (next, piece) {
                (Some(next), _) => {
                    self.give_back(&held.bytes.split_off(next));
                    return Ok(self.cut(stream, held));
                }
                (None, Piece::Ends(_)) => return Ok(held.into_row(stream)),
                (None, Piece::Astray(_)) => brackets = None,
                (None, Piece::Inside) => {}
            }
            if too_long {
                held.pass_over(stream);
            }
        }
        // The text ends within the value.
        if let Some(next) = self.next_beginning(&held.bytes, 1) {
            self.give_back(&held.bytes.split_off(next));
            return Ok(self.cut(stream, held));
        }
        let end = held.bytes.trim_ascii_end().len();
        if self.in_list && brackets.is_none() && held.bytes[..end].ends_with(b"]") {
            // The list's own end behind a damaged last row.
            self.give_back(&held.bytes.split_off(end - 1));
        }
        Ok(self.cut(stream, held))
    }

    /// A damaged row, without what separates it from the next.
    fn cut(&mut self, stream: &mut TextStream<'_>, mut held: Held) -> Row {
        self.damaged += 1;
        stream.line += newlines(&held.bytes);
        let end = held.bytes.trim_ascii_end().len();
        let end = end - usize::from(held.bytes[..end].ends_with(b","));
        held.bytes.truncate(end);
        held.row()
    }

    /// Where the next row seems to begin, at `from` or behind. What stands behind `:` or `[` begins
    /// within a row.
    fn next_beginning(&self, text: &[u8], from: usize) -> Option<usize> {
        let beginning = self.beginning.as_ref()?;
        let within = |at: &usize| matches!(text[..*at].trim_ascii_end(), [.., b':' | b'[']);
        memmem::find_iter(text.get(from..)?, beginning)
            .map(|found| from + found)
            .find(|at| !within(at))
    }
}

/// A row as far as it was read.
struct Held {
    line: usize,
    bytes: Vec<u8>,
    /// Bytes of a row that is too long, which are not kept.
    passed_over: usize,
}

impl Held {
    fn pass_over(&mut self, stream: &mut TextStream<'_>) {
        let count = self.bytes.len() - MAX_BEGINNING_BYTES;
        stream.line += newlines(&self.bytes[..count]);
        self.passed_over += count;
        self.bytes.drain(..count);
    }

    fn into_row(self, stream: &mut TextStream<'_>) -> Row {
        stream.line += newlines(&self.bytes);
        self.row()
    }

    fn row(self) -> Row {
        let Self { line, bytes, .. } = self;
        if self.passed_over + bytes.len() > MAX_ROW_BYTES {
            return broken(
                line,
                RowProblem::new(
                    "the row is longer than 32 MiB",
                    "split or remove it; check that no bracket or quotation mark is missing",
                ),
            );
        }
        let error = match String::from_utf8(bytes) {
            Ok(text) => {
                let content = RowContent::Json(text);
                return Row { line, content };
            }
            Err(error) => error,
        };
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        match before.iter().rposition(|byte| *byte == b'\n') {
            None => broken(line, not_utf8_in_row(before.len() + 1)),
            Some(at) => broken(line + newlines(before), not_utf8(before.len() - at)),
        }
    }
}

fn not_utf8_in_row(byte: usize) -> RowProblem {
    RowProblem::new(
        format!("not UTF-8 text at byte {byte} of the row"),
        "save the file as UTF-8, or repair or remove the row",
    )
}

/// What tells the beginning of a row like this one: the space before it, if it begins its line, and
/// everything up to the end of its first name.
fn beginning(row: &[u8], space: &[u8]) -> Option<Vec<u8>> {
    let row = &row[..row.len().min(MAX_BEGINNING_BYTES / 2)];
    let name = row
        .strip_prefix(b"{")?
        .trim_ascii_start()
        .strip_prefix(b"\"")?;
    let end = name.iter().position(|byte| *byte == b'"')?;
    let length = row.len() - name.len() + end + 1;
    let space = match space.first() {
        Some(b'\n') if space.len() < MAX_BEGINNING_BYTES / 2 => space,
        _ => &[],
    };
    Some([space, &row[..length]].concat())
}

impl Cutter for JsonValues {
    fn next_row(&mut self, stream: &mut TextStream<'_>) -> Result<Option<Row>, Stop> {
        if self.ended {
            return Ok(None);
        }
        match self.pass_to_value(stream)? {
            None if self.in_list => self.end_of_list(stream, None)?,
            None => self.ended = true,
            Some((b']', _)) if self.in_list => self.end_of_list(stream, Some(b']'))?,
            Some((_, space)) => return Ok(Some(self.value(stream, &space)?)),
        }
        Ok(None)
    }
}
