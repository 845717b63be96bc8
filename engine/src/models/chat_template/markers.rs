//! Texts that look like special tokens.

/// Special tokens are shorter.
const MAX_MARKER_BYTES: usize = 48;

/// The markers in a text, each once, in their order: `<|im_end|>`, `<start_of_turn>`, `</think>`,
/// `[INST]` and their like.
pub(super) fn markers(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, opening) in text.match_indices(['<', '[']) {
        let rest = &text[at..];
        let closing = if opening == "<" { '>' } else { ']' };
        let Some(length) = rest.find(closing).map(|end| end + 1) else {
            continue;
        };
        let marker = &rest[..length];
        if length <= MAX_MARKER_BYTES && is_marker(marker) && !found.contains(&marker) {
            found.push(marker);
        }
    }
    found
}

/// The marker that a text begins with.
pub(super) fn leading_marker(text: &str) -> Option<&str> {
    let first = markers(text).into_iter().next()?;
    text.starts_with(first).then_some(first)
}

fn is_marker(text: &str) -> bool {
    let inside = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    let all = |name: &str, allowed: fn(char) -> bool| {
        !name.is_empty() && name.chars().any(char::is_alphabetic) && name.chars().all(allowed)
    };
    if let Some(name) = inside('<', '>') {
        let name = name.strip_prefix('/').unwrap_or(name);
        // The last two are how DeepSeek writes its tokens.
        return all(name, |c| {
            c.is_alphanumeric() || matches!(c, '_' | '-' | '|' | '\u{ff5c}' | '\u{2581}')
        });
    }
    inside('[', ']').is_some_and(|name| {
        let name = name.strip_prefix('/').unwrap_or(name);
        all(name, |c| c.is_ascii_uppercase() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_token_is_found() {
        let text = "<s>[INST] a < b > c [/INST]<|im_end|>\n<|im_end|><｜end▁of▁turn｜></think><2> [x] [] <> [AVAILABLE_TOOLS] <";
        assert_eq!(
            markers(text),
            [
                "<s>",
                "[INST]",
                "[/INST]",
                "<|im_end|>",
                "<｜end▁of▁turn｜>",
                "</think>",
                "[AVAILABLE_TOOLS]"
            ]
        );
        assert_eq!(leading_marker("<|end|>\nrest<|x|>"), Some("<|end|>"));
        assert_eq!(leading_marker("\n<|end|>"), None);
        assert_eq!(markers(&format!("<{}>", "x".repeat(60))), [""; 0]);
    }
}
