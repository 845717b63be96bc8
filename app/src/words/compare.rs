//! The words of the Compare page.

use stepladder_protocol::ErrorReport;

use crate::state::compare::asking::{Missing, Ready, Unfit};
use crate::state::compare::found::Standing;
use crate::state::compare::stored::{EntryState, SavedAs};
use crate::state::compare::view::Tab;
use crate::text::{clock, count, rate, thousands};

mod findings;
mod methods;
mod questions;
mod setting_up;

pub use self::findings::*;
pub use self::methods::*;
pub use self::questions::*;
pub use self::setting_up::*;
/// The list of comparisons.
pub const LIST: &str = "Comparisons";
/// Sets up another.
pub const NEW: &str = "New comparison";
/// Before anything was compared.
pub const NONE_KEPT: &str = "Comparisons are kept here, also those that were stopped.";
/// The folder of comparisons cannot be read.
pub const LIST_FAILED: &str = "The folder of comparisons cannot be read";
/// While one is read.
pub const READING: &str = "Reading the comparison…";
/// Reads the list anew.
pub const REREAD: &str = "Read the folder again";
/// A comparison whose folder is not known yet.
pub const NO_NAME: &str = "New comparison";
/// Asks before it goes to the bin.
pub const DELETE: &str = "Delete comparison";
/// The dialog before deleting.
pub const DELETE_TITLE: &str = "Move this comparison to the bin?";
/// Does it.
pub const DELETE_DO: &str = "Move to bin";
/// Does not.
pub const KEEP: &str = "Cancel";
/// Stops it.
pub const STOP: &str = "Cancel";
/// What that means.
pub const STOP_HELP: &str = "Keeps the answers so far. It can go on later where it was.";
/// Ends the worker at once.
pub const END_NOW: &str = "End now";
/// What that means.
pub const END_NOW_HELP: &str = "Ends the process at once. Answers that were given are kept.";
/// Goes on.
pub const GO_ON: &str = "Continue";
/// What that means.
pub const GO_ON_HELP: &str = "Asks what is not answered yet. Answers that are there are kept.";
/// Shows the folder.
pub const SHOW: &str = "Show in folder";
/// Opens another page.
pub const PARTS: &str = "Show";
/// It was stopped for a run.
pub const MADE_WAY: &str = "Stopped for a run that needs the device's memory.";
/// It can go on.
pub const STOPPED: &str = "Stopped. The answers so far are kept.";
/// What it takes to go on.
pub const STOPPED_HELP: &str = "Continue asks what is not answered yet.";
/// Nobody wrote down what was asked.
pub const STOPPED_ELSEWHERE: &str =
    "It was begun on the command line: the same command, with --out and this folder, goes on.";
/// After a failure.
pub const FAILED_HELP: &str = "The answers so far are kept.";
/// Before the first answer.
pub const NO_ANSWERS: &str = "No answers yet";
/// How they come.
pub const NO_ANSWERS_TEXT: &str = "Figures and charts grow here as variants answer.";

/// A part of a comparison's page.
pub fn tab(tab: Tab) -> &'static str {
    match tab {
        Tab::Findings => "Findings",
        Tab::Questions => "Questions",
    }
}

/// How a comparison stands.
pub fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::Preparing => "Preparing",
        Standing::Training => "Training",
        Standing::Answering => "Answering",
        Standing::Stopping => "Stopping…",
        Standing::Stopped => "Stopped",
        Standing::Finished => "Finished",
        Standing::Failed(_) => "Failed",
    }
}

/// How a comparison on disk stands.
pub fn entry_state(state: EntryState) -> &'static str {
    match state {
        EntryState::Finished => "Finished",
        EntryState::Stopped => "Stopped",
        EntryState::Elsewhere => "Running elsewhere",
    }
}

/// A comparison of the list, for a screen reader.
pub fn entry(name: &str, state: &str, about: &str) -> String {
    format!("{name}, {state}, {about}")
}

/// Who is compared, in a line.
pub fn variants(number: usize) -> String {
    match number {
        0 => String::new(),
        number => count(number, "variant", "variants"),
    }
}

/// Comparisons that are not listed.
pub fn left_out(number: usize) -> String {
    format!("{} older are not listed.", thousands(number as u64))
}

/// Before a comparison goes to the bin.
pub fn delete_text(name: &str) -> String {
    format!("{name} goes to the system's bin with all its answers, from where it can be restored.")
}

/// What was asked, in a line.
pub fn about(model: &str, source: &str, questions: usize) -> String {
    let mut parts = vec![model.to_owned()];
    if !source.is_empty() {
        parts.push(source.to_owned());
    }
    if questions > 0 {
        parts.push(count(questions, "question", "questions"));
    }
    parts.join(" · ")
}

/// Questions that a run knows.
pub fn trained_on(number: usize) -> String {
    format!(
        "{} left out because one of the runs was trained on {}.",
        count(number, "question is", "questions are"),
        if number == 1 { "it" } else { "them" }
    )
}

/// Answers that were there before.
pub fn kept(number: usize) -> String {
    format!("{} from before.", count(number, "answer is", "answers are"))
}

/// How far a variant is.
pub fn done_of(done: usize, total: usize) -> String {
    format!("{} of {}", thousands(done as u64), thousands(total as u64))
}

/// A variant's progress bar, for a screen reader.
pub fn variant_progress(name: &str, done: usize, total: usize) -> String {
    format!("{name}: {}", done_of(done, total))
}

/// How fast a variant answers.
pub fn speed(tokens_per_second: f64) -> String {
    format!("{} tokens/s", rate(tokens_per_second))
}

/// How long it takes.
pub fn left(secs: f64) -> String {
    format!("{} left", clock(secs))
}

/// Which run is trained.
pub fn run_of(run: usize, runs: usize, name: &str) -> String {
    format!("Run {run} of {runs}: {name}")
}

/// How far it is.
pub fn step_of(step: usize, total: usize) -> String {
    match total {
        0 => format!("step {}", thousands(step as u64)),
        _ => format!("step {}", done_of(step, total)),
    }
}

/// A loss.
pub fn loss(loss: f64) -> String {
    format!("loss {loss:.3}")
}

/// A loss on held-out examples.
pub fn held_out(loss: f64) -> String {
    format!("held out {loss:.3}")
}

/// Saves a file.
pub fn save(kind: SavedAs) -> &'static str {
    match kind {
        SavedAs::Csv => "CSV…",
        SavedAs::Json => "JSON…",
        SavedAs::Html => "Report…",
        SavedAs::Png => "Charts…",
    }
}

/// What that is.
pub fn save_help(kind: SavedAs) -> &'static str {
    match kind {
        SavedAs::Csv => "Saves a table of all answers.",
        SavedAs::Json => "Saves the figures and all answers, for programs.",
        SavedAs::Html => "Saves the report: a page that needs nothing else.",
        SavedAs::Png => "Saves a picture of both charts.",
    }
}

/// The name that is proposed for it.
pub fn file_name(kind: SavedAs) -> String {
    let stem = match kind {
        SavedAs::Csv | SavedAs::Json => "comparison",
        SavedAs::Html => "report",
        SavedAs::Png => "charts",
    };
    format!("{stem}.{}", kind.ending())
}

/// It is there.
pub fn saved(path: &str) -> String {
    format!("Saved as {path}")
}

/// It is not.
pub fn not_saved(problem: &str) -> String {
    format!("The file cannot be saved: {problem}")
}

/// What was asked could not be written down.
pub fn not_remembered(problem: &str) -> String {
    format!("This comparison cannot be continued later from the window: {problem}")
}

/// A folder that is none.
pub fn no_comparison(path: &str) -> String {
    format!("{path} is no comparison.")
}

/// A comparison that is damaged.
pub fn unreadable(path: &str, problem: &str) -> String {
    format!("The comparison in {path} cannot be read: {problem}")
}

/// What to do about a problem of a comparison.
pub fn hint(problem: &ErrorReport) -> String {
    match problem.code.as_str() {
        "worker_died" => {
            "If memory ran out, compare fewer variants or lower the limit of tokens. Continue goes on where it was.".to_owned()
        }
        "adapter_for_another_base" => {
            "Choose the model that this run was trained on, or leave the run out.".to_owned()
        }
        "dataset_empty" => {
            "Choose other questions: a file with a question column, or messages.".to_owned()
        }
        "run_in_use" => "Another program is at this comparison: wait until it has ended.".to_owned(),
        code => super::hint(code, &problem.hint),
    }
}

/// The primary button.
///
/// # Errors
/// What is missing.
pub fn primary(ready: Result<Ready, Missing>) -> Result<String, &'static str> {
    let ready = ready.map_err(|missing| match missing {
        Missing::Run => "Choose a run",
        Missing::Questions => "Choose a file of questions",
        Missing::Field => "Check the marked fields",
        Missing::AnotherIsOn => "Another comparison is under way",
        Missing::NotNow => "After the run that trains",
    })?;
    let questions = ready.questions.map_or_else(
        || "all questions".to_owned(),
        |number| count(number, "question", "questions"),
    );
    Ok(match ready.trained {
        0 => format!(
            "Compare: {}, {questions}",
            count(ready.variants, "variant", "variants")
        ),
        runs => format!(
            "Train {}, then compare: {questions}",
            count(runs, "run", "runs")
        ),
    })
}

/// Why a run cannot be ticked.
pub fn unfit(unfit: Unfit) -> &'static str {
    match unfit {
        Unfit::OtherModel => "trained on another model",
        Unfit::IsOn => "still training",
        Unfit::NoAdapter => "has no adapter yet",
    }
}
