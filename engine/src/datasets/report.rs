//! The account of a load: what was read, what became of it, and what the user should know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stepladder_protocol::{DataFormat, Traces};

use super::conversation::SourceLine;
use super::example::Built;
use super::fitting::Unfit;
use super::lengths::LengthCounts;
use super::reader::RowIndex;
use super::row::RowProblem;
use super::store::Duplicates;
use super::turn_account::TurnAccount;

/// Skipped rows that are named one by one; all of them are counted.
const MAX_NAMED: usize = 100;
/// Reasons that are told apart; what comes after them is counted together.
const MAX_REASONS: usize = 40;
const OTHER_REASONS: &str = "other reasons";

/// A source as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceReport {
    /// The file, or the name of a dataset in memory.
    pub path: PathBuf,
    /// What kind of file it is: "JSONL", "CSV", ...
    pub container: &'static str,
    /// Its length.
    pub bytes: u64,
    /// How its rows are written; `Auto` if there is none.
    pub format: DataFormat,
    /// How sure that is, from 0 to 1.
    pub confidence: f32,
    /// Why, in a sentence.
    pub reason: String,
    /// The column that each field was read from.
    pub columns: Vec<(String, String)>,
    /// The columns of its first rows; of very many the first.
    pub found_columns: Vec<String>,
    /// Rows in it.
    pub rows: usize,
    /// Examples from it.
    pub examples: usize,
    /// Recognizes its content; none if it was not read to its end.
    pub fingerprint: Option<String>,
    /// Where some of its rows begin.
    pub row_index: RowIndex,
    /// What was noticed about the file.
    pub notices: Vec<String>,
    /// Whether the file changed while it was read.
    pub changed_while_read: bool,
    /// Why reading ended before the end of the file.
    pub ended: Option<String>,
}

/// A row, or one example of a row with several, that is not trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRow {
    /// The file, or the name of a dataset in memory.
    pub file: PathBuf,
    /// 1-based line number, or the row's where the file has no lines.
    pub line: usize,
    /// Why.
    pub problem: String,
    /// What to do about it.
    pub hint: String,
}

impl SkippedRow {
    pub(super) fn new(file: &Path, line: usize, problem: RowProblem) -> Self {
        Self {
            file: file.to_path_buf(),
            line,
            problem: problem.problem,
            hint: problem.hint.into_owned(),
        }
    }
}

/// What was left out, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// The first of them.
    pub first: Vec<SkippedRow>,
    /// All of them.
    pub count: usize,
    /// How many for each reason.
    pub reasons: BTreeMap<String, usize>,
}

impl Skipped {
    /// Counts a row, and names it if it is one of the first.
    pub fn add(&mut self, row: SkippedRow) {
        self.count += 1;
        let reason = reason_of(&row.problem);
        let known = self.reasons.contains_key(&reason) || self.reasons.len() < MAX_REASONS;
        let reason = if known {
            reason
        } else {
            OTHER_REASONS.to_owned()
        };
        *self.reasons.entry(reason).or_default() += 1;
        if self.first.len() < MAX_NAMED {
            self.first.push(row);
        }
    }
}

/// A problem without what differs from row to row: numbers, and what is quoted.
fn reason_of(problem: &str) -> String {
    let mut reason = String::with_capacity(problem.len());
    let mut characters = problem.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '0'..='9' => {
                while characters.next_if(char::is_ascii_digit).is_some() {}
                reason.push('N');
            }
            '"' => {
                while characters.next_if(|c| *c != '"').is_some() {}
                characters.next();
                reason.push_str("\"...\"");
            }
            _ => reason.push(c),
        }
    }
    reason
}

/// What became of the rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DatasetReport {
    /// The sources in the order given; `SourceLine::source` is an index into it.
    pub sources: Vec<SourceReport>,
    /// The context length that examples were fitted to.
    pub context: usize,
    /// Rows that are not blank.
    pub rows_read: usize,
    /// Examples to train on.
    pub examples: usize,
    /// Rows that say the same as an earlier one.
    pub duplicates: Duplicates,
    /// Rows and parts of rows that are not trained on.
    pub skipped: Skipped,
    /// Those of them whose answer lies behind the context length, or that were left out as too long.
    pub too_long: usize,
    /// Length of the shortest of those, in tokens; 0 if there is none.
    pub shortest_too_long_tokens: usize,
    /// Examples that lost an end to the context length.
    pub cut: usize,
    /// Examples that were split.
    pub split: usize,
    /// Tokens of all examples, after cutting.
    pub tokens: usize,
    /// Trained tokens of all examples, after cutting.
    pub target_tokens: usize,
    /// Lengths before cutting and splitting, of what is trained on at all.
    pub full_lengths: LengthCounts,
    /// What was noticed about the assistant's turns.
    pub turns: TurnAccount,
    /// Whether the model may think before it answers.
    pub model_thinks: bool,
    /// Whether the model's template has an opening for an answer without thinking.
    pub has_empty_trace: bool,
    /// What became of traces.
    pub traces_wish: Traces,
}

impl DatasetReport {
    pub(super) fn count(&mut self, file: &Path, line: usize, built: &Built) {
        for tokens in &built.full_lengths {
            self.full_lengths.add(*tokens);
        }
        self.cut += built.cut;
        self.split += built.split;
        for example in &built.examples {
            self.examples += 1;
            self.tokens += example.ids.len();
            self.target_tokens += example.target_tokens();
        }
        for unfit in &built.unfit {
            if let Unfit::TooLong { full_tokens } | Unfit::AnswerCutOff { full_tokens, .. } = unfit
            {
                self.shortest_too_long_tokens = match self.too_long {
                    0 => *full_tokens,
                    _ => self.shortest_too_long_tokens.min(*full_tokens),
                };
                self.too_long += 1;
            }
            self.skipped.add(SkippedRow {
                file: file.to_path_buf(),
                line,
                problem: unfit.problem(self.context),
                hint: String::new(),
            });
        }
        self.turns.add(built.turns);
    }

    /// A row's place, as `file:line`.
    pub fn place(&self, row: SourceLine) -> String {
        let source = self.sources.get(row.source);
        let path = source.map_or(Path::new(""), |source| &source.path);
        format!("{}:{}", path.display(), row.line)
    }

    /// What was left out and what occurs twice, one sentence each.
    pub fn losses(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if let Some(first) = self.skipped.first.first() {
            notices.push(format!(
                "{} skipped, the first is {}:{}: {}",
                counted(self.skipped.count, "row was", "rows were"),
                first.file.display(),
                first.line,
                first.problem
            ));
        }
        noting(&mut notices)(
            self.duplicates.rows,
            "row repeats",
            "rows repeat",
            "an earlier row",
        );
        notices
    }

    /// What else the user should know before the run, one sentence each.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        for source in &self.sources {
            let path = source.path.display();
            notices.extend(
                source
                    .notices
                    .iter()
                    .map(|notice| format!("{path}: {notice}")),
            );
            notices.extend(source.ended.iter().map(|problem| match source.rows {
                0 => format!("left out: {problem}"),
                _ => format!("reading ended early, what stands before it is used: {problem}"),
            }));
        }
        self.note_lengths(&mut notices);
        self.note_turns(&mut notices);
        self.note_traces(&mut notices);
        notices
    }

    fn note_lengths(&self, notices: &mut Vec<String>) {
        let mut note = noting(notices);
        let (context, longest) = (self.context, self.full_lengths.longest());
        note(
            self.cut,
            "example is",
            "examples are",
            &format!(
                "longer than the context length of {context} tokens and cut there; the longest has {longest}"
            ),
        );
        note(
            self.split,
            "example is",
            "examples are",
            &format!(
                "longer than the context length of {context} tokens and split; the longest has {longest}"
            ),
        );
    }

    fn note_turns(&self, notices: &mut Vec<String>) {
        let mut note = noting(notices);
        note(
            self.turns.without_end,
            "answer has",
            "answers have",
            "no end-of-turn token in the model's chat template, so the model does not learn to stop there",
        );
        note(
            self.turns.off_prompt,
            "answer does",
            "answers do",
            "not continue the prompt that the model's chat template opens an answer with",
        );
        note(
            self.turns.trace_lost,
            "answer loses its",
            "answers lose their",
            "reasoning, because the model's chat template leaves it out",
        );
        note(
            self.turns.not_found,
            "answer is",
            "answers are",
            "not trained, because the model's chat template leaves nothing of it in the text",
        );
        note(
            self.turns.tools_left_out,
            "conversation has",
            "conversations have",
            "tools, which the model's chat template leaves out",
        );
        note(
            self.turns.system_left_out,
            "conversation has",
            "conversations have",
            "a system message, which the model's chat template leaves out",
        );
        note(
            self.turns.begun_twice,
            "example began",
            "examples began",
            "with the token that begins a sequence twice; one was taken out",
        );
    }

    fn note_traces(&self, notices: &mut Vec<String>) {
        let traces = self.turns.traces;
        noting(notices)(
            traces.unclosed,
            "answer opens",
            "answers open",
            "a think block and never close it",
        );
        let silent = traces.answers - traces.with_trace - traces.empty - traces.unclosed;
        let (without, remedy) = match (self.traces_wish, self.has_empty_trace) {
            (Traces::InsertEmpty, true) => (0, ""),
            (Traces::InsertEmpty, false) => (
                silent,
                "; its template has no opening for an answer without thinking, so none was inserted",
            ),
            (Traces::Drop, _) => (
                traces.answers - traces.empty,
                "; --traces drop leaves its thinking out",
            ),
            (Traces::Keep, true) => (
                silent,
                "; add traces, or use --traces insert_empty to teach answers without thinking beside \
                 its thinking",
            ),
            (Traces::Keep, false) => (silent, "; add traces to keep it"),
        };
        if self.model_thinks && without > 0 {
            notices.push(format!(
                "this model thinks before it answers, and {without} of {} answers show no thinking: \
                 training on them unlearns it{remedy}",
                traces.answers
            ));
        }
    }
}

/// Notes what occurs at all.
fn noting(notices: &mut Vec<String>) -> impl FnMut(usize, &str, &str, &str) {
    |count, one, many, rest| {
        if count > 0 {
            notices.push(format!("{} {rest}", counted(count, one, many)));
        }
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_reason_are_counted_together() {
        let mut skipped = Skipped::default();
        for line in 1..=250 {
            skipped.add(SkippedRow {
                file: "a.jsonl".into(),
                line,
                problem: match line % 2 {
                    0 => format!("not valid JSON: expected value at column {line}"),
                    _ => format!("`messages[{line}].role` is \"r{line}\""),
                },
                hint: String::new(),
            });
        }
        assert_eq!((skipped.count, skipped.first.len()), (250, 100));
        let reasons: Vec<_> = skipped.reasons.iter().collect();
        assert_eq!(
            reasons,
            [
                (&"`messages[N].role` is \"...\"".to_owned(), &125),
                (
                    &"not valid JSON: expected value at column N".to_owned(),
                    &125
                )
            ]
        );
        for number in 0..100u8 {
            skipped.add(SkippedRow {
                file: "a.jsonl".into(),
                line: 1,
                problem: "x".repeat(usize::from(number)),
                hint: String::new(),
            });
        }
        assert_eq!(skipped.reasons.len(), MAX_REASONS + 1);
        assert_eq!(skipped.reasons.values().sum::<usize>(), 350);
    }
}
