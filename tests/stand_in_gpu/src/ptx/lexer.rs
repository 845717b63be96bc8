//! PTX text into tokens. A word takes its dots with it (`ld.global.f32`, `%tid.x`), so that an
//! opcode with its modifiers is one token.

/// One token, with the line it stands on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    /// A name, a directive, an opcode with its modifiers.
    Word(&'a str),
    /// A whole number without its sign.
    Integer(u64),
    /// `0f3F800000`.
    Float32(u32),
    /// `0d3FF0000000000000`, or a number with a point.
    Float64(u64),
    /// What stands between quotation marks.
    Text(&'a str),
    /// Anything else.
    Mark(u8),
}

/// The tokens of `source` with their lines.
pub fn tokens(source: &str) -> Result<Vec<(Token<'_>, u32)>, String> {
    let bytes = source.as_bytes();
    let mut found = Vec::with_capacity(source.len() / 4);
    let (mut at, mut line) = (0, 1);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\n' => {
                line += 1;
                at += 1;
            }
            byte if byte.is_ascii_whitespace() => at += 1,
            0 => break,
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                while at < bytes.len() && bytes[at] != b'\n' {
                    at += 1;
                }
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let end = source[at..].find("*/").ok_or("a comment without end")? + at + 2;
                line += bytes[at..end].iter().filter(|&&byte| byte == b'\n').count() as u32;
                at = end;
            }
            b'"' => {
                let end = source[at + 1..].find('"').ok_or("a text without end")? + at + 1;
                found.push((Token::Text(&source[at + 1..end]), line));
                at = end + 1;
            }
            b'0'..=b'9' => {
                let end = end_of(bytes, at, |byte| {
                    byte.is_ascii_alphanumeric() || byte == b'.'
                });
                found.push((number(&source[at..end], line)?, line));
                at = end;
            }
            byte if starts_word(byte) => {
                let mut end = end_of(bytes, at + 1, in_word);
                // `shared::cta`, `L2::128B`
                while bytes[end..].starts_with(b"::")
                    && bytes.get(end + 2).is_some_and(|&b| in_word(b))
                {
                    end = end_of(bytes, end + 2, in_word);
                }
                found.push((Token::Word(&source[at..end]), line));
                at = end;
            }
            byte => {
                found.push((Token::Mark(byte), line));
                at += 1;
            }
        }
    }
    Ok(found)
}

fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$' | b'%' | b'.')
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.')
}

fn end_of(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    from + bytes[from..]
        .iter()
        .take_while(|&&byte| belongs(byte))
        .count()
}

fn number(text: &str, line: u32) -> Result<Token<'_>, String> {
    let wrong = |_| format!("line {line}: {text} is no number");
    let digits = text.trim_end_matches(['U', 'u']);
    Ok(match digits.get(..2) {
        Some("0f" | "0F") => Token::Float32(u32::from_str_radix(&digits[2..], 16).map_err(wrong)?),
        Some("0d" | "0D") => Token::Float64(u64::from_str_radix(&digits[2..], 16).map_err(wrong)?),
        Some("0x" | "0X") => Token::Integer(u64::from_str_radix(&digits[2..], 16).map_err(wrong)?),
        Some("0b" | "0B") => Token::Integer(u64::from_str_radix(&digits[2..], 2).map_err(wrong)?),
        _ if digits.contains('.') => {
            let value: f64 = digits
                .parse()
                .map_err(|_| format!("line {line}: {text} is no number"))?;
            Token::Float64(value.to_bits())
        }
        _ if digits.len() > 1 && digits.starts_with('0') => {
            Token::Integer(u64::from_str_radix(digits, 8).map_err(wrong)?)
        }
        _ => Token::Integer(digits.parse().map_err(wrong)?),
    })
}
