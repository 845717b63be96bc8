//! Links that models write: which of them may be opened.

/// Longer addresses are none.
const MOST: usize = 4096;

/// Whether the browser may be asked to open an address that a model wrote: only what is plainly a page
/// of the web, never a file, a script or a program's own scheme.
pub fn may_be_opened(target: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric());
    let lower = target.to_ascii_lowercase();
    let behind = ["http://", "https://"]
        .into_iter()
        .find_map(|scheme| lower.strip_prefix(scheme));
    let host = behind.and_then(|rest| rest.split(['/', '?', '#']).next());
    target.len() <= MOST
        && target.chars().all(is_plain)
        // `https://bank.example@elsewhere.example` leads elsewhere.
        && host.is_some_and(|host| !host.is_empty() && !host.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::may_be_opened;

    #[test]
    fn only_pages_of_the_web_are_opened() {
        for target in [
            "https://example.org",
            "http://example.org/a?b=c#d",
            "HTTPS://EXAMPLE.org/ü",
        ] {
            assert!(may_be_opened(target), "{target}");
        }
        for target in [
            "",
            "example.org",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https:",
            "https://",
            "https:///path",
            "https://bank.example@elsewhere.example/",
            "https://example.org/a b",
            "https://example.org/\u{202e}gpj",
            "ms-settings:privacy",
            "\\\\server\\share",
            "data:text/html,<p>",
        ] {
            assert!(!may_be_opened(target), "{target}");
        }
    }
}
