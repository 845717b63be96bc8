//! `stepladder inspect`: what a model or a dataset holds.

use std::io::Write;

use clap::Args;
use stepladder_protocol::{
    Command, DataOptions, Event, Finished, InspectCommand, JobId, ReadingProgress,
};

use super::common::{CommonOptions, at_least_one};
use super::data_flags::DataFlags;
use super::failure::{Failure, Outcome};
use super::terminal::{Style, Terminal};
use super::train_options::absolute;
use super::{dataset_view, inspect_view, json_output, one_job};

/// Flags of `inspect`.
#[derive(Args, Debug)]
pub struct InspectOptions {
    /// A model (`builtin`, a folder, a .gguf file) or a dataset (a file, a folder of them); with --model
    /// or --show, `builtin` is the built-in dataset
    #[arg(value_name = "MODEL|DATA")]
    target: String,
    /// Show a dataset as this model will see it
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Examples of a dataset to show [default: 3]
    #[arg(long, value_name = "N")]
    show: Option<usize>,
    /// The row to show first [default: 1]
    #[arg(long, value_name = "ROW", value_parser = at_least_one)]
    from: Option<usize>,
    /// Tokens per training sequence [default: what a run with this model would take]
    #[arg(long, value_name = "N", value_parser = at_least_one, requires = "model")]
    context: Option<usize>,
    /// Hash the model's weight files (SHA-256), which reads them whole
    #[arg(long, conflicts_with_all = [
        "model", "show", "from", "format", "map", "template", "loss_on", "traces", "loss_on_traces", "too_long",
    ])]
    hash: bool,
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    common: CommonOptions,
}

/// Inspects.
pub fn run(options: &InspectOptions) -> Result<Outcome, Failure> {
    let worker = options.common.start_own_worker()?;
    let mut data_options = DataOptions::default();
    options.data.override_in(&mut data_options)?;
    let command = Command::Inspect(InspectCommand {
        job: JobId::new("inspect"),
        target: absolute(options.target.clone()),
        more: Vec::new(),
        model: options.model.clone().map(absolute),
        show: options.show,
        from: options.from,
        context: options.context,
        data_options: options.data.is_given().then_some(data_options),
        held_out_fraction: None,
        hash: options.hash,
    });
    let terminal = Terminal::stderr();
    let style = Style::of(&std::io::stdout());
    let json = options.common.json;
    let mut failed = Ok(());
    let found = one_job::ask_watching(&worker, &command, &mut |event| match event {
        Event::Preview(preview) if !json => {
            failed = write(&dataset_view::first_look(preview, style));
        }
        Event::Reading(progress) => terminal.status(&reading(progress)),
        _ => {}
    });
    terminal.clear_status();
    failed?;
    let found = found?;
    if json {
        json_output::write_line(&found)?;
        return Ok(Outcome::Done);
    }
    match &found {
        Finished::Model(model) => write(&inspect_view::model(model, style))?,
        Finished::Dataset(preview) => write(&dataset_view::account(preview, style))?,
        _ => return Err(one_job::unanswered()),
    }
    Ok(Outcome::Done)
}

fn write(text: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// How far the reading of a dataset has come, in a line.
pub fn reading(progress: &ReadingProgress) -> String {
    use crate::text::{bytes, clock, count};
    let left = progress.bytes_total.saturating_sub(progress.bytes_read);
    let left_secs = left as f64 / progress.bytes_per_second.max(1.0);
    format!(
        "reading · {} · {} of {} · {}/s · {} left",
        count(progress.rows, "row", "rows"),
        bytes(progress.bytes_read),
        bytes(progress.bytes_total),
        bytes(progress.bytes_per_second as u64),
        clock(left_secs),
    )
}
