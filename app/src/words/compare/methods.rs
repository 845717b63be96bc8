//! What methods did that were trained alike.

use stepladder_protocol::{Interval, Method};

use super::{UNKNOWN, percent, signed};

/// What methods did that were trained alike.
pub const METHODS: &str = "Methods, over all seeds";
/// What the intervals are.
pub const METHODS_HELP: &str = "Each figure is a mean over seeds and questions; the interval holds it in 95 % of resamples of both. A peak is the most memory that training took, with activations kept or recomputed; the bold one is how a method was trained.";
/// One method against another.
pub const METHOD_PAIRS: &str = "One method minus another";
/// The adapters are of equal size.
pub const SIZES_MATCH: &str =
    "All methods train as many parameters as each other, to a thousandth.";
/// They are not.
pub const SIZES_DO_NOT_MATCH: &str = "The methods do not train the same number of parameters: a difference may come from size as well.";
/// Columns of the table of methods.
pub const METHOD_COLUMNS: [&str; 8] = [
    "Method",
    "Parameters",
    "Accuracy",
    "Reasoning tokens",
    "Minus base",
    "Minus base, both right",
    "Peak, kept",
    "Peak, recomputed",
];
/// Columns of the table of pairs.
pub const PAIR_COLUMNS: [&str; 4] = ["", "Accuracy", "Reasoning tokens", "Where both are right"];

/// A mean over seeds with its interval.
pub fn interval(found: Option<&Interval>) -> String {
    with_interval(found, &|number| format!("{number:.1}"))
}

/// The same for a share.
pub fn share_interval(found: Option<&Interval>) -> String {
    let number = |share: f64| format!("{:.1}", 100.0 * share);
    match found {
        None => UNKNOWN.to_owned(),
        Some(found) => match (found.low, found.high) {
            (Some(low), Some(high)) => {
                format!(
                    "{} [{}, {}]",
                    percent(found.mean),
                    number(low),
                    number(high)
                )
            }
            _ => percent(found.mean),
        },
    }
}

/// The same for a difference.
pub fn difference_interval(found: Option<&Interval>) -> String {
    with_interval(found, &signed)
}

/// The same for a difference of shares, in percentage points.
pub fn points_interval(found: Option<&Interval>) -> String {
    with_interval(found, &|share| signed(100.0 * share))
}

fn with_interval(found: Option<&Interval>, text: &dyn Fn(f64) -> String) -> String {
    let Some(found) = found else {
        return UNKNOWN.to_owned();
    };
    match (found.low, found.high) {
        (Some(low), Some(high)) => {
            format!("{} [{}, {}]", text(found.mean), text(low), text(high))
        }
        _ => text(found.mean),
    }
}

/// One method minus another.
pub fn method_pair(method: Method, against: Method) -> String {
    format!("{} minus {}", method.title(), against.title())
}
