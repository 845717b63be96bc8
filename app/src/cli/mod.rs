//! The command line: one verb per file. It is a client of the engine like any other and speaks to a
//! worker process.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. With `--json` standard output holds
//! JSON alone; everything for people goes to standard error.

mod byte_size;
mod chat;
mod chat_session;
mod check;
mod check_view;
mod common;
mod compare;
mod compare_view;
mod config_file;
mod data_flags;
mod dataset_view;
mod devices;
mod estimate;
mod estimate_view;
mod export;
mod failure;
mod inspect;
mod inspect_view;
mod interrupt;
mod json_output;
mod matched_options;
mod matched_view;
mod models;
mod one_job;
mod places;
mod sampler_options;
mod shape_options;
mod terminal;
mod train;
mod train_options;
mod train_view;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stepladder_protocol::ErrorReport;

use self::failure::{Failure, Outcome};
use self::terminal::Terminal;
use crate::installed;

/// Fine-tune a language model on your own PC.
#[derive(Debug, Parser)]
#[command(
    name = "stepladder",
    version,
    after_help = "`stepladder train` alone fine-tunes the built-in model on the built-in dataset.\n\
        Without a command the window opens.\n\n\
        Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Train an adapter on a frozen base model
    Train(Box<train_options::TrainOptions>),
    /// Chat with a model, with or without an adapter
    Chat(Box<chat::ChatOptions>),
    /// Show what a model or a dataset holds
    Inspect(inspect::InspectOptions),
    /// Say what memory training takes, part by part, before anything is downloaded
    Estimate(Box<estimate::EstimateOptions>),
    /// Compare how long a model and its adapters reason, and how often they are right
    Compare(Box<compare::CompareOptions>),
    /// Write an adapter for use elsewhere
    Export(export::ExportOptions),
    /// Show what can compute here, and its memory
    Devices(devices::DevicesOptions),
    /// List the models on this machine, those of other programs included
    Models(models::ModelsOptions),
    /// The engine on standard input and output, for programs
    Worker,
}

/// Runs the command line.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for and go to standard output with exit code 0.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let terminal = Terminal::stderr();
    let Some(verb) = cli.verb else {
        return open_window(&terminal);
    };
    let outcome = match verb {
        Verb::Train(options) => train::run(&options, &terminal),
        Verb::Chat(options) => chat::run(&options, &terminal),
        Verb::Inspect(options) => inspect::run(&options),
        Verb::Estimate(options) => estimate::run(&options, &terminal),
        Verb::Compare(options) => compare::run(&options, &terminal),
        Verb::Export(options) => export::run(&options),
        Verb::Devices(options) => devices::run(&options),
        Verb::Models(options) => models::run(&options),
        Verb::Worker => worker::run(),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => ExitCode::from(failure::INTERRUPTED),
        Err(failure) => {
            terminal.failure(&failure);
            ExitCode::from(failure.exit)
        }
    }
}

/// Opens the window: the desktop program's where that is installed, otherwise one of this process.
fn open_window(terminal: &Terminal) -> ExitCode {
    if let Some(desktop) = installed::desktop()
        && std::process::Command::new(desktop).spawn().is_ok()
    {
        return ExitCode::SUCCESS;
    }
    match crate::window::open() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let report = ErrorReport::new(
                "no_window",
                format!("the window cannot be opened: {error}"),
                "use the commands that `stepladder --help` lists",
            );
            terminal.failure(&Failure::from(report));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_and_flag_has_help() {
        for verb in Cli::command().get_subcommands() {
            assert!(verb.get_about().is_some(), "{}", verb.get_name());
            for argument in verb.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {}",
                    verb.get_name(),
                    argument.get_id()
                );
            }
        }
    }
}
