//! The words of the Fine-tune page.

use stepladder_protocol::{DataFormat, ErrorReport, ExportFormat, Method, TokenUse, Verdict};

use crate::state::setup::memory::{Saving, WayOut};
use crate::state::setup::ready::{Forecast, Missing, Ready};
use crate::text::{bytes, count, thousands, visible};

pub use self::field_words::{field_help, field_label, switch_help, switch_label, wrong};
pub use super::models::source;

mod field_words;

/// The card of the model.
pub const MODEL: &str = "Model";
/// The card of the dataset.
pub const DATASET: &str = "Dataset";
/// The card of the method.
pub const METHOD: &str = "Method";
/// The card of the memory.
pub const MEMORY: &str = "Memory";
/// What is on the right.
pub const PREVIEW: &str = "Preview";
/// How much of the page is shown.
pub const DETAIL: &str = "Detail";
/// Its choices.
pub const DETAILS: [&str; 2] = ["Simple", "Advanced"];
/// Puts every setting back.
pub const RESET: &str = "Reset settings";
/// Asks again what failed.
pub const TRY_AGAIN: &str = "Try again";

/// What to do about a problem, for whoever has no command line before them.
pub fn hint(problem: &ErrorReport) -> String {
    super::hint(&problem.code, &problem.hint)
}

// ---- model ------------------------------------------------------------------------------------

/// Opens the list of models.
pub const CHOOSE_MODEL: &str = "Choose a model";
/// While the engine looks at a model.
pub const LOOKING_AT_MODEL: &str = "Looking at the model…";
/// The search in the list.
pub const SEARCH_MODELS: &str = "Search models";
/// While models are searched for.
pub const SEARCHING: &str = "Looking for models on this machine…";
/// None has what is searched for.
pub const NO_MATCH: &str = "No model has that in its name.";
/// Opens a dialog.
pub const MODEL_FOLDER: &str = "Folder…";
/// Opens a dialog.
pub const MODEL_FILE: &str = ".gguf file…";
/// A path that is typed.
pub const MODEL_PATH: &str = "Path of a model";
/// Takes the path that was typed.
pub const USE_PATH: &str = "Use path";
/// What the built-in model is.
pub const BUILTIN_MODEL: &str = "Built-in model";
/// The list was cut short.
pub const MORE_MODELS: &str = "There are more; search for a name.";

/// The facts of a model: what each is called.
pub const FACTS: [&str; 6] = [
    "Architecture",
    "Parameters",
    "Context",
    "File format",
    "Weights",
    "License",
];

/// `1.24 B`, `570 M`, `360 K`.
pub fn parameters(number: u64) -> String {
    let amount = number as f64;
    match number {
        0..=99_999 => thousands(number),
        100_000..=999_999 => format!("{:.0} K", amount / 1e3),
        1_000_000..=999_999_999 => format!("{:.1} M", amount / 1e6),
        _ => format!("{:.2} B", amount / 1e9),
    }
}

/// A number of tokens.
pub fn tokens(number: usize) -> String {
    count(number, "token", "tokens")
}

/// What was named is a dataset.
pub fn no_model() -> ErrorReport {
    ErrorReport::new(
        "not_a_model",
        "this is a dataset, not a model",
        "choose a folder with a config.json, or a .gguf file",
    )
}

// ---- dataset ----------------------------------------------------------------------------------

/// Adds files.
pub const ADD_FILES: &str = "Add files…";
/// What it does.
pub const ADD_FILES_HELP: &str = "Adds files to the dataset.";
/// Adds a folder.
pub const ADD_FOLDER: &str = "Add folder…";
/// Takes the sample dataset.
pub const SAMPLE: &str = "Use sample";
/// What the sample is called.
pub const SAMPLE_NAME: &str = "Sample dataset";
/// While there is none.
pub const NO_DATA: &str = "Drop files or a folder anywhere on the window, or add them here.";
/// The way rows are written.
pub const FORMAT: &str = "Format";
/// Its help.
pub const FORMAT_HELP: &str = "How rows are written. Recognized automatically by default.";
/// The fields and their columns.
pub const COLUMNS: &str = "Columns";
/// What to do with them.
pub const COLUMNS_HELP: &str = "Which column of your files each field is read from.";
/// Choose the format first.
pub const COLUMNS_FIRST: &str =
    "The format is not recognized. Choose one above, then say which column holds what.";
/// No column.
pub const NO_COLUMN: &str = "Not used";
/// The column that is recognized by itself.
pub const COLUMN_RECOGNIZED: &str = "As recognized";
/// No column, and one is needed.
pub const COLUMN_MISSING: &str = "Choose a column";
/// Shows the columns.
pub const SHOW_COLUMNS: &str = "Change columns";
/// Hides them.
pub const HIDE_COLUMNS: &str = "Hide columns";
/// The chat template.
pub const TEMPLATE: &str = "Chat template";
/// Its help.
pub const TEMPLATE_HELP: &str = "How a conversation becomes text. The model's own by default.";
/// The model's own.
pub const TEMPLATE_AUTO: &str = "The model's own";
/// One from a file.
pub const TEMPLATE_FILE: &str = "From a file…";
/// What the loss is taken over.
pub const LOSS_ON: &str = "Train on";
/// Its help.
pub const LOSS_ON_HELP: &str = "Which tokens are learned. The assistant's responses by default.";
/// Its choices.
pub const LOSS_ONS: [&str; 3] = ["Responses", "Everything", "Last response"];
/// What becomes of think blocks.
pub const TRACES: &str = "Think blocks";
/// Its help.
pub const TRACES_HELP: &str = "What becomes of reasoning before an answer. Kept by default.";
/// Its choices.
pub const TRACE_CHOICES: [&str; 3] = ["Keep", "Leave out", "Insert empty ones"];
/// What becomes of long examples.
pub const TOO_LONG: &str = "Longer than the context";
/// Its help.
pub const TOO_LONG_HELP: &str =
    "What becomes of such examples. By default text is split and everything else loses its end.";
/// Its choices, the default first.
pub const TOO_LONGS: [&str; 5] = [
    "Default",
    "Cut the end",
    "Cut the beginning",
    "Leave out",
    "Split",
];
/// Stops the reading.
pub const CANCEL: &str = "Cancel";
/// Reads on.
pub const READ_AGAIN: &str = "Read again";
/// The reading was stopped.
pub const CANCELED: &str = "Reading was canceled, so the counts below are not complete.";
/// Takes a notice away.
pub const DISMISS: &str = "Dismiss";
/// Before the first rows are read.
pub const READING: &str = "Reading the dataset…";
/// Rows that were left out.
pub const SKIPPED: &str = "Left out";

/// A format's name.
pub fn format(format: DataFormat) -> &'static str {
    match format {
        DataFormat::Auto => "Automatic",
        DataFormat::Messages => "Messages",
        DataFormat::Sharegpt => "ShareGPT",
        DataFormat::Alpaca => "Alpaca",
        DataFormat::PromptCompletion => "Prompt, completion",
        DataFormat::QuestionAnswer => "Question, answer",
        DataFormat::Preference => "Preference",
        DataFormat::Text => "Text",
    }
}

/// Takes a file off the list.
pub fn remove(name: &str) -> String {
    format!("Remove {name}")
}

/// A field that need not have a column.
pub fn optional(field: &str) -> String {
    format!("{field} (optional)")
}

/// How sure a format is.
pub fn sure(confidence: f32) -> String {
    format!("{:.0} % sure", confidence * 100.0)
}

/// Rows so far.
pub fn reading(rows: usize, rate: f64, left: Option<f64>) -> String {
    let left = left.map_or_else(String::new, |secs| {
        format!(", {} left", crate::text::clock(secs))
    });
    let rate = bytes(rate.max(0.0) as u64);
    format!("{}, {rate}/s{left}", count(rows, "row", "rows"))
}

/// Two models were dropped.
pub fn second_model(name: &str) -> String {
    format!("{name}: one model is taken, the first.")
}

/// Something else was dropped.
pub fn unknown_kind(name: &str) -> String {
    format!("{name} is neither a model nor a dataset that can be read.")
}

/// Nothing is there.
pub fn nothing_there(name: &str) -> String {
    format!("{name} cannot be found.")
}

/// `3 rows are left out`
pub fn skipped(rows: usize) -> String {
    count(rows, "row is left out", "rows are left out")
}

/// `12 files`
pub fn files(number: usize) -> String {
    count(number, "file", "files")
}

/// How many more there are.
pub fn more(number: usize) -> String {
    format!("and {} more", thousands(number as u64))
}

// ---- method -----------------------------------------------------------------------------------

/// What a method is good for.
pub fn method_help(method: Method) -> &'static str {
    match method {
        Method::Ladder => {
            "A small network beside the model, which is only run forward. Little memory, fast."
        }
        Method::Xladder => {
            "A deeper network fed by the model's top layers. Little memory, more reasoning."
        }
        Method::Qlora => {
            "Low-rank additions beside a model in four bits. The usual choice where a card is small."
        }
        Method::Lora => {
            "Low-rank additions beside the model as it is stored. Most memory, no rounding of the model."
        }
    }
}

/// What a method's adapter can be exported as.
pub fn exports(method: Method) -> String {
    let formats = ExportFormat::ALL
        .into_iter()
        .filter(|format| format.is_given_by(method));
    let names: Vec<&str> = formats
        .map(|format| match format {
            ExportFormat::Adapter => "Stepladder adapter (transformers loader)",
            ExportFormat::Peft => "PEFT (LoRA folder)",
        })
        .collect();
    format!("Exports: {}", names.join(", "))
}

/// Groups of settings.
pub const GROUP_TRAINING: &str = "Training";
/// Of side networks.
pub const GROUP_SIDE: &str = "Side network";
/// Of LoRA.
pub const GROUP_LORA: &str = "LoRA";
/// Of weights.
pub const GROUP_QUANTIZATION: &str = "Quantization";
/// Of memory.
pub const GROUP_MEMORY: &str = "Memory";
/// Of evaluations.
pub const GROUP_EVALUATION: &str = "Evaluation and checkpoints";

/// How moments are kept.
pub const OPTIMIZER: &str = "Optimizer";
/// Its help.
pub const OPTIMIZER_HELP: &str =
    "AdamW by default; in 8 bits its state takes a quarter of the memory.";
/// Its choices.
pub const OPTIMIZERS: [&str; 2] = ["AdamW", "AdamW, 8 bits"];
/// How taps become narrow.
pub const DOWNSAMPLE: &str = "Downsample";
/// Its help.
pub const DOWNSAMPLE_HELP: &str =
    "How a layer's output is made narrow. One linear map per tap by default.";
/// Its choices.
pub const DOWNSAMPLES: [&str; 3] = ["Linear", "Shared", "Adapter"];
/// How taps join.
pub const INJECT: &str = "Injection";
/// Its help.
pub const INJECT_HELP: &str =
    "How it joins the side network. Added by default; a gate weighs both.";
/// Its choices.
pub const INJECTS: [&str; 2] = ["Sum", "Gate"];
/// How the model is kept.
pub const QUANTIZE: &str = "Model weights";
/// Its help.
pub const QUANTIZE_HELP: &str =
    "Auto, the default, keeps small models as stored and large ones in four bits (NF4).";
/// Its choices.
pub const QUANTIZES: [&str; 3] = ["Auto", "Four bits", "As stored"];
/// QLoRA without.
pub const QUANTIZE_PROBLEM: &str =
    "QLoRA means four bits: choose Auto or Four bits, or LoRA as the method.";
/// What is computed again.
pub const RECOMPUTE: &str = "Recompute activations";
/// Its help.
pub const RECOMPUTE_HELP: &str =
    "Saves memory and costs time. Off for side networks, on for LoRA by default.";
/// Its choices.
pub const RECOMPUTES: [&str; 3] = ["Default", "On", "Off"];
/// The type of taps.
pub const TAP_DTYPE: &str = "Taps kept as";
/// Its help.
pub const TAP_DTYPE_HELP: &str =
    "Type of the taps, or of recomputed blocks' inputs. 32 bits by default.";
/// Its choices.
pub const TAP_DTYPES: [&str; 3] = ["f32", "bf16", "f16"];
/// On.
pub const ON: &str = "On";
/// Off.
pub const OFF: &str = "Off";

// ---- memory -----------------------------------------------------------------------------------

/// While the plan is made.
pub const PLANNING: &str = "Planning the memory…";
/// Without a model there is no plan.
pub const NO_PLAN: &str = "The plan follows once a model can be read.";
/// Other programs' part of a bar.
pub const OTHER_PROGRAMS: &str = "Other programs";
/// The ways out.
pub const WAYS_OUT: &str = "What would fit";
/// Nothing makes it fit.
pub const NO_WAY_OUT: &str =
    "No setting makes this method fit here. Choose another method or a smaller model.";
/// The breakdown.
pub const BREAKDOWN: &str = "At the peak";
/// What a card takes for itself is not measured.
pub const ASSUMED: &str = "What the card takes for itself is assumed, not measured yet.";

/// A part of the memory.
pub fn part(name: &str) -> &str {
    match name {
        "weights" => "Weights",
        "adapter" => "Adapter",
        "gradients" => "Gradients",
        "optimizer" => "Optimizer",
        "activations" => "Activations",
        "logits" => "Logits",
        "workspace" => "Workspace",
        other => other,
    }
}

/// Whether it fits.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fits => "fits",
        Verdict::Tight => "tight",
        Verdict::DoesNotFit => "does not fit",
    }
}

/// What the bars are held against.
pub fn device_memory(device: &str, memory: u64, others: u64) -> String {
    let what = if device == "cpu" {
        "of RAM free"
    } else {
        "on the card"
    };
    let others = match others {
        0 => String::new(),
        others => format!(", {} of it for other programs", bytes(others)),
    };
    format!("{} {what}{others}", bytes(memory))
}

/// What is planned for.
pub fn planned_for(batch: usize, tokens: usize) -> String {
    format!(
        "Planned for {} × {}, the longest batch of this dataset.",
        thousands(batch as u64),
        self::tokens(tokens)
    )
}

/// A bar as a choice, for a screen reader: what is chosen, and what it would take.
pub fn bar_choice(method: Method, total: u64, verdict_word: &str) -> String {
    let facts = [method.title(), &bytes(total), verdict_word];
    let facts: Vec<&str> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    format!("{MEMORY}: {}", facts.join(", "))
}

/// A bar in words, for a screen reader.
pub fn bar(method: Method, total: u64, verdict_word: &str) -> String {
    format!("{}: {}, {verdict_word}", method.title(), bytes(total))
}

/// How far a method could go.
pub fn reach(context: Option<usize>, batch: Option<usize>) -> String {
    let context = context.map(|context| format!("up to {}", tokens(context)));
    let batch = batch.map(|batch| format!("batch up to {}", thousands(batch as u64)));
    [context, batch]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" · ")
}

/// A saving in words.
fn saving(saving: Saving) -> &'static str {
    match saving {
        Saving::OneRow => "batch size 1",
        Saving::Recompute => "recompute activations",
        Saving::RecomputeTaps => "recompute taps",
        Saving::NarrowTaps => "taps in bf16",
        Saving::NoAnswers => "no answers shown",
        Saving::NarrowMoments => "optimizer in 8 bits",
        Saving::OffloadEmbeddings => "embeddings in RAM",
        Saving::OffloadActivations => "taps in RAM",
        Saving::QuantizeHead => "head in four bits",
        Saving::QuantizeModel => "model in four bits",
    }
}

/// A way out, as a button says it.
pub fn way_out(way: &WayOut) -> String {
    match way {
        WayOut::Batch(batch) => format!("Batch size {} fits", thousands(*batch as u64)),
        WayOut::Context(context) => format!("{} fit", tokens(*context)),
        WayOut::Method(method, total) => format!("{} fits: {}", method.title(), bytes(*total)),
        WayOut::Savings(savings, total) => {
            let names: Vec<&str> = savings.iter().map(|one| saving(*one)).collect();
            let text = names.join(" + ");
            let mut letters = text.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string());
            let (first, rest) = (first.unwrap_or_default(), letters.as_str());
            format!("{first}{rest}: {}", bytes(*total))
        }
    }
}

// ---- preview ----------------------------------------------------------------------------------

/// What training does with a stretch of text.
pub fn token_use(used: TokenUse) -> &'static str {
    match used {
        TokenUse::Trained => "Trained",
        TokenUse::Context => "Context only",
        TokenUse::CutOff => "Cut off",
    }
}

/// Some of several.
pub fn of(some: usize, all: usize) -> String {
    format!("{} of {}", thousands(some as u64), thousands(all as u64))
}

/// Nothing to show yet.
pub const NO_PREVIEW: &str = "No examples yet";
/// How they come.
pub const NO_PREVIEW_HELP: &str = "Each example appears here as the model will see it.";
/// Everything was read, and nothing of it can be used.
pub const NO_EXAMPLES: &str = "Nothing to train on";
/// Where it is told why.
pub const NO_EXAMPLES_HELP: &str =
    "No row of these files can be used; the dataset card says why, row by row.";
/// Nothing at that row.
pub const NO_ROWS: &str = "There are no rows here.";
/// Goes back.
pub const PREVIOUS: &str = "Previous example";
/// Goes on.
pub const NEXT: &str = "Next example";
/// What stands in that field before a number.
pub const ROW: &str = "Row…";
/// Goes to a row.
pub const GO_TO_ROW: &str = "Go to row";
/// Lengths.
pub const LENGTHS: &str = "Length in tokens";
/// Counts.
pub const COUNTS: &str = "Rows";
/// What is shown is not what would be trained.
pub const OUTDATED: &str = "This was before the latest changes.";
/// The counts are not final.
pub const SO_FAR: &str = "So far; the rest is still to be read.";
/// The model cannot be read, so rows are as they are written.
pub const WITHOUT_MODEL: &str = "Shown as written; with a model, as it will see it.";

/// `Row 3 of 570`
pub fn row_of(row: usize, rows: Option<usize>) -> String {
    let row = thousands(row as u64);
    match rows {
        Some(rows) => format!("Row {row} of {}", thousands(rows as u64)),
        None => format!("Row {row}"),
    }
}

/// `96 tokens, 40 trained, 12 cut off`
pub fn token_counts(all: usize, trained: usize, cut_off: usize) -> String {
    let mut text = format!("{}, {} trained", tokens(all), thousands(trained as u64));
    if cut_off > 0 {
        text.push_str(&format!(", {} cut off", thousands(cut_off as u64)));
    }
    text
}

/// What is not drawn of a long example.
pub fn left_out(characters: usize) -> String {
    format!(
        "… and {} not shown",
        count(characters, "character", "characters")
    )
}

/// The histogram in words, for a screen reader.
pub fn histogram(shortest: usize, median: usize, longest: usize, context: usize) -> String {
    format!(
        "Lengths from {} to {} tokens, median {}; the context is {}",
        thousands(shortest as u64),
        thousands(longest as u64),
        thousands(median as u64),
        thousands(context as u64),
    )
}

/// Where the context ends.
pub fn context_line(context: usize) -> String {
    format!("context {}", thousands(context as u64))
}

/// A bar of it, under the pointer.
pub fn range(from: usize, to: usize, examples: usize) -> String {
    format!(
        "{} to {}: {}",
        thousands(from as u64),
        tokens(to),
        count(examples, "example", "examples")
    )
}

/// Names of the percentiles.
pub const PERCENTILES: [&str; 6] = ["Shortest", "Median", "90 %", "95 %", "99 %", "Longest"];
/// Names of the counts.
pub const COUNT_NAMES: [&str; 10] = [
    "Rows",
    "Examples",
    "Held out",
    "Left out",
    "Duplicates",
    "Tokens",
    "Trained tokens",
    "Cut",
    "Split",
    "Think blocks",
];

/// Held out, and what of that repeats.
pub fn near_duplicates(number: usize, first: Option<&(String, String)>) -> String {
    let first = first.map_or_else(String::new, |(one, other)| {
        format!(" (first {}, like {})", visible(one), visible(other))
    });
    let repeat = count(
        number,
        "held-out example nearly repeats",
        "held-out examples nearly repeat",
    );
    format!("{repeat} one that is trained on{first}: the evaluation will look better than it is.")
}

// ---- the primary button -----------------------------------------------------------------------

/// What pressing it does.
pub const START_HELP: &str = "Begins the run and shows it on the Runs page.";

/// What the button says; `Err` is what is missing.
pub fn primary(ready: &Ready, waits: Waits) -> Result<String, String> {
    match ready {
        Ready::Missing(missing) => Err(self::missing(missing)),
        Ready::Go(forecast) => Ok(will_happen(forecast, waits)),
    }
}

/// Whether a run begins at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// It does.
    No,
    /// It waits for the one that trains.
    ForAnother,
}

fn missing(missing: &Missing) -> String {
    match missing {
        Missing::Model => "Choose a model",
        Missing::LookingAtModel => LOOKING_AT_MODEL,
        Missing::UsableModel => "Choose a model that can be trained",
        Missing::Dataset => "Choose a dataset",
        Missing::ReadingDataset => READING,
        Missing::WholeDataset => "Read the whole dataset first",
        Missing::UsableDataset => "Choose a dataset that can be read",
        Missing::Examples => "No row of the dataset can be trained on",
        Missing::Quantize => "QLoRA needs the model in four bits",
        Missing::Field(field, problem) => {
            return format!("{} {}", field_label(*field), self::wrong(problem));
        }
    }
    .to_owned()
}

fn will_happen(forecast: &Forecast, waits: Waits) -> String {
    let what = match (forecast.verdict, waits) {
        (Some(Verdict::DoesNotFit), Waits::No) => "Try it",
        (_, Waits::No) => "Fine-tune",
        (_, Waits::ForAnother) => "Queue",
    };
    let time = forecast
        .secs
        .map(|secs| format!("about {}", duration(secs)));
    let memory = forecast.bytes.map(|total| match forecast.verdict {
        Some(Verdict::DoesNotFit) => format!("needs {}, the rehearsal decides", bytes(total)),
        _ => bytes(total),
    });
    let facts: Vec<String> = [time, memory].into_iter().flatten().collect();
    match facts.is_empty() {
        true => what.to_owned(),
        false => format!("{what}: {}", facts.join(", ")),
    }
}

/// A length of time as one says it: `40 seconds`, `14 minutes`, `2.5 hours`, `3 days`.
pub fn duration(secs: f64) -> String {
    let (minutes, hours) = (secs / 60.0, secs / 3600.0);
    if secs < 10.0 {
        "10 seconds".to_owned()
    } else if secs < 55.0 {
        format!("{} seconds", (secs / 10.0).ceil() as u64 * 10)
    } else if minutes < 59.5 {
        count(minutes.round().max(1.0) as usize, "minute", "minutes")
    } else if hours < 9.95 {
        let text = format!("{hours:.1}");
        let text = text.strip_suffix(".0").unwrap_or(&text);
        format!("{text} {}", if text == "1" { "hour" } else { "hours" })
    } else if hours < 48.0 {
        format!("{hours:.0} hours")
    } else {
        format!("{} days", thousands((hours / 24.0).round() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::setup::field::Field;
    use crate::state::setup::wrong::Wrong;

    fn go(secs: Option<f64>, total: Option<u64>, verdict: Option<Verdict>) -> Ready {
        Ready::Go(Forecast {
            steps: 100,
            secs,
            bytes: total,
            verdict,
        })
    }

    #[test]
    fn the_button_says_what_will_happen() {
        let gib = (59 << 30) / 10;
        for (ready, waits, expected) in [
            (go(None, None, None), Waits::No, "Fine-tune"),
            (
                go(Some(840.0), Some(gib), Some(Verdict::Fits)),
                Waits::No,
                "Fine-tune: about 14 minutes, 5.90 GiB",
            ),
            (go(None, Some(gib), None), Waits::No, "Fine-tune: 5.90 GiB"),
            (
                go(Some(840.0), Some(gib), Some(Verdict::DoesNotFit)),
                Waits::No,
                "Try it: about 14 minutes, needs 5.90 GiB, the rehearsal decides",
            ),
            (
                go(Some(7200.0), Some(gib), Some(Verdict::Tight)),
                Waits::ForAnother,
                "Queue: about 2 hours, 5.90 GiB",
            ),
        ] {
            assert_eq!(primary(&ready, waits), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn the_button_says_what_is_missing() {
        for (missing, expected) in [
            (Missing::Model, "Choose a model"),
            (Missing::Dataset, "Choose a dataset"),
            (Missing::ReadingDataset, "Reading the dataset…"),
            (
                Missing::Field(Field::Context, Wrong::NotWhole),
                "Context must be a whole number",
            ),
            (
                Missing::Field(Field::Context, Wrong::MoreThanModel(512)),
                "Context must be at most 512 for this model",
            ),
        ] {
            let said = primary(&Ready::Missing(missing), Waits::No);
            assert_eq!(said, Err(expected.to_owned()));
        }
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        for (secs, expected) in [
            (0.0, "10 seconds"),
            (33.0, "40 seconds"),
            (56.0, "1 minute"),
            (61.0, "1 minute"),
            (59.0 * 60.0, "59 minutes"),
            (3599.0, "1 hour"),
            (5400.0, "1.5 hours"),
            (36_000.0, "10 hours"),
            (200_000.0, "2 days"),
            (1e12, "11,574,074 days"),
        ] {
            assert_eq!(duration(secs), expected, "{secs}");
        }
        assert_eq!(parameters(1_235_814_400), "1.24 B");
        assert_eq!(parameters(1_400_000), "1.4 M");
        assert_eq!(parameters(360_400), "360 K");
    }
}
