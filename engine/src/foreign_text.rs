//! The one way foreign text is made safe to show: what could steer a terminal or reorder a line
//! becomes visible.

/// The text with control, escape and bidirectional characters written as `\u{..}`.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let steers = character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{feff}')
            || ('\u{202a}'..='\u{202e}').contains(&character)
            || ('\u{2066}'..='\u{2069}').contains(&character);
        if steers && character != '\n' && character != '\t' {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}
