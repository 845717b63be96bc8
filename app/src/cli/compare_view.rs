//! A comparison for people: how far it is, then a table, and what it says in sentences.

use stepladder_protocol::{
    ComparisonProgress, ComparisonReport, ComparisonStarted, Difference, Event, VariantReport,
};

use super::inspect::reading;
use super::matched_view::{self, RunsUnderWay};
use super::terminal::{Style, Terminal};
use crate::text::{clock, count, excerpt, quoted, rate, thousands, visible};

/// The longest name that the table shows whole.
const NAME: usize = 32;

/// Shows a comparison while it is made.
pub struct CompareView<'a> {
    terminal: &'a Terminal,
    names: Vec<String>,
    runs: RunsUnderWay,
}

impl<'a> CompareView<'a> {
    /// Nothing to show yet.
    pub fn new(terminal: &'a Terminal) -> Self {
        terminal.status("loading the model…");
        Self {
            terminal,
            names: Vec::new(),
            runs: RunsUnderWay::default(),
        }
    }

    /// Shows an event.
    pub fn show(&mut self, event: &Event) {
        match event {
            Event::Notice { text } => {
                let note = self.terminal.style.bold("note:");
                self.terminal.line(&format!("{note} {}", visible(text)));
            }
            Event::Reading(progress) => self.terminal.status(&reading(progress)),
            Event::ComparisonStarted(started) => {
                self.names = { started.variants.iter() }
                    .map(|variant| excerpt(&variant.name, NAME))
                    .collect();
                for line in beginning(started, self.terminal.style) {
                    self.terminal.line(&line);
                }
            }
            Event::MatchedRuns(runs) => {
                for line in self.runs.begin(runs) {
                    self.terminal.line(&line);
                }
            }
            Event::MatchedRun(begun) => {
                let line = self.runs.next(*begun);
                self.terminal.line(&line);
            }
            Event::Started(started) => self.runs.has_steps(started.total_steps),
            Event::Step(row) => self.terminal.status(&self.runs.step(row)),
            Event::Comparing(progress) => self.terminal.status(&self.progress(progress)),
            _ => {}
        }
    }

    /// `base 12/200 · a-ladder 8/200 · 1,204 tokens/s · 1:40 left`
    fn progress(&self, progress: &ComparisonProgress) -> String {
        let mut parts: Vec<String> = { self.names.iter().zip(&progress.variants) }
            .map(|(name, variant)| {
                let (done, total) = (variant.done as u64, variant.total as u64);
                format!("{name} {}/{}", thousands(done), thousands(total))
            })
            .collect();
        let rates: Vec<f64> = { progress.variants.iter() }
            .filter_map(|variant| variant.tokens_per_second)
            .collect();
        if !rates.is_empty() {
            let mean = rates.iter().sum::<f64>() / rates.len() as f64;
            parts.push(format!("{} tokens/s", rate(mean)));
        }
        if let Some(secs) = progress.remaining_secs {
            parts.push(format!("{} left", clock(secs)));
        }
        parts.join(" · ")
    }
}

fn beginning(started: &ComparisonStarted, style: Style) -> Vec<String> {
    let mut lines = vec![format!(
        "{} from {}, {} each · {}",
        count(started.questions, "question", "questions"),
        visible(&started.question_source),
        count(started.variants.len(), "answer", "answers"),
        visible(&started.device),
    )];
    if started.left_out_trained_on > 0 {
        lines.push(format!(
            "{} left out because a run was trained on them",
            count(started.left_out_trained_on, "question", "questions")
        ));
    }
    if started.kept_answers > 0 {
        lines.push(format!(
            "going on: {} kept",
            count(started.kept_answers, "answer is", "answers are")
        ));
    }
    lines.push(style.dim(&format!("answers go to {}", visible(&started.out))));
    lines
}

/// The end of a comparison that was stopped.
pub fn stopped(answers: usize, out: &str) -> String {
    match answers {
        0 => "stopped before a question was answered".to_owned(),
        _ => format!(
            "stopped; {} kept: the same command with --out {} goes on",
            count(answers, "answer is", "answers are"),
            quoted(out)
        ),
    }
}

/// The report.
pub fn report(report: &ComparisonReport, out: &str, style: Style) -> String {
    let names = report
        .variants
        .iter()
        .map(|variant| excerpt(&variant.name, NAME));
    let names: Vec<String> = names.collect();
    let width = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    let heading = format!(
        "{:width$}  {:>10}  {:>8}  {:>7}  {:>7}  {:>8}  {:>7}  {:>9}  {:>8}  {:>10}",
        "",
        "parameters",
        "accuracy",
        "median",
        "mean",
        "answered",
        "cut off",
        "no answer",
        "no trace",
        "distinct-3",
    );
    let mut text = format!("\n{}\n", style.dim(&heading));
    for (name, variant) in names.iter().zip(&report.variants) {
        text.push_str(&row(name, width, variant, style));
    }
    text.push_str(&format!(
        "\nMedian and mean are reasoning tokens of the {} asked, where an answer was given.\n",
        count(report.questions, "question", "questions")
    ));
    for variant in &report.variants {
        text.push_str(&difference(variant, &report.baseline));
    }
    if let Some(found) = &report.matched {
        text.push_str(&matched_view::report(found, style));
    }
    text.push_str(&format!(
        "\nreport  {}\n",
        visible(
            &std::path::Path::new(out)
                .join("report.html")
                .display()
                .to_string()
        )
    ));
    text
}

fn row(name: &str, width: usize, variant: &VariantReport, style: Style) -> String {
    let tokens = |figure: Option<f64>| figure.map_or_else(dash, |tokens| format!("{tokens:.1}"));
    let accuracy = variant
        .accuracy
        .map_or_else(dash, |share| format!("{:.1} %", 100.0 * share));
    let careful = |number: usize, width: usize| {
        let text = format!("{:>width$}", thousands(number as u64));
        match number {
            0 => text,
            _ => style.careful(&text),
        }
    };
    format!(
        "{}  {:>10}  {accuracy:>8}  {:>7}  {:>7}  {:>8}  {}  {}  {}  {:>10}\n",
        style.bold(&format!("{name:width$}")),
        match variant.parameters {
            0 => dash(),
            parameters => thousands(parameters),
        },
        tokens(variant.median_reasoning_tokens),
        tokens(variant.mean_reasoning_tokens),
        thousands(variant.answered as u64),
        careful(variant.truncated, 7),
        careful(variant.no_answer, 9),
        careful(variant.no_trace, 8),
        variant
            .distinct_3
            .map_or_else(dash, |share| format!("{share:.2}")),
    )
}

fn dash() -> String {
    "–".to_owned()
}

/// What a variant's reasoning is beside the baseline's, in a sentence.
fn difference(variant: &VariantReport, baseline: &str) -> String {
    if variant.name == baseline {
        return String::new();
    }
    let name = excerpt(&variant.name, NAME);
    let Some(found) = variant.difference else {
        return format!(
            "{name}: no question was answered by both it and {}.\n",
            excerpt(baseline, NAME)
        );
    };
    let mut text = format!(
        "{name}: {}, over the {} that both answered",
        in_words(&found, baseline),
        count(found.pairs, "question", "questions")
    );
    if let Some(right) = variant.difference_both_right {
        text.push_str(&format!(
            "; {}, over the {} that both got right",
            in_words(&right, baseline),
            thousands(right.pairs as u64)
        ));
    }
    text.push_str(".\n");
    text
}

/// `25.1 tokens less than base (95 %: 24.2 to 26.0 less)`
fn in_words(found: &Difference, baseline: &str) -> String {
    let side = |tokens: f64| if tokens > 0.0 { "more" } else { "less" };
    let mut text = format!(
        "{:.1} tokens {} than {}",
        found.mean.abs(),
        side(found.mean),
        excerpt(baseline, NAME)
    );
    if let (Some(low), Some(high)) = (found.low, found.high) {
        text.push_str(&format!(" (95 %: {low:+.1} to {high:+.1})"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::SamplerSettings;

    const HOSTILE: &str = "run\u{1b}[2J\u{202e}";

    fn variant(name: &str, difference: Option<Difference>) -> VariantReport {
        VariantReport {
            name: name.to_owned(),
            method: None,
            parameters: 0,
            accuracy: Some(0.5),
            right: 1,
            wrong: 1,
            not_judged: 0,
            median_reasoning_tokens: Some(9.0),
            mean_reasoning_tokens: None,
            answered: 1,
            no_answer: 0,
            truncated: 1,
            no_trace: 0,
            empty_trace: 0,
            missing_trace: 0,
            distinct_3: Some(0.75),
            total_tokens: 10,
            difference,
            difference_both_right: None,
        }
    }

    fn compared(difference: Option<Difference>) -> String {
        let compared = ComparisonReport {
            questions: 2,
            baseline: "base".to_owned(),
            variants: vec![variant("base", None), variant(HOSTILE, difference)],
            model: "builtin".to_owned(),
            question_source: "q".to_owned(),
            left_out_trained_on: 0,
            settings: SamplerSettings::default(),
            answer_pattern: None,
            notices: Vec::new(),
            matched: None,
        };
        report(&compared, "/c", Style::Plain)
    }

    #[test]
    fn a_report_says_what_is_shorter_and_by_how_much() {
        let shorter = Difference {
            mean: -12.25,
            low: Some(-14.0),
            high: Some(-10.5),
            pairs: 2,
        };
        let text = compared(Some(shorter));
        assert!(
            text.contains(
                ": 12.2 tokens less than base (95 %: -14.0 to -10.5), over the 2 questions"
            ),
            "{text}"
        );
        assert!(text.contains("50.0 %") && text.contains("0.75"), "{text}");
        assert!(
            text.ends_with("report  /c/report.html\n") || cfg!(windows),
            "{text}"
        );
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        assert!(compared(None).contains("no question was answered by both"));
    }

    #[test]
    fn a_stopped_comparison_says_how_it_goes_on() {
        assert!(stopped(0, "/c").starts_with("stopped before"));
        assert!(
            stopped(3, "/my c").contains("3 answers are kept"),
            "{}",
            stopped(3, "/my c")
        );
    }
}
