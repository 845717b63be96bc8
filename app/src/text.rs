//! Words and numbers as people read them.

use stepladder_engine::foreign_text;

/// Foreign text on one line: nothing in it can steer the terminal or start another line.
pub fn visible(text: &str) -> String {
    foreign_text::visible(text).into_owned()
}

/// Foreign text that may have lines, such as a model's reply; only its line breaks and tabs act.
pub fn visible_lines(text: &str) -> String {
    foreign_text::visible_multiline(text).into_owned()
}

/// At most so many characters of foreign text on one line.
pub fn excerpt(text: &str, most: usize) -> String {
    foreign_text::visible_excerpt(text, most)
}

/// `12345678` as `12,345,678`.
pub fn thousands(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of things: `1 example`, `570 examples`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        thousands(number as u64),
        if number == 1 { one } else { many }
    )
}

/// Bytes in binary units, as drivers show them: `1.34 GiB`.
pub fn bytes(bytes: u64) -> String {
    let amount = bytes as f64;
    match bytes {
        0..=0x3FF => format!("{bytes} bytes"),
        0x400..=0xF_FFFF => format!("{:.1} KiB", amount / 1024.0),
        0x10_0000..=0x3FFF_FFFF => format!("{:.1} MiB", amount / (1024.0 * 1024.0)),
        _ => format!("{:.2} GiB", amount / (1024.0 * 1024.0 * 1024.0)),
    }
}

/// Seconds as a clock: `0:09`, `1:40`, `2:03:05`.
pub fn clock(secs: f64) -> String {
    let secs = secs.max(0.0).round() as u64;
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{secs:02}")
    } else {
        format!("{minutes}:{secs:02}")
    }
}

/// A loss: three decimals, or that it is not a number.
pub fn loss(loss: Option<f64>) -> String {
    loss.map_or_else(|| "not a number".to_owned(), |loss| format!("{loss:.3}"))
}

/// A rate without decimals where it is large: `5,120`, `41`, `3.2`.
pub fn rate(rate: f64) -> String {
    if rate < 10.0 {
        format!("{rate:.1}")
    } else {
        thousands(rate.round() as u64)
    }
}

/// A path as it can be pasted into a command: nothing in it is more than a name to a shell.
pub fn quoted(path: &str) -> String {
    foreign_text::quoted_for_shell(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(0u64), "0");
        assert_eq!(thousands(999u64), "999");
        assert_eq!(thousands(5120usize), "5,120");
        assert_eq!(thousands(12_345_678u64), "12,345,678");
        assert_eq!(count(1, "example", "examples"), "1 example");
        assert_eq!(count(1570, "example", "examples"), "1,570 examples");
        assert_eq!(rate(5120.4), "5,120");
        assert_eq!(rate(3.25), "3.2");
        assert_eq!(loss(Some(1.9304)), "1.930");
        assert_eq!(loss(None), "not a number");
    }

    #[test]
    fn bytes_and_times_read_well() {
        assert_eq!(bytes(12), "12 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(10 << 20), "10.0 MiB");
        assert_eq!(bytes((1 << 30) * 4 / 3), "1.33 GiB");
        assert_eq!(clock(9.4), "0:09");
        assert_eq!(clock(100.0), "1:40");
        assert_eq!(clock(7385.0), "2:03:05");
        assert_eq!(clock(-1.0), "0:00");
    }

    #[test]
    fn foreign_text_cannot_steer() {
        let shown = visible("a\u{1b}[2Jb\nc\u{202e}d");
        assert!(!shown.contains(['\u{1b}', '\n', '\u{202e}']), "{shown:?}");
        let shown = visible_lines("one\n\ttwo\u{1b}[2J\r\n");
        assert!(shown.starts_with("one\n\ttwo"), "{shown:?}");
        assert!(!shown.contains(['\u{1b}', '\r']), "{shown:?}");
    }
}
