//! The final answer of a reply. The rules, the first that finds something winning:
//!
//! 1. the last `\boxed{...}`;
//! 2. the last line that begins with `####`, as GSM8K writes;
//! 3. the last "answer is ...", "answer: ..." or "answer = ...", to the end of its sentence;
//! 4. the last number;
//! 5. a reply of one short line, as it is.
//!
//! A regular expression with one group replaces them all; its last match counts. Regular expressions
//! here take time proportional to the text, whatever they are.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::numbers::{numbers, whole_number};
use crate::{Error, Result};

/// Characters up to which a line is an answer by itself.
pub const SHORT: usize = 200;
/// Memory that a regular expression may take.
const PATTERN_BYTES: usize = 1 << 20;

/// How final answers are found.
#[derive(Clone, Debug)]
pub enum AnswerRules {
    /// By the rules of this module.
    Usual,
    /// By a regular expression with one group.
    Pattern(Regex),
}

/// A final answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalAnswer {
    /// The bytes in which it is given, the words that announce it included.
    pub span: Range<usize>,
    /// What is given.
    pub text: String,
    /// The number in it, if that is what it gives.
    pub number: Option<String>,
    /// Whether it was announced as the answer.
    pub said_as: SaidAs,
}

/// How sure it is that something was meant as the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidAs {
    /// It was announced, or the user's expression found it.
    Answer,
    /// It is what there is.
    Something,
}

impl AnswerRules {
    /// The rules, or the expression in their place.
    ///
    /// # Errors
    /// When the expression cannot be read, or has not exactly one group.
    pub fn new(pattern: Option<&str>) -> Result<Self> {
        let Some(pattern) = pattern else {
            return Ok(Self::Usual);
        };
        let invalid = |problem: String| Error::ConfigInvalid {
            field: "answer_pattern",
            problem,
            hint:
                "give a regular expression with one group around the answer, such as 'Result: (.+)'"
                    .to_owned(),
        };
        let regex = RegexBuilder::new(pattern)
            .size_limit(PATTERN_BYTES)
            .build()
            .map_err(|error| invalid(error.to_string()))?;
        match regex.captures_len() - 1 {
            1 => Ok(Self::Pattern(regex)),
            groups => Err(invalid(format!("it has {groups} groups, not one"))),
        }
    }

    /// The final answer of a text.
    pub fn find(&self, text: &str) -> Option<FinalAnswer> {
        match self {
            Self::Pattern(pattern) => by_pattern(pattern, text),
            Self::Usual => announced(text)
                .or_else(|| last_number(text))
                .or_else(|| whole(text)),
        }
    }

    /// The final answer of a text if it is announced there.
    pub fn find_announced(&self, text: &str) -> Option<FinalAnswer> {
        match self {
            Self::Pattern(pattern) => by_pattern(pattern, text),
            Self::Usual => announced(text),
        }
    }
}

fn by_pattern(pattern: &Regex, text: &str) -> Option<FinalAnswer> {
    let found = pattern.captures_iter(text).last()?;
    let span = found.get(0)?.range();
    Some(said(span, found.get(1)?.as_str()))
}

/// An announced answer; the number in it if there is one alone, or one behind the last `=`.
fn said(span: Range<usize>, text: &str) -> FinalAnswer {
    let text = trimmed(text);
    let result = text.rsplit('=').next().unwrap_or(text);
    let number = match &numbers(result)[..] {
        [number] => Some(number.value.clone()),
        _ => None,
    };
    FinalAnswer {
        span,
        text: text.to_owned(),
        number,
        said_as: SaidAs::Answer,
    }
}

fn announced(text: &str) -> Option<FinalAnswer> {
    boxed(text)
        .or_else(|| hashes(text))
        .or_else(|| answer_is(text))
}

/// What is said without the marks around it.
fn trimmed(text: &str) -> &str {
    text.trim()
        .trim_matches(['*', '`', '"', '$', ' '])
        .trim_end_matches(['.', ',', ';', '!'])
}

fn boxed(text: &str) -> Option<FinalAnswer> {
    text.rmatch_indices("\\boxed{")
        .find_map(|(start, opening)| {
            let inside = &text[start + opening.len()..];
            let mut depth = 1;
            let end = inside.char_indices().find_map(|(at, c)| {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                (depth == 0).then_some(at)
            })?;
            let content = &inside[..end];
            let span = start..start + opening.len() + end + 1;
            (!content.trim().is_empty()).then(|| said(span, &plain_fractions(content)))
        })
}

/// `\frac{3}{4}` as `3/4`.
fn plain_fractions(content: &str) -> String {
    let content = content
        .replace("\\dfrac", "\\frac")
        .replace("\\tfrac", "\\frac");
    let mut plain = String::new();
    let mut rest = content.as_str();
    while let Some((before, behind)) = rest.split_once("\\frac{") {
        plain.push_str(before);
        match behind.split_once("}{").and_then(|(above, below)| {
            let (below, behind) = below.split_once('}')?;
            Some((above, below, behind))
        }) {
            Some((above, below, behind)) => {
                plain.push_str(&format!("{above}/{below}"));
                rest = behind;
            }
            None => {
                plain.push_str("\\frac{");
                rest = behind;
            }
        }
    }
    plain + rest
}

fn hashes(text: &str) -> Option<FinalAnswer> {
    text.rmatch_indices("####").find_map(|(start, marks)| {
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = text[start + marks.len()..].lines().next()?;
        let begins_line = text[line_start..start].trim().is_empty();
        let span = start..start + marks.len() + line.len();
        (begins_line && !trimmed(line).is_empty()).then(|| said(span, line))
    })
}

fn answer_is(text: &str) -> Option<FinalAnswer> {
    // Of ASCII letters alone, so that places stay what they are.
    let lower = text.to_ascii_lowercase();
    lower.rmatch_indices("answer").find_map(|(word, name)| {
        let behind = &lower[word + name.len()..];
        let rest = behind.trim_start_matches(['*', '_', ' ']);
        let rest = [":", "is:", "is ", "= "]
            .iter()
            .find_map(|sign| rest.strip_prefix(sign))?;
        let start = text.len() - rest.len();
        let sentence = first_sentence(text.get(start..)?);
        let given = sentence.trim_start_matches(['*', ':', ' ', '\n']);
        let span = announcement_start(&lower, word)..start + sentence.len();
        let mut answer = said(span, given);
        // "is 12 of the 20" gives 12.
        if answer.number.is_none() && !given.contains('=') {
            answer.number = numbers(given).first().map(|number| number.value.clone());
        }
        (!answer.text.is_empty()).then_some(answer)
    })
}

/// Up to the end of a line or a sentence; what is given may stand on the next line.
fn first_sentence(text: &str) -> &str {
    let begin = text.len() - text.trim_start_matches(['*', ':', ' ', '\n']).len();
    let said = &text[begin..];
    let end = said.char_indices().find(|&(at, c)| {
        let behind = &said[at + c.len_utf8()..];
        c == '\n' || (c == '.' && (behind.is_empty() || behind.starts_with(char::is_whitespace)))
    });
    &text[..begin + end.map_or(said.len(), |(at, _)| at)]
}

/// "The final answer" begins before the word.
fn announcement_start(lower: &str, word: usize) -> usize {
    let mut start = word;
    for before in ["correct", "final", "the"] {
        let head = lower[..start].trim_end_matches([' ', '*']);
        if let Some(head) = head.strip_suffix(before) {
            start = head.len();
        }
    }
    start
}

fn last_number(text: &str) -> Option<FinalAnswer> {
    let number = numbers(text).pop()?;
    Some(FinalAnswer {
        text: text[number.span.clone()].to_owned(),
        span: number.span,
        number: Some(number.value),
        said_as: SaidAs::Something,
    })
}

fn whole(text: &str) -> Option<FinalAnswer> {
    let said = trimmed(text);
    is_short(said).then(|| FinalAnswer {
        span: 0..text.len(),
        text: said.to_owned(),
        number: None,
        said_as: SaidAs::Something,
    })
}

fn is_short(text: &str) -> bool {
    !text.is_empty() && !text.contains('\n') && text.chars().count() <= SHORT
}

/// What an answer is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A number.
    Number(String),
    /// A word or a few.
    Text(String),
    /// Nothing that a short answer could equal.
    Unmatchable,
}

impl Reference {
    /// Of what a dataset gives as the answer: found in it by the same rules, else all of it if it is
    /// short.
    pub fn of(text: &str, rules: &AnswerRules) -> Self {
        if let Some(number) = whole_number(text) {
            return Self::Number(number);
        }
        let given = rules.find_announced(text);
        let said = given
            .as_ref()
            .map_or_else(|| trimmed(text), |given| &given.text);
        if let Some(number) = whole_number(said) {
            return Self::Number(number);
        }
        if !is_short(said) {
            return Self::Unmatchable;
        }
        // "42 apples" is a number with its unit; "Apollo 11" is a name.
        match &numbers(said)[..] {
            [number] if number.span.start == 0 && said.split_whitespace().count() <= 3 => {
                Self::Number(number.value.clone())
            }
            _ => Self::Text(said.to_owned()),
        }
    }

    /// Whether an answer is this; none where that cannot be told.
    pub fn judge(&self, answer: &FinalAnswer) -> Option<bool> {
        match self {
            Self::Unmatchable => None,
            Self::Number(number) => Some(answer.number.as_ref() == Some(number)),
            Self::Text(text) => {
                let (wanted, given) = (normal(text), normal(&answer.text));
                if given == wanted || is_that_choice(&wanted, &given) {
                    return Some(true);
                }
                // A sentence around it may say it or deny it.
                let hides_it = answer.said_as == SaidAs::Something && given.contains(&wanted);
                (!hides_it).then_some(false)
            }
        }
    }
}

/// Whether "B) Paris" chooses "b".
fn is_that_choice(wanted: &str, given: &str) -> bool {
    let is_letter = wanted.len() == 1 && wanted.starts_with(|c: char| c.is_ascii_alphabetic());
    let behind = given.strip_prefix(wanted);
    is_letter && behind.is_some_and(|behind| behind.starts_with([')', '.', ':']))
}

/// Without case, marks around it and differences of white space.
fn normal(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ").to_lowercase();
    let marks = |c: char| "()[]{}\"'`*.,;:!?$".contains(c);
    text.trim_matches(marks).to_owned()
}

#[cfg(test)]
mod tests;
