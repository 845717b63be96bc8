//! A text on its way to the rows: a window of it, how far it has come, and what should be told.

use super::encoding::Decoded;
use super::source::RawInput;
use super::stop::Stop;
use super::unpacked::{Packing, Unpacked};

const WINDOW_BYTES: usize = 256 << 10;

/// UTF-8 in pieces. Who cuts rows looks at the [`window`](Self::window), takes from its front, and
/// asks for more when it is empty; whatever spans windows, the cutter keeps.
pub(super) struct TextStream<'a> {
    decoded: Decoded<'a>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    offset: u64,
    /// Why there is nothing behind the window.
    failure: Option<Stop>,
    /// 1-based line in which the window begins.
    pub(super) line: usize,
    /// What the user should know, one sentence each.
    pub(super) notices: Vec<String>,
}

impl<'a> TextStream<'a> {
    pub(super) fn new(unpacked: Unpacked<'a>) -> Result<Self, Stop> {
        let (decoded, notice) = Decoded::new(unpacked)?;
        Ok(Self {
            offset: decoded.mark_bytes() as u64,
            decoded,
            buffer: vec![0; WINDOW_BYTES].into(),
            start: 0,
            end: 0,
            failure: None,
            line: 1,
            notices: notice.into_iter().collect(),
        })
    }

    pub(super) fn raw(&self) -> &RawInput<'a> {
        self.decoded.unpacked().raw()
    }

    /// Whether offsets are those of the file, so that a reading can begin at one.
    pub(super) fn has_places(&self) -> bool {
        self.decoded.is_utf8() && self.decoded.unpacked().packing() == Packing::None
    }

    /// Whether something was no text in its encoding.
    pub(super) fn replaced(&self) -> bool {
        self.decoded.replaced()
    }

    /// Bytes of text in front of the window.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn window(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes bytes from the front of the window; the taker counts the lines.
    pub(super) fn take(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        self.offset += count as u64;
    }

    /// Puts bytes that were taken last back in front of the text; who does so sets the line. Only at
    /// the end of the text, where nothing is left in the window.
    pub(super) fn put_back(&mut self, taken: Vec<u8>) {
        self.offset = self.offset.saturating_sub(taken.len() as u64);
        (self.start, self.end) = (0, taken.len());
        self.buffer = taken.into();
    }

    /// Reads on when the window is empty; `false` at the end of the text.
    pub(super) fn refill(&mut self) -> Result<bool, Stop> {
        if self.start == self.end {
            if let Some(stop) = self.failure.take() {
                return Err(stop);
            }
            (self.start, self.end) = (0, 0);
            self.end = self.decoded.read(&mut self.buffer)?;
        }
        Ok(self.start < self.end)
    }

    /// Widens the window to at least `count` bytes, if the text has them and they have room.
    pub(super) fn look_ahead(&mut self, count: usize) -> &[u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        while self.end < count.min(self.buffer.len()) {
            match self.decoded.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(stop) => {
                    self.failure = Some(stop);
                    break;
                }
            }
        }
        self.window()
    }

    /// Goes on at a place of a text that [has them](Self::has_places).
    pub(super) fn jump(&mut self, offset: u64, line: usize) -> Result<(), Stop> {
        self.decoded.jump(offset)?;
        (self.start, self.end) = (0, 0);
        (self.offset, self.line) = (offset, line);
        Ok(())
    }
}
