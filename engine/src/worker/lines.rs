//! Lines of the protocol as bytes: read with a limit, so that no peer can fill the memory.

use std::io::{self, BufRead, Read};

use stepladder_protocol::MAX_LINE_BYTES;

/// What reading a line gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineRead {
    /// The buffer holds a line, without its newline.
    Line,
    /// A line was longer than the protocol allows and was skipped.
    TooLong,
    /// There are no more lines.
    End,
}

/// Reads the next line into `buffer`, replacing what it held.
pub fn read_line(input: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<LineRead> {
    read_limited(input, buffer, MAX_LINE_BYTES)
}

fn read_limited(
    input: &mut impl BufRead,
    buffer: &mut Vec<u8>,
    limit: usize,
) -> io::Result<LineRead> {
    buffer.clear();
    input
        .by_ref()
        .take(limit as u64)
        .read_until(b'\n', buffer)?;
    if buffer.last() == Some(&b'\n') {
        buffer.pop();
        if buffer.last() == Some(&b'\r') {
            buffer.pop();
        }
        return Ok(LineRead::Line);
    }
    if buffer.is_empty() {
        return Ok(LineRead::End);
    }
    if buffer.len() < limit {
        // The peer ended in the middle of a line; a cut-off JSON object will not parse.
        return Ok(LineRead::Line);
    }
    buffer.clear();
    input.skip_until(b'\n')?;
    Ok(LineRead::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_long_ones_skipped() {
        let mut input = io::Cursor::new(b"one\ntwo\r\n\n12345678\nlonger than eight\nend".to_vec());
        let mut buffer = Vec::new();
        let mut next = || {
            (
                read_limited(&mut input, &mut buffer, 9).unwrap(),
                buffer.clone(),
            )
        };
        assert_eq!(next(), (LineRead::Line, b"one".to_vec()));
        assert_eq!(next(), (LineRead::Line, b"two".to_vec()));
        assert_eq!(next(), (LineRead::Line, b"".to_vec()));
        assert_eq!(next(), (LineRead::Line, b"12345678".to_vec()));
        assert_eq!(next().0, LineRead::TooLong);
        assert_eq!(next(), (LineRead::Line, b"end".to_vec()));
        assert_eq!(next().0, LineRead::End);
    }
}
