//! The words of the Runs page: the list, the head of a run, naming and deleting.

use stepladder_protocol::{ErrorReport, Method, Phase};

use crate::state::runs::live::{Progress, Unit};
use crate::state::runs::run::{Offer, Standing};
use crate::state::runs::view::Tab;
use crate::text::{bytes, clock, count, thousands};

pub use self::answers::*;
pub use self::curves::*;
pub use self::details::*;
pub use self::export::*;
pub use self::log::*;

mod answers;
mod curves;
mod details;
mod export;
mod log;

/// The list before there is anything in it.
pub const NONE_TITLE: &str = "No runs yet";
/// How one comes.
pub const NONE_TEXT: &str = "Start one on the Fine-tune page, and follow it here.";
/// Leads there.
pub const NONE_ACTION: &str = "Go to Fine-tune";
/// While the folder is read.
pub const READING_LIST: &str = "Reading runs…";
/// The filter of the list.
pub const FILTER: &str = "Filter runs";
/// No name contains what was typed.
pub const NOT_FOUND: &str = "No run has this in its name.";
/// Reads the list anew.
pub const REREAD: &str = "Read the folder again";
/// One run is ticked.
pub const TICK_ANOTHER: &str = "Tick another run to lay it over this one.";
/// The card of the list.
pub const LIST: &str = "Runs";
/// A run whose folder is not known yet.
pub const NEW_RUN: &str = "New run";
/// The best of a dataset.
pub const BEST_OF_DATASET: &str = "Lowest held-out loss of all runs on this dataset";
/// The folder cannot be read.
pub const FOLDER_FAILED: &str = "The folder of runs cannot be read";
/// A figure of the head.
pub const STEP: &str = "Step";
/// A figure of the head.
pub const LOSS: &str = "Loss";
/// A figure of the head.
pub const BEST: &str = "Best held-out loss";
/// A figure of the head.
pub const SPEED: &str = "Tokens/s";
/// A figure of the head.
pub const LEFT: &str = "Time left";
/// A figure of the head.
pub const TOOK: &str = "Time taken";
/// A figure of the head.
pub const MEMORY: &str = "Peak memory";
/// Which part of a run's page.
pub const SHOW: &str = "Show";
/// What is not known.
pub const UNKNOWN: &str = "–";
/// A field.
pub const NAME: &str = "Name";
/// Keeps the name.
pub const NAME_DONE: &str = "Rename";
/// Keeps the old one.
pub const CANCEL: &str = "Cancel";
/// Closes a dialog.
pub const CLOSE: &str = "Close";
/// The dialog before deleting.
pub const DELETE_TITLE: &str = "Move this run to the bin?";
/// Does it.
pub const DELETE_DO: &str = "Move to bin";

/// A part of a run's page.
pub fn tab(tab: Tab) -> &'static str {
    match tab {
        Tab::Curves => "Curves",
        Tab::Answers => "Answers",
        Tab::Log => "Log",
        Tab::Details => "Details",
    }
}

/// How a run stands.
pub fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Queued => "Queued",
        Standing::Starting => "Preparing",
        Standing::Running => "Running",
        Standing::Pausing => "Pausing…",
        Standing::Keeping => "Stopping…",
        Standing::Elsewhere => "Running elsewhere",
        Standing::Paused => "Paused",
        Standing::Interrupted => "Interrupted",
        Standing::Finished => "Finished",
        Standing::Failed => "Failed",
    }
}

/// What a run offers.
pub fn offer(offer: Offer) -> &'static str {
    match offer {
        Offer::Withdraw => "Remove from queue",
        Offer::Pause => "Pause",
        Offer::Keep => "Stop and keep",
        Offer::Resume => "Resume",
        Offer::EndNow => "End now",
        Offer::Retry => "Retry",
        Offer::Forget => "Remove from list",
        Offer::AgainWithChanges => "Run again with changes",
        Offer::Export => "Export…",
        Offer::Show => "Show in folder",
        Offer::Rename => "Rename",
        Offer::Delete => "Delete",
    }
}

/// What that means, where its name does not say it.
pub fn offer_help(offer: Offer) -> &'static str {
    match offer {
        Offer::Pause => {
            "Saves everything and frees the device. Resuming goes on exactly where it was."
        }
        Offer::Keep => "Ends the run after this step and keeps its best adapter.",
        Offer::Resume => "Goes on from the last checkpoint.",
        Offer::EndNow => {
            "Does not wait until it is saved. The run goes on from its last checkpoint."
        }
        Offer::Retry => "Begins a new run with the same config.",
        Offer::AgainWithChanges => "Opens this run's config on the Fine-tune page.",
        Offer::Delete => "Moves the run's folder to the system's bin.",
        _ => "",
    }
}

/// A stage of a run.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::LoadingModel => "Loading the model",
        Phase::LoadingData => "Reading the dataset",
        Phase::Rehearsing => "Rehearsing the longest batch",
        Phase::Training => "Training",
        Phase::Evaluating => "Evaluating",
        Phase::Checkpointing => "Saving a checkpoint",
        Phase::Exporting => "Writing the export",
    }
}

/// The user did not want to wait.
pub fn ended_now() -> ErrorReport {
    ErrorReport::new("worker_died", "it was ended before it was saved", "")
}

/// Waiting.
pub fn queued(ahead: usize) -> String {
    match ahead {
        0 => "Waiting for the worker".to_owned(),
        ahead => format!("Waiting for {} before it", count(ahead, "run", "runs")),
    }
}

/// How far a stage has come: amount, rate, time left.
pub fn progress(progress: &Progress) -> String {
    let amount = |number: f64| match progress.unit {
        Unit::Bytes => bytes(number.max(0.0) as u64),
        Unit::Examples | Unit::Parts => thousands(number.max(0.0) as u64),
    };
    let unit = match progress.unit {
        Unit::Bytes => "",
        Unit::Examples => " examples",
        Unit::Parts => " parts",
    };
    let mut text = format!(
        "{} of {}{unit}",
        amount(progress.done),
        amount(progress.total)
    );
    if let Some(rate) = progress
        .per_second
        .filter(|rate| rate.is_finite() && *rate > 0.0)
    {
        match progress.unit {
            Unit::Parts => {}
            Unit::Bytes => text.push_str(&format!(" · {}/s", bytes(rate as u64))),
            Unit::Examples => {
                text.push_str(&format!(" · {} per second", crate::text::rate(rate)));
            }
        }
    }
    if let Some(secs) = progress.remaining_secs().filter(|secs| *secs >= 1.0) {
        text.push_str(&format!(" · {} left", clock(secs)));
    }
    text
}

/// A step of a run: `66 / 400`.
pub fn step_of(step: usize, total: Option<usize>) -> String {
    let step = thousands(step as u64);
    match total {
        Some(total) => format!("{step} / {}", thousands(total as u64)),
        None => step,
    }
}

/// A share of the steps.
pub fn percent(share: f32) -> String {
    format!("{:.0} %", (share * 100.0).clamp(0.0, 100.0))
}

/// What stands under a figure.
pub fn at_step(step: usize) -> String {
    format!("at step {}", thousands(step as u64))
}

/// The same for time.
pub fn elapsed(secs: f64) -> String {
    format!("{} elapsed", clock(secs))
}

/// The same for memory.
pub fn planned(planned: u64) -> String {
    format!("{} planned", bytes(planned))
}

/// How long ago something was.
pub fn age(secs: f64) -> String {
    let ago = |number: f64, one: &str| {
        let number = number.floor().max(1.0) as usize;
        format!("{} ago", count(number, one, &format!("{one}s")))
    };
    match secs {
        secs if secs < 60.0 => "just now".to_owned(),
        secs if secs < 3600.0 => ago(secs / 60.0, "minute"),
        secs if secs < 86_400.0 => ago(secs / 3600.0, "hour"),
        secs if secs < 30.0 * 86_400.0 => ago(secs / 86_400.0, "day"),
        secs if secs < 365.0 * 86_400.0 => ago(secs / (30.0 * 86_400.0), "month"),
        secs => ago(secs / (365.0 * 86_400.0), "year"),
    }
}

/// The loss of an entry, for those who do not see it.
pub fn entry_loss(loss: f64, is_best: bool) -> String {
    match is_best {
        true => format!(
            "held-out loss {}, {}",
            short(loss),
            BEST_OF_DATASET.to_lowercase()
        ),
        false => format!("held-out loss {}", short(loss)),
    }
}

/// A run in the list, for those who hear it.
pub fn entry(name: &str, method: Method, standing: &str) -> String {
    format!("{name}, {}, {standing}", method.title())
}

/// Runs that are not in the list.
pub fn left_out(runs: usize) -> String {
    format!("{} more, older than these", count(runs, "run", "runs"))
}

/// Folders that cannot be read.
pub fn unreadable(runs: usize) -> String {
    format!("{} cannot be read", count(runs, "run", "runs"))
}

/// Before a run goes to the bin.
pub fn delete_text(name: &str) -> String {
    format!(
        "{name} with its adapter, checkpoints and figures goes to the system's bin, from where it can be restored."
    )
}

/// A run that was cut off.
pub const INTERRUPTED: &str = "This run was interrupted";
/// What can be done.
pub const INTERRUPTED_RESUME: &str = "Resume goes on from its last checkpoint, bit for bit.";
/// What can be done.
pub const INTERRUPTED_RETRY: &str =
    "It had no checkpoint yet. Retry begins anew with the same config.";
/// A run that was paused.
pub const PAUSED: &str = "This run is paused. Resume goes on exactly where it was.";

/// What remains of what is shown in part.
pub fn more(number: usize) -> String {
    format!("and {} more", thousands(number as u64))
}
