//! A check of the memory plan as a table that grows: a heading for each model, a row for each cell, and
//! what they say together.

use std::time::Duration;

use stepladder_protocol::{
    CheckErrors, CheckSummary, CheckedCell, Optimizer, Quantize, Switch, TapDtype,
};

use super::terminal::Style;
use crate::text::{clock, count, thousands};

/// Errors beyond these are marked, of the whole and without weights.
const TOLERATED: (f64, f64) = (0.04, 0.1);

/// A cell's row; before a model's first, the model.
pub fn row(before: Option<&CheckedCell>, cell: &CheckedCell, style: Style) -> String {
    let mut text = String::new();
    if before.is_none() {
        let heading = format!(
            "{:>4}  {:7} {:9}  {:7} {:21} {:>8} {:>8}  {:>8}  {:>15}",
            "",
            "method",
            "tokens",
            "weights",
            "with",
            "planned",
            "measured",
            "error",
            "without weights"
        );
        text.push_str(&style.dim(&heading));
        text.push('\n');
    }
    let sizes = |cell: &CheckedCell| (cell.layers, cell.d_model, cell.vocabulary, cell.parameters);
    if before.map(sizes) != Some(sizes(cell)) {
        let model = format!(
            "{:.0} million parameters",
            cell.parameters as f64 / 1_000_000.0
        );
        let shape = format!(
            "{} layers, {} wide, {} tokens known; in MiB",
            cell.layers,
            thousands(cell.d_model as u64),
            thousands(cell.vocabulary as u64),
        );
        text.push_str(&format!("{} · {}\n", style.bold(&model), style.dim(&shape)));
    }
    let tokens = format!("{} × {}", cell.batch_size, thousands(cell.context as u64));
    let weights = match cell.quantize {
        Quantize::Nf4 => "NF4",
        Quantize::None | Quantize::Auto => "stored",
    };
    let (whole, rest) = TOLERATED;
    text.push_str(&format!(
        "{:>4}  {} {:9}  {:7} {:21} {:>8} {:>8}  {}  {}\n",
        cell.number,
        style.bold(&format!("{:7}", cell.method.title())),
        tokens,
        weights,
        switches(cell).join(", "),
        mib(cell.estimated_bytes),
        mib(cell.measured_bytes),
        marked(signed(cell.error, 8), cell.error, whole, style),
        marked(
            signed(cell.error_without_weights, 15),
            cell.error_without_weights,
            rest,
            style
        ),
    ));
    text
}

/// What is switched on.
fn switches(cell: &CheckedCell) -> Vec<&'static str> {
    let mut on = Vec::new();
    if cell.recompute == Switch::On {
        on.push("recompute");
    }
    if cell.recompute_taps == Switch::On {
        on.push("taps again");
    }
    match cell.tap_dtype {
        TapDtype::F32 => {}
        TapDtype::Bf16 => on.push("bf16 taps"),
        TapDtype::F16 => on.push("f16 taps"),
    }
    if cell.quantize_head == Switch::On {
        on.push("head in NF4");
    }
    if cell.optimizer == Optimizer::AdamW8bit {
        on.push("8-bit AdamW");
    }
    on
}

fn mib(bytes: u64) -> String {
    let tenths = (bytes as f64 / f64::from(1 << 20) * 10.0).round() as u64;
    format!("{}.{}", thousands(tenths / 10), tenths % 10)
}

fn signed(share: f64, width: usize) -> String {
    // Rounded here, so that what is shown as zero has no minus.
    let percent = (10_000.0 * share).round() / 100.0 + 0.0;
    let text = format!("{percent:+.2} %");
    format!("{text:>width$}")
}

fn marked(text: String, error: f64, tolerated: f64, style: Style) -> String {
    match error.abs() <= tolerated {
        true => text,
        false => style.bad(&text),
    }
}

/// How far it is: beneath the rows, rewritten.
pub fn status(cell: &CheckedCell, elapsed: Duration) -> String {
    let elapsed = elapsed.as_secs_f64();
    let remaining = match cell.done > 0.0 {
        true => elapsed * (1.0 / cell.done - 1.0),
        false => 0.0,
    };
    format!(
        "{} of {} cells in {}, about {} left",
        cell.number,
        cell.of,
        clock(elapsed),
        clock(remaining)
    )
}

/// The end of a check that was stopped.
pub fn stopped(last: Option<&CheckedCell>) -> String {
    match last {
        None => "stopped before a cell was measured".to_owned(),
        Some(cell) => format!("stopped after {} of {} cells", cell.number, cell.of),
    }
}

/// The summary.
pub fn summary(summary: &CheckSummary, style: Style) -> String {
    let heading = format!(
        "{:34}{:>6}  {:>12}  {:>8}  {:>21}  {:>8}",
        "", "cells", "error: mean", "largest", "without weights: mean", "largest"
    );
    let mut text = format!("\n{}\n", style.dim(&heading));
    for (name, errors) in [
        ("all", summary.all),
        ("even, which packing was fitted on", summary.fitted),
        ("odd, which it has not seen", summary.others),
    ] {
        if errors.cells > 0 {
            text.push_str(&summary_row(name, errors, style));
        }
    }
    text.push_str(&format!(
        "\nIn {} of {} the model takes at most half of the peak.\n",
        thousands(summary.weights_at_most_half as u64),
        count(summary.cells, "cell", "cells"),
    ));
    text
}

fn summary_row(name: &str, errors: CheckErrors, style: Style) -> String {
    let percent = |share: f64, width: usize, tolerated: f64| {
        let text = format!("{:.2} %", 100.0 * share);
        marked(format!("{text:>width$}"), share, tolerated, style)
    };
    let (whole, rest) = TOLERATED;
    format!(
        "{}{:>6}  {}  {}  {}  {}\n",
        style.bold(&format!("{name:34}")),
        errors.cells,
        percent(errors.mean, 12, whole),
        percent(errors.largest, 8, whole),
        percent(errors.mean_without_weights, 21, rest),
        percent(errors.largest_without_weights, 8, rest),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::Method;

    fn cell(number: usize) -> CheckedCell {
        CheckedCell {
            number,
            of: 96,
            done: 0.25,
            method: Method::Xladder,
            layers: 20,
            d_model: 1024,
            vocabulary: 32_000,
            parameters: 290_000_000,
            quantize: Quantize::Nf4,
            quantize_head: Switch::Off,
            recompute: Switch::On,
            recompute_taps: Switch::On,
            tap_dtype: TapDtype::F32,
            optimizer: Optimizer::AdamW,
            context: 2048,
            batch_size: 1,
            estimated_bytes: 1 << 30,
            measured_bytes: (1 << 30) + (1 << 20),
            estimated_weights_bytes: 1 << 28,
            measured_weights_bytes: 1 << 28,
            error: -0.0010,
            error_without_weights: 0.1234,
            peak_moment: "loss".to_owned(),
            fitted: number.is_multiple_of(2),
        }
    }

    #[test]
    fn a_model_is_told_before_its_first_cell() {
        let (first, second) = (cell(1), cell(2));
        let text = row(None, &first, Style::Plain);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "      method  tokens     weights with                   planned measured     error  without weights",
                "290 million parameters · 20 layers, 1,024 wide, 32,000 tokens known; in MiB",
                "   1  xLadder 1 × 2,048  NF4     recompute, taps again  1,024.0  1,025.0   -0.10 %         +12.34 %",
            ]
        );
        assert!(lines.iter().all(|line| line.chars().count() <= 100));
        assert_eq!(row(Some(&first), &second, Style::Plain).lines().count(), 1);
        let exact = CheckedCell {
            error: -0.000_04,
            ..second.clone()
        };
        assert!(row(Some(&first), &exact, Style::Plain).contains(" +0.00 % "));
        let mut wider = second.clone();
        wider.d_model = 2048;
        assert_eq!(row(Some(&second), &wider, Style::Plain).lines().count(), 2);
        let colored = row(Some(&first), &second, Style::Colored);
        assert!(
            colored.contains("\u{1b}[1;31m       +12.34 %"),
            "{colored:?}"
        );
        assert!(!colored.contains("\u{1b}[1;31m -0.10"), "{colored:?}");
    }

    #[test]
    fn what_is_switched_on_is_named() {
        let mut other = cell(1);
        assert_eq!(switches(&other), ["recompute", "taps again"]);
        (other.recompute, other.recompute_taps) = (Switch::Off, Switch::Off);
        assert_eq!(switches(&other), [""; 0]);
        (other.tap_dtype, other.quantize_head) = (TapDtype::Bf16, Switch::On);
        other.optimizer = Optimizer::AdamW8bit;
        assert_eq!(
            switches(&other),
            ["bf16 taps", "head in NF4", "8-bit AdamW"]
        );
    }

    #[test]
    fn what_is_left_follows_from_what_is_done() {
        let text = status(&cell(24), Duration::from_secs(100));
        assert_eq!(text, "24 of 96 cells in 1:40, about 5:00 left");
        assert_eq!(stopped(Some(&cell(3))), "stopped after 3 of 96 cells");
        assert!(stopped(None).contains("before a cell"));
    }

    #[test]
    fn halves_are_told_apart_in_the_summary() {
        let errors = |cells, largest| CheckErrors {
            cells,
            mean: 0.001,
            largest,
            mean_without_weights: 0.002,
            largest_without_weights: 0.09,
        };
        let mut told = CheckSummary {
            cells: 3,
            weights_at_most_half: 2,
            all: errors(3, 0.05),
            fitted: errors(1, 0.01),
            others: errors(2, 0.05),
        };
        let text = summary(&told, Style::Plain);
        for expected in [
            "all                                    3        0.10 %    5.00 %                 0.20 %    9.00 %\n",
            "even, which packing was fitted on      1        0.10 %    1.00 %",
            "odd, which it has not seen             2 ",
            "\nIn 2 of 3 cells the model takes at most half of the peak.\n",
        ] {
            assert!(text.contains(expected), "{expected}\nis not in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 100));
        assert!(summary(&told, Style::Colored).contains("\u{1b}[1;31m  5.00 %"));
        told.fitted.cells = 0;
        assert!(!summary(&told, Style::Plain).contains("even"), "{text}");
    }
}
