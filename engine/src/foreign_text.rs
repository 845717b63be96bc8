//! The one door through which foreign text passes before it is shown: what could steer a terminal or
//! reorder a line becomes visible.

use std::borrow::Cow;

/// Foreign text on one line: line breaks and tabs become visible too.
pub fn visible(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// Foreign text over several lines: `\n` and `\t` stay, everything else as in [`visible`].
pub fn visible_multiline(text: &str) -> Cow<'_, str> {
    escape(text, |c| c == '\n' || c == '\t')
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) && !keep(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}
