//! Methods that were trained alike, in `report.html`.

use stepladder_protocol::{Interval, MatchedReport, MethodPeak, MethodReport, Switch};

use super::{add, dash, escaped};
use std::fmt::Write;

const MIB: f64 = 1024.0 * 1024.0;

/// The section, if there are such methods.
pub(super) fn methods(found: Option<&MatchedReport>) -> String {
    let Some(found) = found else {
        return String::new();
    };
    let seeds = found.methods.first().map_or(0, |method| method.runs.len());
    let mut out = format!(
        "<h2>Methods trained alike</h2>\n<p>Each for {} steps on {}, over {seeds} seeds. Means are over seeds \
         and questions, with the interval that holds the mean in 95&nbsp;% of 10,000 resamples of both; \
         differences are those of the same question, and between methods of the same seed.</p>\n",
        found.steps,
        escaped(&data(found)),
    );
    if !found.parameters_match {
        out.push_str(
            "<p class=\"notice\">The numbers of parameters differ by more than 0.1&nbsp;%.</p>\n",
        );
    }
    out.push_str(
        "<div class=\"wide\"><table>\n<thead><tr><th>Method</th><th>Trained numbers</th><th>Shape</th>\
         <th>Learning rate</th><th>Accuracy</th><th>Reasoning tokens</th><th>Minus base</th>\
         <th>Both right</th><th>Cut off</th><th>No trace</th><th>Held-out loss</th>\
         <th>Peak memory</th></tr></thead>\n<tbody>\n",
    );
    for method in &found.methods {
        out.push_str(&row(method));
    }
    out.push_str(
        "</tbody></table></div>\n<div class=\"wide\"><table>\n<thead><tr><th>Pair</th>\
         <th>Reasoning tokens</th><th>Both right</th><th>Accuracy</th></tr></thead>\n<tbody>\n",
    );
    for pair in &found.pairs {
        add!(
            out,
            "<tr><th>{} minus {}</th><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            pair.method.title(),
            pair.against.title(),
            signed(pair.reasoning_tokens),
            signed(pair.reasoning_tokens_both_right),
            interval(pair.accuracy, 100.0, "&nbsp;points", Sign::Always),
        );
    }
    out.push_str(
        "</tbody></table></div>\n<p class=\"quiet\">Peak memory is what training allocated at once, with \
         activations kept and recomputed; the way that a method was trained in comes first.</p>\n",
    );
    out
}

/// Names of the data, without the folders that they lie in.
fn data(found: &MatchedReport) -> String {
    let names: Vec<String> = found
        .data
        .iter()
        .map(|data| super::model_name(data))
        .collect();
    names.join(", ")
}

fn row(method: &MethodReport) -> String {
    let shape = match method.rank {
        Some(rank) => format!("rank {rank}"),
        None => {
            let taps: Vec<String> = method.taps.iter().map(ToString::to_string).collect();
            format!("taps {}", taps.join(", "))
        }
    };
    let losses: Vec<String> = { method.best_evaluation_loss.iter() }
        .map(|loss| loss.map_or_else(dash, |loss| format!("{loss:.4}")))
        .collect();
    let peaks: Vec<String> = method.peaks.iter().map(peak).collect();
    format!(
        "<tr><th>{}</th><td>{}</td><td>{shape}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
         <td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        method.method.title(),
        method.parameters,
        method.learning_rate,
        interval(method.accuracy, 100.0, "&nbsp;%", Sign::Negative),
        interval(method.reasoning_tokens, 1.0, "", Sign::Negative),
        signed(method.difference),
        signed(method.difference_both_right),
        method.truncated,
        method.no_trace,
        losses.join("<br>"),
        peaks.join("<br>"),
    )
}

fn peak(peak: &MethodPeak) -> String {
    let way = match peak.recompute {
        Switch::On => "recomputed",
        Switch::Off => "kept",
    };
    let bytes = |bytes: u64| format!("{:.1}&nbsp;MiB", bytes as f64 / MIB);
    format!(
        "{} {way} <small>({} planned)</small>",
        peak.measured_bytes.map_or_else(dash, bytes),
        bytes(peak.estimated_bytes)
    )
}

/// Whether a number above zero has a sign.
#[derive(Clone, Copy)]
enum Sign {
    Always,
    Negative,
}

/// Rounded as it is shown, so that nothing is "-0.0".
fn to_tenths(value: f64) -> f64 {
    (10.0 * value).round() / 10.0 + 0.0
}

fn signed(found: Option<Interval>) -> String {
    interval(found, 1.0, "", Sign::Always)
}

fn interval(found: Option<Interval>, factor: f64, unit: &str, sign: Sign) -> String {
    let Some(found) = found else { return dash() };
    let number = |value: f64| {
        let shown = to_tenths(factor * value);
        match sign {
            Sign::Always => format!("{shown:+.1}"),
            Sign::Negative => format!("{shown:.1}"),
        }
    };
    let ends = match (found.low, found.high) {
        (Some(low), Some(high)) => format!(" [{}, {}]", number(low), number(high)),
        _ => String::new(),
    };
    format!(
        "{}{unit}{ends} <small>over {}</small>",
        number(found.mean),
        found.replies
    )
}
