//! The words of a run's log.

use super::{phase, queued};
use crate::state::runs::live::{End, Note, What};
use crate::text::{bytes, clock, count, loss, thousands, visible};

/// Nothing was noted.
pub const NO_LOG: &str = "Nothing was noted yet.";
/// Copies the log.
pub const COPY_LOG: &str = "Copy log";

/// When a line was noted, counted from the first one.
pub fn note_time(secs: f64) -> String {
    format!("{:>8}", clock(secs))
}

/// A line of the log.
pub fn note(note: &Note) -> String {
    match &note.what {
        What::Queued { ahead } => queued(*ahead),
        What::Phase(stage) => format!("{}…", phase(*stage)),
        What::Started(started) => format!(
            "{} trained on, {} held out; {} of {} parameters trained on {}",
            count(started.training_examples, "example", "examples"),
            thousands(started.held_out_examples as u64),
            thousands(started.trainable_parameters as u64),
            thousands(started.backbone_parameters as u64),
            visible(&started.device),
        ),
        What::Memory(memory) => match memory.measured_peak_bytes {
            Some(measured) => format!(
                "Rehearsed: {} measured, {} planned",
                bytes(measured),
                bytes(memory.estimated_peak_bytes)
            ),
            None => format!("Rehearsed: {} planned", bytes(memory.estimated_peak_bytes)),
        },
        What::Notice(text) | What::Written(text) => visible(text),
        What::Evaluation(row) => {
            let best = if row.best { ", the lowest so far" } else { "" };
            let step = thousands(row.step as u64);
            format!("Step {step}: held-out loss {}{best}", loss(row.loss))
        }
        What::Checkpoint(path) => format!("Saved {}", visible(path)),
        What::Ended(end) => match end {
            End::Finished(summary) => {
                format!("Finished after {}", count(summary.step, "step", "steps"))
            }
            End::Paused { step } => format!("Paused after {}", count(*step, "step", "steps")),
            End::Withdrawn => "Stopped before it began".to_owned(),
            End::Failed(problem) => format!("Failed: {}", visible(&problem.message)),
        },
    }
}
