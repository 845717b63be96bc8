//! `answers.csv`: a row for each answer. What a spreadsheet would take for a formula is marked as text.

use std::borrow::Cow;

use stepladder_protocol::{
    AnswerOutcome, AnswerVerdict, ComparedAnswer, ComparisonDocument, TraceState,
};

use crate::foreign_text::visible_multiline;

const COLUMNS: &str = "number,question,reference,variant,answer,verdict,outcome,trace,\
    reasoning_tokens,total_tokens,difference_to_baseline,distinct_3,text";

/// The whole file.
pub fn csv(document: &ComparisonDocument, baseline: usize) -> String {
    let mut out = format!("{COLUMNS}\r\n");
    for row in &document.rows {
        let question = &row.question;
        for (place, answer) in row.answers.iter().enumerate() {
            let difference = match place == baseline {
                true => None,
                false => super::summary::difference_at(row, place, baseline),
            };
            let cells = [
                question.number.to_string(),
                cell(&question.question),
                cell(question.reference.as_deref().unwrap_or_default()),
                cell(&document.report.variants[place].name),
                cell(answer.answer.as_deref().unwrap_or_default()),
                verdict(answer).to_owned(),
                outcome(answer).to_owned(),
                trace(answer).to_owned(),
                answer.reasoning_tokens.to_string(),
                answer.total_tokens.to_string(),
                difference.map_or_else(String::new, |tokens| tokens.to_string()),
                answer
                    .distinct_3
                    .map_or_else(String::new, |share| format!("{share:.4}")),
                cell(&answer.text),
            ];
            out.push_str(&cells.join(","));
            out.push_str("\r\n");
        }
    }
    out
}

/// Foreign text as a cell.
fn cell(text: &str) -> String {
    let text = visible_multiline(text);
    let text: Cow<'_, str> = match text.trim_start().starts_with(['=', '+', '-', '@']) {
        true => format!("'{text}").into(),
        false => text,
    };
    match text.contains([',', '"', '\n', '\t']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into_owned(),
    }
}

/// A verdict in a word.
pub fn verdict(answer: &ComparedAnswer) -> &'static str {
    match answer.verdict {
        AnswerVerdict::Right => "right",
        AnswerVerdict::Wrong => "wrong",
        AnswerVerdict::NotJudged => "not judged",
    }
}

/// How a reply ended, in words.
pub fn outcome(answer: &ComparedAnswer) -> &'static str {
    match answer.outcome {
        AnswerOutcome::Answered => "answered",
        AnswerOutcome::NoAnswer => "no answer",
        AnswerOutcome::Truncated => "cut off",
    }
}

/// What became of a trace, in a word.
pub fn trace(answer: &ComparedAnswer) -> &'static str {
    match answer.trace {
        TraceState::Complete => "complete",
        TraceState::Empty => "empty",
        TraceState::Unclosed => "unclosed",
        TraceState::Missing => "missing",
        TraceState::Unmarked => "unmarked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_text_and_nothing_else() {
        for (text, expected) in [
            ("plain", "plain"),
            ("=1+2", "'=1+2"),
            (" @x", "' @x"),
            ("-3", "'-3"),
            ("+a,\"b\"", "\"'+a,\"\"b\"\"\""),
            ("a\nb", "\"a\nb\""),
            ("a\u{1b}[2J\r", "a\\u{1b}[2J\\r"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
