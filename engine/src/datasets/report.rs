//! The account of a load: what was read, what became of it, and what the user should know.

use std::path::PathBuf;

use super::example::{Built, Unfit};

/// Skipped rows that are named one by one; all of them are counted.
const MAX_NAMED: usize = 100;

/// A source as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    /// The file, or the name of a dataset in memory.
    pub path: PathBuf,
    /// The format its first row was recognized as.
    pub format: &'static str,
    /// Rows in it.
    pub rows: usize,
}

/// A row, or one example of a row with several, that is not trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRow {
    /// The file, or the name of a dataset in memory.
    pub file: PathBuf,
    /// 1-based line number.
    pub line: usize,
    /// Why.
    pub problem: String,
}

/// What became of the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    pub duplicates: usize,
    /// The first skipped rows.
    pub skipped: Vec<SkippedRow>,
    /// All skipped rows and parts of rows.
    pub skipped_count: usize,
    /// Those of them whose answer lies behind the context length.
    pub too_long: usize,
    /// Length of the shortest of those, in tokens; 0 if there is none.
    pub shortest_too_long_tokens: usize,
    /// Examples that lost their end to the context length.
    pub cut: usize,
    /// Tokens of all examples, after cutting.
    pub tokens: usize,
    /// Trained tokens of all examples, after cutting.
    pub target_tokens: usize,
    /// Length of the longest example before cutting.
    pub longest_tokens: usize,
    /// Length of the shortest example.
    pub shortest_tokens: usize,
    /// Turns behind which no token tells the model to stop.
    pub turns_without_end: usize,
    /// Turns that do not continue the text that generation begins from.
    pub turns_off_prompt: usize,
    /// Turns whose reasoning the chat template leaves out.
    pub turns_without_reasoning: usize,
    /// Assistant turns of which the chat template leaves nothing.
    pub turns_not_found: usize,
}

impl DatasetReport {
    pub(super) fn count(&mut self, file: &std::path::Path, line: usize, built: &Built) {
        for fitted in &built.fitted {
            let tokens = fitted.example.ids.len();
            self.shortest_tokens = if self.examples == 0 {
                tokens
            } else {
                self.shortest_tokens.min(tokens)
            };
            self.longest_tokens = self.longest_tokens.max(fitted.full_tokens);
            self.examples += 1;
            self.cut += usize::from(fitted.full_tokens > tokens);
            self.tokens += tokens;
            self.target_tokens += fitted.example.target_tokens();
        }
        for unfit in &built.unfit {
            if let Unfit::TooLong { full_tokens, .. } = unfit {
                self.shortest_too_long_tokens = match self.too_long {
                    0 => *full_tokens,
                    _ => self.shortest_too_long_tokens.min(*full_tokens),
                };
                self.too_long += 1;
            }
            self.skipped_count += 1;
            if self.skipped.len() < MAX_NAMED {
                let problem = unfit.problem(self.context);
                self.skipped.push(SkippedRow {
                    file: file.to_path_buf(),
                    line,
                    problem,
                });
            }
        }
        self.turns_without_end += built.masked.turns_without_end;
        self.turns_off_prompt += built.masked.turns_off_prompt;
        self.turns_without_reasoning += built.masked.turns_without_reasoning;
        self.turns_not_found += built.masked.turns_not_found;
    }

    /// What the user should know before the run, one sentence each.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if let Some(first) = self.skipped.first() {
            notices.push(format!(
                "{} skipped, the first is {}:{}: {}",
                counted(self.skipped_count, "row was", "rows were"),
                first.file.display(),
                first.line,
                first.problem
            ));
        }
        let mut note = |count: usize, one: &str, many: &str, rest: &str| {
            if count > 0 {
                notices.push(format!("{} {rest}", counted(count, one, many)));
            }
        };
        note(
            self.cut,
            "example is",
            "examples are",
            &format!(
                "longer than the context length of {} tokens and cut there; the longest has {}",
                self.context, self.longest_tokens
            ),
        );
        note(
            self.duplicates,
            "row repeats",
            "rows repeat",
            "an earlier row",
        );
        note(
            self.turns_without_end,
            "answer has",
            "answers have",
            "no end-of-turn token in the model's chat template, so the model does not learn to stop there",
        );
        note(
            self.turns_off_prompt,
            "answer does",
            "answers do",
            "not continue the prompt that the model's chat template opens an answer with",
        );
        note(
            self.turns_without_reasoning,
            "answer loses its",
            "answers lose their",
            "reasoning, because the model's chat template leaves it out",
        );
        note(
            self.turns_not_found,
            "answer is",
            "answers are",
            "not trained, because the model's chat template leaves nothing of it in the text",
        );
        notices
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
