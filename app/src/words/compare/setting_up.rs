//! The words with which a comparison is set up.

/// What it does.
pub const TEXT: &str = "The base model and its adapters answer the same questions. You see how long each reasons, how often it is right, and every answer side by side.";
/// Which runs.
pub const WAY: &str = "Compare";
/// Choices.
pub const WAYS: [&str; 2] = ["Runs I have", "Methods, trained alike"];
/// What the second does.
pub const MATCHED_HELP: &str = "Train Ladder, xLadder and QLoRA alike, then compare: the same data, steps and number of parameters, over several seeds.";
/// The card of the model.
pub const MODEL: &str = "Model";
/// The card of runs.
pub const RUNS: &str = "Runs";
/// Its help.
pub const RUNS_HELP: &str = "The base model answers first; each ticked run answers beside it.";
/// There are none.
pub const NO_RUNS: &str =
    "No finished run of this model yet. Train one on the Fine-tune page, or choose another model.";
/// The card of what is trained.
pub const TRAINING: &str = "Training";
/// The card of questions.
pub const QUESTIONS: &str = "Questions";
/// Choices.
pub const QUESTION_CHOICES: [&str; 3] = ["Built-in", "Held out", "From a file"];
/// What each is.
pub const QUESTION_HELP: [&str; 3] = [
    "200 arithmetic word problems with reference answers, inside the program.",
    "What the first run did not train on.",
    "A file with questions, and reference answers if you have them. Drop it here or choose it.",
];
/// The built-in model has questions of its own.
pub const NO_HELD_OUT: &str = "The built-in model is asked its own questions or a file.";
/// Opens a dialog.
pub const CHOOSE_FILE: &str = "Choose file…";
/// No file was chosen.
pub const NO_FILE: &str = "No file yet";
/// A field.
pub const LIMIT: &str = "Number of questions";
/// Its help.
pub const LIMIT_HELP: &str = "Asks the first ones only. All by default.";
/// What is there while it is empty.
pub const LIMIT_EMPTY: &str = "all";
/// A field.
pub const BASELINE: &str = "Baseline";
/// Its help.
pub const BASELINE_HELP: &str = "What the others are held against. The base model by default.";
/// A choice.
pub const BASE: &str = "Base model";
/// A field.
pub const SEED: &str = "Seed";
/// Its help.
pub const SEED_HELP: &str = "The same seed gives the same report. 42 by default.";
/// What is there while it is empty.
pub const SEED_EMPTY: &str = "42";
/// A field.
pub const MOST_TOKENS: &str = "Token limit";
/// Its help.
pub const MOST_TOKENS_HELP: &str = "Replies are cut off here and counted apart. 2,048 by default.";
/// What is there while it is empty.
pub const MOST_TOKENS_EMPTY: &str = "2,048";
/// The card of settings.
pub const SETTINGS: &str = "Answers";
/// The fold.
pub const SAMPLER: &str = "How answers are drawn";
/// A field.
pub const DATA: &str = "Dataset";
/// Its help.
pub const DATA_HELP: &str = "What all of them are trained on. The built-in one by default.";
/// A choice.
pub const BUILTIN_DATA: &str = "Built-in dataset";
/// A field.
pub const SEEDS: &str = "Seeds";
/// Its help.
pub const SEEDS_HELP: &str = "Runs of each method. 3 by default.";
/// What is there while it is empty.
pub const SEEDS_EMPTY: &str = "3";
/// A field.
pub const STEPS: &str = "Steps";
/// Its help.
pub const STEPS_HELP: &str = "Of each run. Three passes over the data by default.";
/// What is there while it is empty.
pub const STEPS_EMPTY: &str = "three passes";
/// A field.
pub const QUICK: &str = "Quick";
/// Its help.
pub const QUICK_HELP: &str = "A third of the steps, and 100 questions. Off by default.";
/// What can be done while a run needs the device.
pub const NOT_NOW_HELP: &str =
    "Compare after this run, or pause it: it resumes exactly where it was.";
/// Both share the processor.
pub const SLOWER: &str =
    "A run is training on the same processor: it and the comparison are both slower.";
/// Over the window while files are held above it.
pub const DROP_HELP: &str = "A file or folder of questions, with reference answers or without";

/// Takes a run in, or out.
pub fn tick(name: &str) -> String {
    format!("Compare {name}")
}

/// A run that cannot be taken in.
pub fn cannot_tick(name: &str, reason: &str) -> String {
    format!("{name}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_one_line_that_names_its_default() {
        for help in [
            LIMIT_HELP,
            BASELINE_HELP,
            SEED_HELP,
            MOST_TOKENS_HELP,
            DATA_HELP,
            SEEDS_HELP,
            STEPS_HELP,
            QUICK_HELP,
        ] {
            assert!(help.contains("by default"), "{help}");
            assert!(help.len() <= 110, "{help} takes two lines");
        }
    }
}
