//! Every sentence and label of the window, in one file, a module for each screen: what a translation
//! replaces. Numbers are put into words by `text`.

use stepladder_protocol::{ErrorReport, Event};

use crate::state::{Page, Picker};

/// The program's name.
pub const PROGRAM: &str = "Stepladder";
/// What the filter of the dataset dialog is called.
pub const DATASETS: &str = "Datasets";
/// The disk's thread has ended, which is a defect.
pub const DISK_GONE: &str =
    "Nothing can be read or written any more: please start Stepladder again.";

/// A page's name.
pub fn page(page: Page) -> &'static str {
    match page {
        Page::FineTune => "Fine-tune",
        Page::Runs => "Runs",
        Page::Settings => "Settings",
    }
}

/// What a file dialog asks.
pub fn picker_title(picker: Picker) -> &'static str {
    match picker {
        Picker::ModelFolder => "Choose a model folder",
        Picker::ModelFile => "Choose a .gguf model",
        Picker::DataFiles => "Choose dataset files",
        Picker::DataFolder => "Choose a folder of dataset files",
        Picker::TemplateFile => "Choose a chat template",
        Picker::RunsFolder => "Choose where new runs go",
        Picker::ModelsFolder => "Choose a folder to search for models",
        Picker::ExportFolder => "Choose where the export goes",
    }
}

/// A dialog did not open.
pub fn dialog_failed(problem: &str) -> String {
    format!(
        "The file dialog cannot be opened ({problem}). Files can be dropped on the window instead."
    )
}

/// The system's file browser did not open.
pub fn show_failed(path: &str, problem: &str) -> String {
    format!("{path} cannot be shown in a file browser: {problem}")
}

/// There is no place for runs.
pub fn no_data_folder() -> Event {
    Event::Failed(ErrorReport::new(
        "no_data_folder",
        "this system names no data folder",
        "choose a folder for the runs under Settings",
    ))
}

/// What stands around every page.
pub mod shell {
    /// The chip before the first answer.
    pub const LOOKING_FOR_DEVICE: &str = "Looking for devices…";
    /// The chip when the worker cannot be asked.
    pub const NO_DEVICE: &str = "No device";
    /// Over the window while files are held above it.
    pub const DROP_HERE: &str = "Drop to use";
    /// What dropping does.
    pub const DROP_HELP: &str =
        "Datasets (JSONL, JSON, CSV, Parquet, text, folders) and models (a folder, a .gguf file)";
    /// Closes a notice.
    pub const DISMISS: &str = "Dismiss";
    /// The dialog before closing.
    pub const CLOSE_TITLE: &str = "A run is still training";
    /// What closing means.
    pub const CLOSE_TEXT: &str = "It can go on while the window is minimized, or be paused: everything is saved, the device is freed, and the run resumes exactly where it was.";
    /// Minimizes.
    pub const CLOSE_KEEP: &str = "Keep running";
    /// Pauses and closes.
    pub const CLOSE_PAUSE: &str = "Pause and close";
    /// Does neither.
    pub const CLOSE_STAY: &str = "Cancel";
    /// While the run is saved.
    pub const CLOSING: &str = "Saving the run…";

    /// Does not wait for it.
    pub const CLOSE_NOW: &str = "Close now";
    /// What that means.
    pub const CLOSE_NOW_HELP: &str =
        "If this takes too long: closed now, the run goes on from its last checkpoint.";

    /// What is said under the pointer, and the keys that do the same.
    pub fn with_keys(text: &str, keys: &str) -> String {
        format!("{text} ({keys})")
    }

    /// Memory on the chip: free of total.
    pub fn memory(free: &str, total: &str) -> String {
        format!("{free} free of {total}")
    }
}

/// The Runs page.
pub mod runs {
    use stepladder_protocol::{ErrorReport, ExportFormat, Method, Phase};

    use crate::state::runs::columns::{Figure, XAxis};
    use crate::state::runs::figures::{Smoothing, Summary};
    use crate::state::runs::live::{End, Note, Progress, Unit, What};
    use crate::state::runs::run::{Offer, Standing};
    use crate::state::runs::view::{Scale, Tab};
    use crate::text::{bytes, clock, count, loss, rate, thousands, visible};

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
    /// The folder cannot be read.
    pub const FOLDER_FAILED: &str = "The folder of runs cannot be read";
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
    /// In the head.
    pub const PHASE: &str = "Phase";
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
    /// A value that follows from model and method.
    pub const DEFAULT: &str = "default";
    /// Nothing was noted.
    pub const NO_LOG: &str = "Nothing was noted yet.";
    /// Copies the log.
    pub const COPY_LOG: &str = "Copy log";
    /// A card of the details.
    pub const CONFIG: &str = "Config";
    /// Copies it.
    pub const COPY_CONFIG: &str = "Copy as command";
    /// A card of the details.
    pub const DATASET: &str = "Dataset";
    /// It is not known.
    pub const NO_DATASET: &str = "This run left no account of its dataset.";
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
    pub const REST: &str = "activations, logits, workspace";
    /// The dialog.
    pub const EXPORT_TITLE: &str = "Export the adapter";
    /// A field.
    pub const EXPORT_FORMAT: &str = "Format";
    /// A field.
    pub const EXPORT_FOLDER: &str = "Folder";
    /// Opens a dialog.
    pub const EXPORT_PICK: &str = "Choose folder…";
    /// Nothing was chosen.
    pub const EXPORT_NO_FOLDER: &str = "Choose a folder first";
    /// Begins.
    pub const EXPORT_BEGIN: &str = "Export";
    /// While it is written.
    pub const EXPORTING: &str = "Exporting…";
    /// It is there.
    pub const EXPORTED: &str = "Exported";
    /// What to do with it.
    pub const EXPORT_USAGE: &str = "How to use it";
    /// Copies that.
    pub const COPY: &str = "Copy";
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
    /// The best of those that lie over each other.
    pub const BEST_OF_THESE: &str = "Lowest held-out loss of these runs";
    /// Shows where an export lies.
    pub const EXPORT_SHOW: &str = "Show export in folder";

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

    /// When a line was noted, counted from the first one.
    pub fn note_time(secs: f64) -> String {
        format!("{:>8}", clock(secs))
    }

    /// A part of a run's page.
    pub fn tab(tab: Tab) -> &'static str {
        match tab {
            Tab::Curves => "Curves",
            Tab::Log => "Log",
            Tab::Details => "Details",
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

    /// Runs that waited could not be kept.
    pub fn set_aside_failed(problem: &str) -> String {
        format!("The runs that were waiting could not be kept: {problem}")
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
        format!("of {} planned", bytes(planned))
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

    /// Its tick.
    pub fn tick(name: &str) -> String {
        format!("Compare {name}")
    }

    /// The sparkline of a run.
    pub fn sparkline(first: f32, last: f32) -> String {
        format!(
            "Loss from {} to {}",
            short(first.into()),
            short(last.into())
        )
    }

    /// Runs that are not in the list.
    pub fn left_out(runs: usize) -> String {
        format!("{} more, older than these", count(runs, "run", "runs"))
    }

    /// Folders that cannot be read.
    pub fn unreadable(runs: usize) -> String {
        format!("{} cannot be read", count(runs, "run", "runs"))
    }

    /// Lines of a file that are no rows.
    pub fn damaged(lines: usize) -> String {
        format!(
            "{} of metrics.jsonl could not be read and left out.",
            count(lines, "line", "lines")
        )
    }

    /// Runs over each other.
    pub fn comparing(runs: usize) -> String {
        format!("Comparing {}", count(runs, "run", "runs"))
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

    /// Which methods give a format.
    pub fn not_given(format: ExportFormat, method: Method) -> String {
        let methods: Vec<&str> = format
            .methods()
            .iter()
            .map(|method| method.title())
            .collect();
        format!(
            "{} gives no such adapter; {} do.",
            method.title(),
            methods.join(" and ")
        )
    }

    /// A format's name.
    pub fn format(format: ExportFormat) -> &'static str {
        match format {
            ExportFormat::Adapter => "Stepladder adapter",
            ExportFormat::Peft => "PEFT folder",
        }
    }

    /// Where an export goes.
    pub fn goes_to(path: &str) -> String {
        format!("Goes to {path}")
    }

    /// A config as it is run again.
    pub fn command(config_path: &str) -> String {
        format!(
            "stepladder train --config {}",
            crate::text::quoted(config_path)
        )
    }

    /// A field of a config: `batch_size` as `Batch size`.
    pub fn field(name: &str) -> String {
        let name = name
            .strip_prefix("data_options.")
            .unwrap_or(name)
            .replace('_', " ");
        let mut letters = name.chars();
        match letters.next() {
            Some(first) => first.to_uppercase().chain(letters).collect(),
            None => name,
        }
    }

    /// What a field is if nothing was asked for.
    pub fn default_of(field: &str) -> &'static str {
        match field {
            "threads" => "every core",
            "memory_bytes" => "what is free",
            "steps" => "by epochs",
            "context" => "by dataset and model",
            "learning_rate" | "clip_norm" | "recompute" => "the method's",
            "d_side" | "reduction_factor" | "taps" => "by model",
            "target_modules" => "all of a block",
            "evaluate_every" => "about ten times",
            "checkpoint_every" => "at each evaluation",
            "quantized_copy" => "none",
            "data_options.too_long" => "by format",
            _ => DEFAULT,
        }
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

    /// The heading of rows that were left out.
    pub const SKIPPED: &str = "Skipped rows";

    /// What remains of what is shown in part.
    pub fn more(number: usize) -> String {
        format!("and {} more", thousands(number as u64))
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
}
pub mod fine_tune;

/// The Settings page.
pub mod settings {
    use stepladder_protocol::ModelSource;

    /// The card of the window's looks.
    pub const APPEARANCE: &str = "Appearance";
    /// Its field.
    pub const THEME: &str = "Theme";
    /// Its help.
    pub const THEME_HELP: &str = "System follows what your desktop uses.";
    /// Choices.
    pub const THEMES: [&str; 3] = ["System", "Light", "Dark"];
    /// The card of computing.
    pub const COMPUTING: &str = "Computing";
    /// A field.
    pub const DEVICE: &str = "Device";
    /// Its help.
    pub const DEVICE_HELP: &str = "Auto takes the first device of this list that works.";
    /// The choice that leaves it to the program.
    pub const DEVICE_AUTO: &str = "Auto";
    /// A field.
    pub const THREADS: &str = "Threads";
    /// Its help.
    pub const THREADS_HELP: &str = "Used by runs that start from now on. Every core by default. A paused run resumes bit for bit with the same number.";
    /// The choice of every core.
    pub const THREADS_ALL: &str = "Every core";
    /// A field.
    pub const OFFLINE: &str = "Stay offline";
    /// Its help.
    pub const OFFLINE_HELP: &str = "Never go to the network. This version never does; the switch also holds for what later versions download.";
    /// The card of folders.
    pub const FOLDERS: &str = "Folders";
    /// A field.
    pub const RUNS_FOLDER: &str = "Runs";
    /// Its help.
    pub const RUNS_FOLDER_HELP: &str = "New runs go here, and the Runs page lists what lies here.";
    /// Opens a dialog.
    pub const CHANGE: &str = "Change…";
    /// Goes back to the default.
    pub const USUAL: &str = "Use default";
    /// Shows it in the file browser.
    pub const SHOW: &str = "Show in folder";
    /// A field.
    pub const MODELS_FOLDERS: &str = "More model folders";
    /// Its help.
    pub const MODELS_FOLDERS_HELP: &str =
        "Searched besides the Hugging Face cache, LM Studio and Ollama.";
    /// Adds one.
    pub const ADD_FOLDER: &str = "Add folder…";
    /// The card of models.
    pub const MODELS: &str = "Models on this machine";
    /// Looks again.
    pub const SEARCH: &str = "Look again";
    /// While it looks.
    pub const SEARCHING: &str = "Looking…";
    /// Takes a model to the Fine-tune page.
    pub const USE: &str = "Fine-tune";
    /// On a model that cannot be trained.
    pub const UNSUPPORTED: &str = "Not supported";

    /// Where a model was found.
    pub fn source(source: ModelSource) -> &'static str {
        match source {
            ModelSource::Builtin => "Built in",
            ModelSource::Stepladder => "Stepladder",
            ModelSource::Folder => "Your folder",
            ModelSource::HuggingFace => "Hugging Face cache",
            ModelSource::LmStudio => "LM Studio",
            ModelSource::Ollama => "Ollama",
        }
    }

    /// Takes a model to the Fine-tune page.
    pub fn use_model(name: &str) -> String {
        format!("Fine-tune {name}")
    }

    /// Moves a model of ours to the bin.
    pub fn delete_model(name: &str) -> String {
        format!("Move {name} to the bin")
    }

    /// Takes a folder off the list.
    pub fn forget(folder: &str) -> String {
        format!("Remove {folder} from the list")
    }
}
