//! Numbers in a text, written in one way each: 1,000 and 1000.0 are the same.

use std::ops::Range;

/// A number and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// The bytes of the text that it takes, its sign and its currency included.
    pub span: Range<usize>,
    /// How it is written here: no signs between thousands, no zeros that say nothing.
    pub value: String,
}

/// Signs that stand before an amount.
const CURRENCY: [char; 4] = ['$', '€', '£', '\\'];

/// The numbers of a text in their order. Digits that go on a word (`x2`) are none.
pub fn numbers(text: &str) -> Vec<Number> {
    let mut found: Vec<Number> = Vec::new();
    let mut at = 0;
    while let Some(digits) = next_start(text, at) {
        let (end, mut value) = amount(text, digits);
        at = end;
        if text[..digits].ends_with(|c: char| c.is_alphabetic() || c == '_') {
            continue;
        }
        // A whole fraction is one number.
        if let Some(denominator) = text[end..].strip_prefix('/')
            && denominator.starts_with(|c: char| c.is_ascii_digit())
        {
            let (end, below) = amount(text, end + 1);
            at = end;
            if below != "1" {
                value = format!("{value}/{below}");
            }
        }
        let (start, is_negative) = sign(text, digits);
        if is_negative && value != "0" {
            value.insert(0, '-');
        }
        found.push(Number {
            span: start..at,
            value,
        });
    }
    found
}

/// The one number that a text is, but for currency, percent and punctuation around it.
pub fn whole_number(text: &str) -> Option<String> {
    let around = |c: char| c.is_whitespace() || "$€£\\%*.,;:!?()[]{}\"'`".contains(c);
    let [number] = &numbers(text)[..] else {
        return None;
    };
    let (before, behind) = (&text[..number.span.start], &text[number.span.end..]);
    (before.chars().all(around) && behind.chars().all(around)).then(|| number.value.clone())
}

/// Where the next number's digits, or the point before them, begin.
fn next_start(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (from..bytes.len()).find(|&at| {
        let is_point = bytes[at] == b'.' && is_digit(at + 1) && (at == 0 || !is_digit(at - 1));
        is_digit(at) || is_point
    })
}

/// The end of the number that begins here, and how it is written.
fn amount(text: &str, start: usize) -> (usize, String) {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let behind = bytes.get(from..).unwrap_or_default();
        behind.iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let mut end = start + digits(start);
    let mut whole = text[start..end].to_owned();
    // Thousands are set apart in threes, from one to three digits on.
    if (1..=3).contains(&(end - start)) {
        while bytes.get(end) == Some(&b',') && digits(end + 1) == 3 {
            whole.push_str(&text[end + 1..end + 4]);
            end += 4;
        }
    }
    let mut fraction = "";
    let places = digits(end + 1);
    if bytes.get(end) == Some(&b'.') && places > 0 {
        fraction = text[end + 1..end + 1 + places].trim_end_matches('0');
        end += 1 + places;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let value = match fraction {
        "" => whole.to_owned(),
        _ => format!("{whole}.{fraction}"),
    };
    (end, value)
}

/// Where a number begins with its currency and sign, and whether it is below zero. Between two things
/// a minus takes one from the other and is no sign.
fn sign(text: &str, digits: usize) -> (usize, bool) {
    let before = text[..digits].trim_end_matches(CURRENCY);
    let Some(bare) = before.strip_suffix(['-', '\u{2212}']) else {
        return (before.len(), false);
    };
    let bare = bare.trim_end_matches(CURRENCY);
    match bare.ends_with(|c: char| c.is_alphanumeric() || ")]}".contains(c)) {
        true => (before.len(), false),
        false => (bare.len(), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        numbers(text).into_iter().map(|n| n.value).collect()
    }

    #[test]
    fn one_way_to_write_each() {
        for text in [
            "1000",
            "1,000",
            "1000.0",
            "$1,000.00",
            "01000",
            "€1000",
            "\\$1000",
        ] {
            assert_eq!(values(text), ["1000"], "{text}");
        }
        assert_eq!(values("0.50 .5 0,5"), ["0.5", "0.5", "0", "5"]);
        assert_eq!(values("-0 0.0 00"), ["0", "0", "0"]);
        assert_eq!(
            values("12,34 1,2345 1234,567"),
            ["12", "34", "1", "2345", "1234", "567"]
        );
        assert_eq!(values("3/4 of 6/1, 1/2."), ["3/4", "6", "1/2"]);
    }

    #[test]
    fn a_minus_is_a_sign_only_before_a_number() {
        assert_eq!(
            values("-3 (-4) = -5 \u{2212}6 -$7 $-8"),
            ["-3", "-4", "-5", "-6", "-7", "-8"]
        );
        assert_eq!(values("9-3 x-4 (a)-5"), ["9", "3", "4", "5"]);
    }

    #[test]
    fn words_and_points_are_no_numbers() {
        assert_eq!(values("x2 H2O a. v1.5 ... é7"), ["5"; 0]);
        assert_eq!(values("5km, 3rd. 7."), ["5", "3", "7"]);
        assert_eq!(values(""), [""; 0]);
        let number = &numbers("it is $1,000.")[0];
        assert_eq!(&"it is $1,000."[number.span.clone()], "$1,000");
    }

    #[test]
    fn a_text_may_be_a_number() {
        for text in [" 42. ", "$42", "**42**", "42.0", "42 %", "\\$42!"] {
            assert_eq!(whole_number(text).as_deref(), Some("42"), "{text}");
        }
        for text in ["42 apples", "4 2", "", "x42", "forty-two"] {
            assert_eq!(whole_number(text), None, "{text}");
        }
    }
}
