//! Every text of the window stands in `words`, where a translation finds it.

use std::collections::BTreeSet;

use stepladder_tests::root;

use super::{code_lines, sources};

/// Rooms whose sentences and labels stand in `words`.
const WITHOUT_WORDS: [&str; 3] = ["screens", "widgets", "disk"];

/// Literals that look like text and are none that anybody reads.
const NOT_SHOWN: [(&str, &str, &str); 3] = [
    ("screens/drop_overlay.rs", "drop overlay", "names an area"),
    (
        "disk/runs.rs",
        "stopped on request",
        "how logs of earlier versions end",
    ),
    (
        "disk/settings.rs",
        "json.broken-{number}",
        "the ending of a file",
    ),
];

/// The string literals of a line; comments have none.
fn literals(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    // The only character that would seem to begin a string.
    let line = line.replace("'\"'", "");
    let mut rest = line.as_str();
    while let Some(from) = rest.find(['"', '/']) {
        if rest[from..].starts_with("//") {
            break;
        }
        if rest[from..].starts_with('/') {
            rest = &rest[from + 1..];
            continue;
        }
        if rest[..from].ends_with("r#") {
            let raw = &rest[from + 1..];
            let end = raw.find("\"#").unwrap_or(raw.len());
            found.push(raw[..end].to_owned());
            rest = raw[end..].strip_prefix("\"#").unwrap_or_default();
            continue;
        }
        let (mut literal, mut escaped, mut end) = (String::new(), false, rest.len());
        for (place, c) in rest[from + 1..].char_indices() {
            match c {
                '"' if !escaped => {
                    end = from + 1 + place + 1;
                    break;
                }
                '\\' if !escaped => escaped = true,
                // What is escaped is no letter of a word.
                _ if escaped => escaped = false,
                c => literal.push(c),
            }
        }
        found.push(literal);
        rest = &rest[end..];
    }
    found
}

/// Whether somebody would read it: two words, a capitalized one, or a word beside a placeholder.
fn is_text(literal: &str) -> bool {
    let (mut bare, mut depth) = (String::new(), 0);
    for c in literal.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            c if depth == 0 => bare.push(c),
            _ => {}
        }
    }
    let is_word = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).count() > 1;
    let words = bare.split_whitespace().filter(is_word);
    let is_capitalized = |word: &str| {
        let mut pairs = word.chars().zip(word.chars().skip(1));
        pairs.any(|(first, second)| first.is_uppercase() && second.is_lowercase())
    };
    let count = words.clone().count();
    count > 1 || words.clone().any(is_capitalized) || (literal.contains('{') && count > 0)
}

#[test]
fn literals_that_are_read_are_told_from_those_that_are_not() {
    for (line, read) in [
        (r#"ui.label("Show");"#, true),
        (r#"format!("{} (optional)", name)"#, true),
        (r#"format!("{} of {}", 1, 2)"#, true),
        (r#"caption(ui, "two words")"#, true),
        (r#"Panel::left("rail")"#, false),
        (r#"path.join("run.json")"#, false),
        (r#"format!("{} · {about}", name)"#, false),
        (r#"rsplit(['/', '\\']) // "In a comment""#, false),
        (r#"split('"').map("id_salt")"#, false),
        ("r#\"/:*?\"<>|\"#.contains(*c)) {", false),
        ("let raw = r#\"two words\"#;", true),
    ] {
        let found = literals(line);
        assert_eq!(found.iter().any(|one| is_text(one)), read, "{line}");
    }
}

#[test]
fn every_text_of_the_window_stands_in_words() {
    let program = root().join("app/src");
    let mut excused: BTreeSet<&(&str, &str, &str)> = BTreeSet::new();
    for room in WITHOUT_WORDS {
        for file in sources(&program.join(room)) {
            let name = file.strip_prefix(&program).unwrap();
            let name = name.to_string_lossy().replace('\\', "/");
            for (number, line) in code_lines(&file) {
                if line.trim_start().starts_with("reason =") {
                    continue;
                }
                for literal in literals(&line).into_iter().filter(|one| is_text(one)) {
                    let excuse = { NOT_SHOWN.iter() }
                        .find(|(own, text, _)| *own == name && *text == literal);
                    assert!(
                        excuse.is_some(),
                        "{name}:{number}: {literal:?} belongs into words"
                    );
                    excused.extend(excuse);
                }
            }
        }
    }
    assert_eq!(excused.len(), NOT_SHOWN.len(), "an excuse is out of date");
}
