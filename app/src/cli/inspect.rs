//! `stepladder inspect`: what a model or a dataset holds.

use std::io::Write;

use clap::Args;
use stepladder_protocol::{Command, Finished, InspectCommand, JobId};

use super::common::CommonOptions;
use super::failure::{Failure, Outcome};
use super::terminal::Style;
use super::train_options::absolute;
use super::{inspect_view, json_output, one_job};

/// Flags of `inspect`.
#[derive(Args, Debug)]
pub struct InspectOptions {
    /// A model (`builtin`, a folder, a .gguf file) or a dataset file; with --model or --show, `builtin` is the
    /// built-in dataset
    #[arg(value_name = "MODEL|DATA")]
    target: String,
    /// Show a dataset as this model will see it
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Examples of a dataset to show [default: 3]
    #[arg(long, value_name = "N")]
    show: Option<usize>,
    /// Hash the model's weight files (SHA-256), which reads them whole
    #[arg(long, conflicts_with_all = ["model", "show"])]
    hash: bool,
    #[command(flatten)]
    common: CommonOptions,
}

/// Inspects.
pub fn run(options: &InspectOptions) -> Result<Outcome, Failure> {
    let worker = options.common.start_worker()?;
    let command = Command::Inspect(InspectCommand {
        job: JobId::new("inspect"),
        target: absolute(options.target.clone()),
        model: options.model.clone().map(absolute),
        show: options.show,
        hash: options.hash,
    });
    let found = one_job::ask(&worker, &command)?;
    if options.common.json {
        json_output::write_line(&found)?;
        return Ok(Outcome::Done);
    }
    let mut output = std::io::stdout().lock();
    let style = Style::of(&output);
    let text = match &found {
        Finished::Model(model) => inspect_view::model(model, style),
        Finished::Dataset(preview) => inspect_view::dataset(preview, style),
        _ => return Err(one_job::unanswered()),
    };
    output.write_all(text.as_bytes())?;
    Ok(Outcome::Done)
}
