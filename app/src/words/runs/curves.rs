//! The words of a run's curves, and how their figures are written.

use super::UNKNOWN;
use crate::state::runs::columns::{Figure, XAxis};
use crate::state::runs::figures::{Smoothing, Summary};
use crate::state::runs::view::Scale;
use crate::text::{bytes, clock, count, rate, thousands};

/// No figures yet.
pub const READING_FIGURES: &str = "Reading figures…";
/// No figures yet, and none on their way.
pub const NO_STEPS_TITLE: &str = "No steps yet";
/// What comes.
pub const NO_STEPS_TEXT: &str = "Curves appear with the first step.";
/// What remains.
pub const NO_STEPS_EVER: &str = "This run ended before its first step.";
/// Why there are none.
pub const FIGURES_FAILED: &str = "The figures of this run cannot be read";
/// A curve without values.
pub const NOT_MEASURED: &str = "Not measured in this run";
/// Shows all of a curve.
pub const RESET: &str = "Reset zoom";
/// How to zoom.
pub const ZOOM_HELP: &str = "Drag to zoom in, double-click to see everything.";
/// The same with keys, for a chart that has the keyboard.
pub const ZOOM_KEYS: &str =
    "A chart that was reached with Tab: + and - zoom, left and right move, 0 shows everything.";
/// Choices.
pub const AXIS: &str = "Horizontal axis";
/// Choices.
pub const SMOOTHING: &str = "Smoothing";
/// Choices.
pub const SCALE: &str = "Loss axis";
/// The lines of a legend.
pub const RAW: &str = "each step";
/// The same.
pub const SMOOTHED: &str = "smoothed";
/// The same.
pub const EVALUATED: &str = "held out";
/// The same.
pub const PLAN: &str = "planned";
/// A line under the pointer.
pub const LOSS_SMOOTHED: &str = "Loss, smoothed";

/// The place under the pointer.
pub fn hint_title(step: u32, elapsed: f64) -> String {
    format!("Step {} · {}", thousands(step), clock(elapsed))
}

/// A height at an axis: as short as it can be.
pub fn tick_value(of: Figure, height: f64) -> String {
    match of {
        Figure::Memory if height < 0.0 => String::new(),
        Figure::Memory | Figure::Speed => value(of, height as f32),
        _ if height == 0.0 => "0".to_owned(),
        _ if !(1e-3..1e5).contains(&height.abs()) => {
            let text = format!("{height:.1e}");
            text.replace(".0e", "e")
        }
        _ => {
            let text = format!("{height:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// What lies under the curves.
pub fn axis(axis: XAxis) -> &'static str {
    match axis {
        XAxis::Step => "Step",
        XAxis::Time => "Time",
    }
}

/// How the loss is drawn.
pub fn scale(scale: Scale) -> &'static str {
    match scale {
        Scale::Linear => "Linear",
        Scale::Logarithmic => "Log",
    }
}

/// How much noise is taken out.
pub fn smoothing(smoothing: Smoothing) -> &'static str {
    match smoothing {
        Smoothing::Off => "Raw",
        Smoothing::Some => "Smooth",
        Smoothing::Much => "Smoother",
    }
}

/// A figure's name.
pub fn figure(figure: Figure) -> &'static str {
    match figure {
        Figure::Loss => "Loss",
        Figure::LearningRate => "Learning rate",
        Figure::GradientNorm => "Gradient norm",
        Figure::Speed => "Tokens per second",
        Figure::Memory => "Memory",
    }
}

/// A figure's value.
pub fn value(figure: Figure, value: f32) -> String {
    let number = f64::from(value);
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    match figure {
        Figure::Loss | Figure::GradientNorm => short(number),
        Figure::LearningRate if number == 0.0 => "0".to_owned(),
        Figure::LearningRate => format!("{number:.2e}"),
        Figure::Speed => rate(number),
        Figure::Memory => bytes(number.max(0.0) as u64),
    }
}

/// Four digits that count.
pub fn short(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e6).contains(&size) {
        format!("{number:.2e}")
    } else {
        let decimals = (3.0 - size.log10().floor()).clamp(0.0, 6.0) as usize;
        format!("{number:.decimals$}")
    }
}

/// A curve in words, for those who hear it.
pub fn summary(
    name: &str,
    figure: Figure,
    summary: Option<Summary>,
    total: Option<usize>,
) -> String {
    let Some(known) = summary else {
        return format!("{name}: no values yet");
    };
    let step = |step: u32| thousands(step);
    let of = total.map_or(String::new(), |total| {
        format!(" of {}", thousands(total as u64))
    });
    let value = |number: f32| value(figure, number);
    let extreme = match figure {
        Figure::Speed | Figure::Memory | Figure::LearningRate => {
            format!(
                "highest {} at step {}",
                value(known.highest.1),
                step(known.highest.0)
            )
        }
        Figure::Loss | Figure::GradientNorm => {
            format!(
                "lowest {} at step {}",
                value(known.lowest.1),
                step(known.lowest.0)
            )
        }
    };
    let (last, at) = (value(known.last.1), step(known.last.0));
    format!("{name}: {last} at step {at}{of}, {extreme}")
}

/// The sparkline of a run.
pub fn sparkline(first: f32, last: f32) -> String {
    format!(
        "Loss from {} to {}",
        short(first.into()),
        short(last.into())
    )
}

/// Lines of a file that are no rows.
pub fn damaged(lines: usize) -> String {
    format!(
        "{} of metrics.jsonl could not be read and left out.",
        count(lines, "line", "lines")
    )
}
