//! The one door through which foreign text (datasets, templates, model files, file names) passes
//! before it is shown. Control, escape, bidirectional and other invisible characters could clear a
//! terminal, forge a log line or reorder what is read; here they become visible as `\u{202e}`.

use std::borrow::Cow;
use std::fmt::Write;

/// Foreign text on one line: line breaks and tabs become visible too.
pub fn visible(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// Foreign text over several lines: `\n` and `\t` stay, everything else as in [`visible`].
pub fn visible_multiline(text: &str) -> Cow<'_, str> {
    escape(text, |c| c == '\n' || c == '\t')
}

/// At most `max_chars` characters of foreign text on one line, with an ellipsis where it was cut.
pub fn visible_excerpt(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => visible(text).into_owned(),
        Some((cut, _)) => format!("{}…", visible(&text[..cut])),
    }
}

/// A path or name as it can be pasted into a command: to a shell it is one word and nothing else.
pub fn quoted_for_shell(text: &str) -> String {
    let text = visible(text);
    let plain = |c: char| c.is_alphanumeric() || "/:._-+=,@".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.into_owned(),
        false => in_quotes(&text),
    }
}

#[cfg(not(windows))]
fn in_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Both shells take double quotes, unless PowerShell would find something to do between them.
#[cfg(windows)]
fn in_quotes(text: &str) -> String {
    match text.contains(['$', '`', '"']) {
        true => format!("'{}'", text.replace('\'', "''")),
        false => format!("\"{text}\""),
    }
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let mut out: Option<String> = None;
    let mut previous = None;
    for (at, c) in text.char_indices() {
        if keep(c) || !is_hidden(c, previous) {
            if let Some(out) = &mut out {
                out.push(c);
            }
        } else {
            let out = out.get_or_insert_with(|| text[..at].to_owned());
            // Writing to a string cannot fail.
            let _ = match c {
                '\n' => write!(out, "\\n"),
                '\r' => write!(out, "\\r"),
                '\t' => write!(out, "\\t"),
                _ => write!(out, "\\u{{{:x}}}", u32::from(c)),
            };
        }
        previous = Some(c);
    }
    out.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Whether a character does something else than being seen. A zero-width joiner or variation
/// selector directly behind a character outside ASCII is how emoji and many scripts are written,
/// so it stays there.
fn is_hidden(c: char, previous: Option<char>) -> bool {
    match c {
        _ if c.is_control() => true,
        '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' => {
            // "\u{20e3}" keycaps are an ASCII digit followed by a variation selector.
            let behind_digit = c == '\u{fe0f}' && previous.is_some_and(|p| p.is_ascii_digit());
            !behind_digit && previous.is_none_or(|p| p.is_ascii() || is_hidden(p, None))
        }
        // Soft hyphen, combining grapheme joiner, Arabic letter mark, Hangul fillers.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => {
            true
        }
        // Khmer inherent vowels and Mongolian selectors.
        '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' => true,
        // Zero-width space, direction marks, line and paragraph separators, overrides, isolates,
        // invisible operators, byte order mark.
        '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' => true,
        // Musical formatting, tags, supplementary variation selectors.
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(windows))]
    #[test]
    fn a_shell_sees_one_word() {
        for text in [
            "/runs/a-ladder",
            "/my runs/a",
            "$(touch /tmp/no)",
            "it's `x` \"y\"",
            "",
        ] {
            let echo = format!("printf %s {}", quoted_for_shell(text));
            let echoed = std::process::Command::new("sh")
                .args(["-c", &echo])
                .output();
            assert_eq!(echoed.unwrap().stdout, text.as_bytes(), "{echo}");
        }
        assert_eq!(quoted_for_shell("/runs/a-ladder"), "/runs/a-ladder");
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in [
            "",
            "plain",
            "naïve e\u{301}",
            "日本語 العربية",
            "👩\u{200d}🚀 ❤\u{fe0f} 1\u{fe0f}\u{20e3}",
        ] {
            assert!(
                matches!(visible(text), Cow::Borrowed(same) if same == text),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_acts_on_a_terminal_becomes_visible() {
        assert_eq!(visible("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(visible("\u{202e}gpj.exe"), "\\u{202e}gpj.exe");
        assert_eq!(visible("a\r\nb\tc\0"), "a\\r\\nb\\tc\\u{0}");
        assert_eq!(visible("ad\u{200d}min\u{200b}"), "ad\\u{200d}min\\u{200b}");
        assert_eq!(visible("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(visible("x\u{2028}y\u{feff}"), "x\\u{2028}y\\u{feff}");
        assert_eq!(
            visible("👩\u{200d}\u{200d}\u{200d}"),
            "👩\u{200d}\\u{200d}\\u{200d}"
        );
    }

    #[test]
    fn several_lines_keep_their_breaks() {
        assert_eq!(visible_multiline("a\n\tb\r\u{7}"), "a\n\tb\\r\\u{7}");
    }

    #[test]
    fn excerpts_are_cut_between_characters() {
        assert_eq!(visible_excerpt("äöü", 3), "äöü");
        assert_eq!(visible_excerpt("äöü\n", 3), "äöü…");
        assert_eq!(visible_excerpt("a\nb", 3), "a\\nb");
    }
}
