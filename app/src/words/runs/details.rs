//! The words of a run's details, and of what differed between runs.

use crate::text::{count, thousands};

/// The page of runs over each other.
pub const COMPARING_HELP: &str =
    "Their curves lie over each other. Untick a run in the list to take it away.";
/// Takes them apart.
pub const TICK_NONE: &str = "Clear selection";
/// How to compare.
pub const TICK_HELP: &str = "Tick runs to compare them";
/// The table of differences.
pub const DIFFERENCES: &str = "What differed";
/// There are none.
pub const NO_DIFFERENCES: &str = "These runs were asked to do the same.";
/// A row of that table.
pub const RESULT_LOSS: &str = "Held-out loss";
/// A row of that table.
pub const RESULT_STEPS: &str = "Steps";
/// A row of that table.
pub const RESULT_TIME: &str = "Time taken";
/// A row of that table.
pub const RESULT_MEMORY: &str = "Peak memory";
/// A card of the details.
pub const CONFIG: &str = "Config";
/// Copies it.
pub const COPY_CONFIG: &str = "Copy as command";
/// A card of the details.
pub const DATASET: &str = "Dataset";
/// It is not known.
pub const NO_DATASET: &str = "This run left no account of its dataset.";
/// The heading of rows that were left out.
pub const SKIPPED: &str = "Skipped rows";
/// A card of the details.
pub const MEMORY_CARD: &str = "Memory";
/// It is not known.
pub const NO_MEMORY: &str = "The plan is held against measurements before the first step.";
/// A column.
pub const PLANNED: &str = "Planned";
/// A column.
pub const MEASURED: &str = "Measured";
/// The last row.
pub const TOTAL: &str = "Peak";
/// What is measured as one.
pub const REST: &str = "Activations, logits, workspace";
/// The best of those that lie over each other.
pub const BEST_OF_THESE: &str = "Lowest held-out loss of these runs";

/// Its tick.
pub fn tick(name: &str) -> String {
    format!("Compare {name}")
}

/// Runs over each other.
pub fn comparing(runs: usize) -> String {
    format!("Comparing {}", count(runs, "run", "runs"))
}

/// A config as it is run again.
pub fn command(config_path: &str) -> String {
    format!(
        "stepladder train --config {}",
        crate::text::quoted(config_path)
    )
}

/// A line of the account of a dataset.
pub fn account(rows: usize, examples: usize, skipped: usize) -> String {
    format!(
        "{}, {}, {} skipped",
        count(rows, "row", "rows"),
        count(examples, "example", "examples"),
        thousands(skipped as u64)
    )
}
