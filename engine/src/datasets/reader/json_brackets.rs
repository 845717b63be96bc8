//! Where a JSON value ends, found by brackets and quotation marks alone, piece by piece.

use memchr::memchr3;

/// Deeper than any row is read.
const MAX_DEPTH: usize = 512;

/// Follows one value.
#[derive(Clone, Debug, Default)]
pub(super) struct Brackets {
    open: Vec<u8>,
    in_text: bool,
    escaped: bool,
    /// A number or word, which ends where something else begins.
    in_word: bool,
}

/// What a piece of the value shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The value goes on behind it.
    Inside,
    /// It ends after so many bytes.
    Ends(usize),
    /// Brackets do not match or a text has no end, so nobody knows where the value ends. Seen after
    /// so many bytes.
    Astray(usize),
}

impl Brackets {
    /// Follows the value through its next piece. The first piece begins with the value.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Piece {
        let mut at = 0;
        if self.escaped && !bytes.is_empty() {
            self.escaped = false;
            at = 1;
        }
        while at < bytes.len() {
            if self.in_text {
                let Some(found) = memchr3(b'"', b'\\', b'\n', &bytes[at..]) else {
                    return Piece::Inside;
                };
                at += found + 1;
                match bytes[at - 1] {
                    b'"' => {
                        self.in_text = false;
                        if self.open.is_empty() {
                            return Piece::Ends(at);
                        }
                    }
                    b'\\' if at < bytes.len() => at += 1,
                    b'\\' => self.escaped = true,
                    _ => return Piece::Astray(at),
                }
                continue;
            }
            let byte = bytes[at];
            if self.open.is_empty() && self.in_word && b",]}[{\": \t\r\n".contains(&byte) {
                return Piece::Ends(at);
            }
            at += 1;
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' if self.open.len() == MAX_DEPTH => return Piece::Astray(at),
                b'{' | b'[' => self.open.push(byte),
                // In ASCII an opening bracket stands two before its closing one.
                b'}' | b']' if self.open.last() == Some(&(byte - 2)) => {
                    self.open.pop();
                    if self.open.is_empty() {
                        return Piece::Ends(at);
                    }
                }
                b'}' | b']' if !self.open.is_empty() => return Piece::Astray(at),
                _ if self.open.is_empty() => self.in_word = true,
                _ => {}
            }
        }
        Piece::Inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the value ends, however it is cut into pieces.
    fn end(text: &str) -> Piece {
        let whole = Brackets::default().follow(text.as_bytes());
        for cut in 1..text.len() {
            let mut brackets = Brackets::default();
            let (first, second) = text.as_bytes().split_at(cut);
            let pieces = match brackets.follow(first) {
                Piece::Inside => match brackets.follow(second) {
                    Piece::Inside => Piece::Inside,
                    Piece::Ends(at) => Piece::Ends(at + cut),
                    Piece::Astray(at) => Piece::Astray(at + cut),
                },
                ended => ended,
            };
            assert_eq!(pieces, whole, "{text} cut at {cut}");
        }
        whole
    }

    #[test]
    fn a_value_ends_where_its_brackets_close() {
        assert_eq!(end(r#"{"a": [1, {"b": 2}]}, 3"#), Piece::Ends(20));
        assert_eq!(end(r#"["]", "\"]", "\\"] "#), Piece::Ends(18));
        assert_eq!(end(r#""text" "#), Piece::Ends(6));
        assert_eq!(end("12, 3"), Piece::Ends(2));
        assert_eq!(end("}}, 3"), Piece::Ends(1));
        assert_eq!(end(r#"{"a": 1"#), Piece::Inside);
    }

    #[test]
    fn brackets_that_do_not_match_are_seen() {
        assert_eq!(end(r#"{"a": 1]"#), Piece::Astray(8));
        assert_eq!(end("{\"a\": \"x\n\"}"), Piece::Astray(9));
        let deep = "[".repeat(600);
        assert_eq!(
            Brackets::default().follow(deep.as_bytes()),
            Piece::Astray(513)
        );
    }
}
