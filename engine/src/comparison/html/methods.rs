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
    out.push_str(
        "<div class=\"wide\"><table>\n<thead><tr><th>Method</th><th>Accuracy</th>\
         <th>Reasoning tokens</th><th>Minus base</th><th>Both right</th><th>Cut off</th>\
         <th>No trace</th></tr></thead>\n<tbody>\n",
    );
    found
        .methods
        .iter()
        .for_each(|method| out.push_str(&figures(method)));
    out.push_str(
        "</tbody></table></div>\n<h3>One minus another</h3>\n<div class=\"wide\"><table>\n<thead><tr>\
         <th>Pair</th><th>Reasoning tokens</th><th>Both right</th><th>Accuracy</th></tr></thead>\n\
         <tbody>\n",
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
        "</tbody></table></div>\n<h3>How they were trained</h3>\n<div class=\"wide\"><table>\n<thead><tr>\
         <th>Method</th><th>Trained numbers</th><th>Shape</th><th>Learning rate</th>\
         <th>Held-out loss, seed by seed</th><th>Peak, activations kept</th>\
         <th>Peak, recomputed</th></tr></thead>\n<tbody>\n",
    );
    found
        .methods
        .iter()
        .for_each(|method| out.push_str(&training(method)));
    out.push_str(
        "</tbody></table></div>\n<p class=\"quiet\">A peak is what training allocated at most at once; bold is the \
         way in which a method was trained.</p>\n",
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

fn figures(method: &MethodReport) -> String {
    format!(
        "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        method.method.title(),
        interval(method.accuracy, 100.0, "&nbsp;%", Sign::Negative),
        interval(method.reasoning_tokens, 1.0, "", Sign::Negative),
        signed(method.difference),
        signed(method.difference_both_right),
        method.truncated,
        method.no_trace,
    )
}

fn training(method: &MethodReport) -> String {
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
    let [kept, recomputed] = [Switch::Off, Switch::On].map(|way| {
        let peaks = method.peaks.iter().enumerate();
        { peaks.filter(|(_, peak)| peak.recompute == way) }
            .map(|(place, peak)| bytes(peak, place == 0))
            .next()
            .unwrap_or_else(dash)
    });
    format!(
        "<tr><th>{}</th><td>{}</td><td>{shape}</td><td>{}</td><td>{}</td><td>{kept}</td><td>{recomputed}</td></tr>\n",
        method.method.title(),
        method.parameters,
        method.learning_rate,
        losses.join(" "),
    )
}

/// What was measured, beside the plan.
fn bytes(peak: &MethodPeak, was_trained_so: bool) -> String {
    let mib = |bytes: u64| format!("{:.1}&nbsp;MiB", bytes as f64 / MIB);
    let measured = peak.measured_bytes.map_or_else(dash, mib);
    let measured = match was_trained_so {
        true => format!("<b>{measured}</b>"),
        false => measured,
    };
    format!(
        "{measured} <small>({} planned)</small>",
        mib(peak.estimated_bytes)
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
