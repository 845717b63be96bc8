//! Datasets described for people: a first look at examples, then the account of all rows.

use stepladder_protocol::{
    DataFormat, DatasetFile, DatasetPreview, ExamplePreview, TokenLengths, TokenUse, TraceCounts,
};

use super::terminal::Style;
use crate::text::{count, thousands, visible, visible_lines};

/// Skipped rows that are named; `--json` has more.
const NAMED: usize = 20;
/// Characters of the longest bar of the histogram.
const BAR: usize = 40;
/// Bars of the histogram.
const BARS: usize = 8;

/// The files and the first examples.
pub fn first_look(preview: &DatasetPreview, style: Style) -> String {
    let mut text = String::new();
    for file in &preview.files {
        text.push_str(&described(file, style));
    }
    if !preview.ignored.is_empty() {
        let ignored = count(preview.ignored.len(), "file", "files");
        text.push_str(&format!("{ignored} passed over, being no datasets\n"));
    }
    for (index, example) in preview.shown.iter().enumerate() {
        text.push_str(&example_in_words(index + 1, example, style));
    }
    if !preview.shown.is_empty() {
        text.push('\n');
    }
    text
}

fn described(file: &DatasetFile, style: Style) -> String {
    let mut line = format!(
        "{} · {}",
        style.bold(&visible(&file.path)),
        visible(&file.container)
    );
    if file.format != DataFormat::Auto {
        line.push_str(&format!(" · {}\n", file.format.name()));
        line.push_str(&format!("  {}\n", style.dim(&visible(&file.reason))));
    } else {
        line.push_str(" · no rows\n");
    }
    line
}

/// What became of all rows.
pub fn account(preview: &DatasetPreview, style: Style) -> String {
    let mut text = format!(
        "{} · {}",
        count(preview.rows, "row", "rows"),
        style.bold(&count(preview.examples, "example", "examples"))
    );
    if preview.duplicates > 0 {
        let repeated = count(preview.duplicates, "row repeats", "rows repeat");
        text.push_str(&format!(" · {repeated} an earlier one"));
    }
    if let Some(held_out) = &preview.held_out {
        text.push_str(&format!(
            " · {} held out by default",
            thousands(held_out.examples as u64)
        ));
    }
    text.push('\n');
    if preview.files.len() > 1 {
        for file in &preview.files {
            text.push_str(&format!(
                "  {} in {}\n",
                count(file.examples, "example", "examples"),
                visible(&file.path)
            ));
        }
    }
    text.push_str(&preview.lengths.as_ref().map_or_else(String::new, lengths));
    text.push_str(&preview.traces.as_ref().map_or_else(String::new, traces));
    text.push_str(&left_out(preview));
    text.push_str(&near_duplicates(preview));
    for notice in &preview.notices {
        text.push_str(&format!("{} {}\n", style.careful("note:"), visible(notice)));
    }
    text
}

fn lengths(lengths: &TokenLengths) -> String {
    let mut text = format!(
        "tokens per example: {} to {}, median {}, 90 % within {}, 99 % within {}\n",
        thousands(lengths.shortest as u64),
        thousands(lengths.longest as u64),
        thousands(lengths.median as u64),
        thousands(lengths.p90 as u64),
        thousands(lengths.p99 as u64),
    );
    let bins: Vec<(usize, usize, usize)> = lengths
        .histogram
        .chunks(lengths.histogram.len().div_ceil(BARS).max(1))
        .filter_map(|bins| {
            let examples = bins.iter().map(|bin| bin.examples).sum();
            Some((bins.first()?.from, bins.last()?.to, examples))
        })
        .collect();
    let most = bins.iter().map(|bin| bin.2).max().unwrap_or(0).max(1);
    let width = bins.last().map_or(1, |bin| thousands(bin.1 as u64).len());
    for (from, to, examples) in bins {
        let bar = "█".repeat((examples * BAR).div_ceil(most));
        text.push_str(&format!(
            "  {:>width$} - {:>width$} │ {bar} {}\n",
            thousands(from as u64),
            thousands(to as u64),
            thousands(examples as u64),
        ));
    }
    text.push_str(&format!(
        "context of {}: {} tokens in all, {} of them trained",
        thousands(lengths.context as u64),
        thousands(lengths.total as u64),
        thousands(lengths.trained as u64),
    ));
    for (examples, what) in [
        (lengths.cut, "cut"),
        (lengths.split, "split"),
        (lengths.too_long, "too long"),
    ] {
        if examples > 0 {
            text.push_str(&format!(", {} {what}", thousands(examples as u64)));
        }
    }
    text + "\n"
}

fn traces(traces: &TraceCounts) -> String {
    if traces.with_trace + traces.empty + traces.unclosed == 0 {
        return String::new();
    }
    format!(
        "think blocks: {} of {}, {} empty, {} never closed\n",
        thousands(traces.with_trace as u64),
        count(traces.answers, "answer", "answers"),
        thousands(traces.empty as u64),
        thousands(traces.unclosed as u64),
    )
}

fn left_out(preview: &DatasetPreview) -> String {
    if preview.skipped == 0 {
        return String::new();
    }
    let mut text = format!(
        "{} left out:\n",
        count(preview.skipped, "row is", "rows are")
    );
    if preview.skipped > preview.skipped_rows.len().min(NAMED) {
        for reason in &preview.skipped_reasons {
            text.push_str(&format!(
                "  {} × {}\n",
                thousands(reason.rows as u64),
                visible(&reason.reason)
            ));
        }
    }
    let mut hint = "";
    for row in preview.skipped_rows.iter().take(NAMED) {
        text.push_str(&format!(
            "  {}:{}: {}\n",
            visible(&row.path),
            row.line,
            visible(&row.reason)
        ));
        if hint.is_empty() {
            hint = &row.hint;
        }
    }
    let more = preview
        .skipped
        .saturating_sub(preview.skipped_rows.len().min(NAMED));
    if more > 0 {
        text.push_str(&format!("  and {}\n", count(more, "other", "others")));
    }
    if !hint.is_empty() {
        text.push_str(&format!("  hint: {}\n", visible(hint)));
    }
    text
}

fn near_duplicates(preview: &DatasetPreview) -> String {
    let Some(held_out) = preview
        .held_out
        .as_ref()
        .filter(|held_out| held_out.near_duplicates > 0)
    else {
        return String::new();
    };
    let first = held_out.first_near_duplicate.as_ref();
    let first = first.map_or_else(String::new, |(one, other)| {
        format!(", the first is {}, like {}", visible(one), visible(other))
    });
    format!(
        "{} one that is trained on{first}; the evaluation will look better than it is\n",
        count(
            held_out.near_duplicates,
            "held-out example nearly repeats",
            "held-out examples nearly repeat"
        )
    )
}

/// One example; a bar with words before it says what training does with each line, so that it reads
/// without colors too.
fn example_in_words(number: usize, example: &ExamplePreview, style: Style) -> String {
    let tokens = example.tokens.map_or_else(String::new, |n| {
        format!(", {}", count(n, "token", "tokens"))
    });
    let place = format!("{}:{}{tokens}", visible(&example.path), example.line);
    let mut text = format!("\n{} ({place})\n", style.bold(&format!("example {number}")));
    for segment in &example.segments {
        if segment.used == TokenUse::Context && segment.text.trim().is_empty() {
            // The white space that templates put behind a turn.
            continue;
        }
        let shown = visible_lines(&segment.text);
        for line in shown.lines() {
            let line = match segment.used {
                TokenUse::Trained => format!("trained │ {}", style.good(line)),
                TokenUse::Context => format!("context │ {line}"),
                TokenUse::CutOff => format!("cut off │ {}", style.dim(line)),
            };
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::{HeldOut, LengthRange, ReasonCount, Segment, SkippedRow};

    fn preview() -> DatasetPreview {
        let segment = |text: &str, used| Segment {
            text: text.to_owned(),
            used,
            first_token: None,
            tokens: None,
        };
        let range = |from: usize, examples| LengthRange {
            from,
            to: from + 149,
            examples,
        };
        DatasetPreview {
            complete: true,
            files: vec![DatasetFile {
                path: "a.jsonl".to_owned(),
                container: "JSONL".to_owned(),
                format: DataFormat::Messages,
                reason: "every row has `messages`".to_owned(),
                ..DatasetFile::default()
            }],
            rows: 1573,
            examples: 1570,
            skipped: 3,
            skipped_rows: vec![SkippedRow {
                path: "a.jsonl".to_owned(),
                line: 2,
                reason: "no \u{1b}[2Jmessages".to_owned(),
                hint: "add some".to_owned(),
            }],
            skipped_reasons: vec![ReasonCount {
                reason: "no messages".to_owned(),
                rows: 3,
            }],
            held_out: Some(HeldOut {
                examples: 78,
                near_duplicates: 1,
                first_near_duplicate: Some(("a.jsonl:9".to_owned(), "a.jsonl:4".to_owned())),
            }),
            lengths: Some(TokenLengths {
                context: 1024,
                shortest: 3,
                median: 90,
                p90: 200,
                p95: 300,
                p99: 900,
                longest: 302,
                total: 99_000,
                trained: 33_000,
                cut: 2,
                histogram: vec![range(3, 1500), range(153, 70)],
                ..TokenLengths::default()
            }),
            shown: vec![ExamplePreview {
                row: 1,
                path: "a.jsonl".to_owned(),
                line: 1,
                tokens: Some(7),
                segments: vec![
                    segment("user\n2+2?\n", TokenUse::Context),
                    segment("4", TokenUse::Trained),
                    segment("end", TokenUse::CutOff),
                ],
            }],
            ..DatasetPreview::default()
        }
    }

    #[test]
    fn a_first_look_shows_files_and_examples() {
        let text = first_look(&preview(), Style::Plain);
        assert_eq!(
            text,
            "a.jsonl · JSONL · messages\n  every row has `messages`\n\
             \nexample 1 (a.jsonl:1, 7 tokens)\ncontext │ user\ncontext │ 2+2?\n\
             trained │ 4\ncut off │ end\n\n"
        );
    }

    #[test]
    fn the_account_says_what_is_left_out_and_why() {
        let text = account(&preview(), Style::Plain);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        let expected = [
            "1,573 rows · 1,570 examples · 78 held out by default\n",
            "tokens per example: 3 to 302, median 90, 90 % within 200, 99 % within 900\n",
            "    3 - 152 │ ████████████████████████████████████████ 1,500\n",
            "  153 - 302 │ ██ 70\n",
            "context of 1,024: 99,000 tokens in all, 33,000 of them trained, 2 cut\n",
            "3 rows are left out:\n  3 × no messages\n  a.jsonl:2: no ",
            "  and 2 others\n  hint: add some\n",
            "1 held-out example nearly repeats one that is trained on, the first is a.jsonl:9, like a.jsonl:4;",
        ];
        for expected in expected {
            assert!(text.contains(expected), "{expected:?} in\n{text}");
        }
    }
}
