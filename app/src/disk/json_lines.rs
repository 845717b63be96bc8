//! Files of lines that other programs may be adding to: read from a place on, up to the last line that
//! is ended. What is longer than a line of ours is passed over.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

const BUFFER: usize = 1 << 18;

/// A file that is being read.
pub struct Lines {
    input: BufReader<File>,
    line: Vec<u8>,
    longest: usize,
    from: u64,
    to: u64,
}

/// One line.
pub enum Line<'a> {
    /// All of it, its end included.
    Whole(&'a [u8]),
    /// It is longer than a line may be.
    TooLong,
}

impl Lines {
    /// Opens a file at byte `from`, or at its beginning if it is shorter than that; none if it is not
    /// there. A line has up to `longest` bytes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path, from: u64, longest: usize) -> io::Result<Option<Self>> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let from = match file.metadata()?.len() < from {
            true => 0,
            false => from,
        };
        file.seek(SeekFrom::Start(from))?;
        Ok(Some(Self {
            input: BufReader::with_capacity(BUFFER, file),
            line: Vec::new(),
            longest,
            from,
            to: from,
        }))
    }

    /// Where reading began.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// Behind the last line that was ended.
    pub fn to(&self) -> u64 {
        self.to
    }

    /// The next line; none at the end. Half a line is none: its writer is at it, or died there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let taken = { self.input.by_ref() }
            .take(self.longest as u64 + 1)
            .read_until(b'\n', &mut self.line)?;
        if taken == 0 {
            return Ok(None);
        }
        if self.line.last() == Some(&b'\n') {
            self.to += taken as u64;
            return Ok(Some(Line::Whole(&self.line)));
        }
        if taken <= self.longest {
            return Ok(None);
        }
        self.to += (taken as u64) + skip_line(&mut self.input)?;
        Ok(Some(Line::TooLong))
    }
}

/// Passes over the rest of a line; gives its bytes.
fn skip_line(input: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(skipped);
        }
        let (bytes, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), false),
        };
        input.consume(bytes);
        skipped += bytes as u64;
        if ended {
            return Ok(skipped);
        }
    }
}
