//! Standard error as people see it: lines, one status line rewritten in place where it is a
//! terminal, and a little color where that is wanted.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stepladder_protocol::ErrorReport;

use super::failure::Failure;
use crate::text::{visible, visible_lines};

/// Whether and how text is styled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// With the terminal's colors.
    Colored,
}

impl Style {
    /// Colors for a terminal, unless `NO_COLOR` asks for none.
    pub fn of(stream: &impl IsTerminal) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() && !refused {
            Self::Colored
        } else {
            Self::Plain
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colored => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    /// For headings and what matters most.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// For what is only read when looked for.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// For what went well.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// For what is worth a second look.
    pub fn careful(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// For what went wrong.
    pub fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }
}

/// Standard error, shared with the Ctrl-C handler so that neither writes into the other's line.
#[derive(Clone, Debug)]
pub struct Terminal {
    /// How to style.
    pub style: Style,
    /// Whether the status line can be rewritten.
    pub rewrites: bool,
    status: Arc<Mutex<String>>,
}

impl Terminal {
    /// The process's standard error.
    pub fn stderr() -> Self {
        let stderr = std::io::stderr();
        Self {
            style: Style::of(&stderr),
            rewrites: stderr.is_terminal(),
            status: Arc::default(),
        }
    }

    /// Lines without styles, nothing rewritten.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self {
            style: Style::Plain,
            rewrites: false,
            status: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(text: &str) {
        // There is nowhere left to say that standard error cannot be written.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Writes a line; the status line stays below it.
    pub fn line(&self, text: &str) {
        let status = self.lock();
        if status.is_empty() {
            Self::write(&format!("{text}\n"));
        } else {
            Self::write(&format!("\r\u{1b}[K{text}\n{status}"));
        }
    }

    /// Writes a sentence that the user should know.
    pub fn note(&self, sentence: &str) {
        self.line(&format!(
            "{} {}",
            self.style.bold("note:"),
            visible(sentence)
        ));
    }

    /// Replaces the status line; nothing where it cannot be rewritten.
    pub fn status(&self, text: &str) {
        if self.rewrites {
            let mut status = self.lock();
            // A line longer than the terminal would leave its first rows behind.
            *status = text.chars().take(width().saturating_sub(1)).collect();
            Self::write(&format!("\r\u{1b}[K{status}"));
        }
    }

    /// Takes the status line away.
    pub fn clear_status(&self) {
        let mut status = self.lock();
        if !status.is_empty() {
            status.clear();
            Self::write("\r\u{1b}[K");
        }
    }

    /// Writes the beginning of a line that the user goes on with.
    pub fn prompt(&self, text: &str) {
        Self::write(&self.style.bold(text));
    }

    /// Tells an error: what, where, what to do.
    pub fn failure(&self, failure: &Failure) {
        self.clear_status();
        if let Some(report) = &failure.report {
            for line in error_lines(report, self.style) {
                self.line(&line);
            }
        }
    }
}

/// Columns of the terminal as far as the environment tells.
fn width() -> usize {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
        .unwrap_or(80)
}

fn error_lines(report: &ErrorReport, style: Style) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {}",
        style.bad("error:"),
        visible(&report.message)
    )];
    if !report.hint.is_empty() {
        lines.push(format!("{} {}", style.bold("hint:"), visible(&report.hint)));
    }
    if let Some(details) = &report.details {
        lines.extend(
            visible_lines(details)
                .lines()
                .map(|line| style.dim(&format!("  {line}"))),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_and_then_what_to_do() {
        let mut report = ErrorReport::new("x", "a.jsonl:3: no \u{1b}[2Jmessages", "add some");
        report.details = Some("one\ntwo".to_owned());
        let lines = error_lines(&report, Style::Plain);
        assert_eq!(lines[0].split(' ').next(), Some("error:"));
        assert!(!lines[0].contains('\u{1b}'), "{lines:?}");
        assert_eq!(lines[1..], ["hint: add some", "  one", "  two"]);
        assert!(
            error_lines(&report, Style::Colored)[0].starts_with("\u{1b}[1;31merror:\u{1b}[0m ")
        );
    }
}
