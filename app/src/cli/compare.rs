//! `stepladder compare`: a model and its adapters answer the same questions.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use stepladder_protocol::{BASE, Command, CompareCommand, Event, Finished, JobId};

use super::common::{CommonOptions, at_least_one};
use super::compare_view::{self, CompareView};
use super::failure::{Failure, Outcome};
use super::interrupt::stop_on_interrupt;
use super::matched_options::MatchedOptions;
use super::places::{absolute_path, new_folder};
use super::sampler_options::SamplerOptions;
use super::terminal::{Style, Terminal};
use super::train_options::absolute;
use super::{config_file, json_output, one_job};

/// Questions answered side by side where nothing else is asked for.
const BATCH_SIZE: usize = 8;

/// Flags of `compare`.
#[derive(Args, Clone, Debug, Default)]
pub struct CompareOptions {
    /// `builtin`, a model folder or a .gguf file [default: the first run's]
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// A run folder whose adapter is compared with the base; may be given several times
    #[arg(long, value_name = "RUN", required_unless_present = "train_matched")]
    adapter: Vec<PathBuf>,
    #[command(flatten)]
    matched: MatchedOptions,
    /// A file of questions, with reference answers or without, or `builtin` [default: the built-in
    /// questions for the built-in model, else what the first run held out]
    #[arg(long, value_name = "D")]
    data: Option<String>,
    /// What the others are compared with: base, or the name of a run's folder [default: base]
    #[arg(long, value_name = "base|NAME")]
    baseline: Option<String>,
    /// The folder of the report; one that was stopped goes on [default: comparisons/<time>-compare in
    /// your data folder]
    #[arg(long, value_name = "REPORT")]
    out: Option<PathBuf>,
    /// Ask the first N questions only
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<usize>,
    /// A regular expression with one group that finds the final answer in a reply [default: \boxed{},
    /// #### and "the answer is", else the last number]
    #[arg(long, value_name = "REGEX")]
    answer_pattern: Option<String>,
    /// Questions answered side by side [default: 8]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    batch_size: Option<usize>,
    #[command(flatten)]
    sampler: SamplerOptions,
    /// Seed of the draw; the same seed gives the same report [default: 42]
    #[arg(long, value_name = "N", help_heading = "Sampling")]
    seed: Option<u64>,
    /// Tokens after which a reply is cut off [default: 2048, or what the context holds]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Sampling")]
    max_tokens: Option<usize>,

    #[command(flatten)]
    common: CommonOptions,
}

impl CompareOptions {
    fn command(&self) -> Result<CompareCommand, Failure> {
        Ok(CompareCommand {
            job: JobId::new("compare"),
            model: self.model()?,
            adapters: { self.adapter.iter() }
                .map(|path| absolute_path(path))
                .collect::<Result<_, _>>()?,
            train_matched: self.matched.wanted(),
            data: self.data.clone().map(absolute),
            baseline: self.baseline.clone().unwrap_or_else(|| BASE.to_owned()),
            out: self.out()?,
            limit: self.limit,
            settings: self.sampler.settings(self.seed, self.max_tokens),
            answer_pattern: self.answer_pattern.clone(),
            batch_size: self.batch_size.unwrap_or(BATCH_SIZE),
            device: { self.common.device.clone() }.unwrap_or_else(|| "auto".to_owned()),
        })
    }

    /// The model: as given, or the one that the first run was trained on, or the built-in one.
    fn model(&self) -> Result<String, Failure> {
        config_file::model_or_that_of(
            self.model.as_deref(),
            self.adapter.first().map(PathBuf::as_path),
        )
    }

    fn out(&self) -> Result<PathBuf, Failure> {
        if let Some(out) = &self.out {
            return absolute_path(out);
        }
        let purpose = match self.matched.train_matched {
            true => "matched",
            false => "compare",
        };
        new_folder("comparisons", purpose)
    }
}

/// Compares.
pub fn run(options: &CompareOptions, terminal: &Terminal) -> Result<Outcome, Failure> {
    let outcome = { options.command() }.and_then(|command| compare(command, options, terminal));
    options.common.tell_failure(outcome)
}

fn compare(
    command: CompareCommand,
    options: &CompareOptions,
    terminal: &Terminal,
) -> Result<Outcome, Failure> {
    let worker = options.common.start_worker(terminal)?;
    let told = "stopping: the answers so far are kept… (Ctrl-C again ends at once)";
    stop_on_interrupt(worker.commands(), &command.job, terminal, told)?;
    let mut view = CompareView::new(terminal);
    let out = command.out.display().to_string();
    worker
        .commands()
        .send(&Command::Compare(Box::new(command)))?;
    while let Some(event) = worker.next_event().map(|line| line.event) {
        view.show(&event);
        match event {
            Event::Finished(Finished::Comparison(ref report)) => {
                terminal.clear_status();
                if options.common.json {
                    json_output::write_line(report)?;
                } else {
                    let mut output = std::io::stdout().lock();
                    let style = Style::of(&output);
                    output.write_all(compare_view::report(report, &out, style).as_bytes())?;
                }
                return Ok(Outcome::Done);
            }
            Event::Stopped { step, .. } => {
                if options.common.json {
                    json_output::write_line(&event)?;
                }
                terminal.clear_status();
                terminal.line(&compare_view::stopped(step, &out));
                return Ok(Outcome::Interrupted);
            }
            Event::Failed(report) | Event::Rejected(report) => return Err(report.into()),
            _ => {}
        }
    }
    Err(one_job::unanswered())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use stepladder_protocol::{SamplerSettings, TrainMatched};

    #[derive(Parser)]
    struct Parsed {
        #[command(flatten)]
        options: CompareOptions,
    }

    fn parse(flags: &[&str]) -> Result<CompareOptions, clap::Error> {
        let arguments = std::iter::once("compare").chain(flags.iter().copied());
        Parsed::try_parse_from(arguments).map(|parsed| parsed.options)
    }

    #[test]
    fn an_adapter_is_all_that_is_needed() {
        let options = parse(&["--adapter", "a", "--adapter", "b", "--out", "c"]).unwrap();
        let command = options.command().unwrap();
        assert_eq!(command.model, "builtin");
        assert_eq!(command.adapters.len(), 2);
        assert!(command.adapters.iter().all(|path| path.is_absolute()));
        assert!(command.out.is_absolute());
        assert_eq!((command.baseline.as_str(), command.batch_size), ("base", 8));
        assert_eq!(command.settings, SamplerSettings::default());
        assert_eq!(
            (command.data, command.limit, command.answer_pattern),
            (None, None, None)
        );
    }

    #[test]
    fn runs_are_trained_where_that_is_asked_for() {
        let command = |flags: &[&str]| parse(flags).unwrap().command().unwrap();
        let matched = command(&["--train-matched"]);
        assert_eq!(matched.train_matched, Some(TrainMatched::default()));
        assert!(matched.adapters.is_empty());
        assert!(matched.out.to_string_lossy().ends_with("-matched"));
        let flags = ["--train-matched", "--quick", "--seeds", "1", "--steps", "9"];
        let quick = command(&flags).train_matched.unwrap();
        assert_eq!((quick.seeds, quick.steps, quick.quick), (1, Some(9), true));
        assert_eq!(quick.data, ["builtin"]);
    }

    #[test]
    fn what_makes_no_sense_is_wrong_usage() {
        for wrong in [
            "",
            "--model builtin",
            "--adapter a --train-matched",
            "--adapter a --seeds 2",
            "--quick",
            "--train-matched --seeds 0",
            "--adapter a --limit 0",
            "--adapter a --batch-size 0",
            "--adapter a --temperature -1",
            "--adapter a --max-tokens 0",
        ] {
            let flags: Vec<&str> = wrong.split_whitespace().collect();
            let error = parse(&flags).err().map(|error| error.exit_code());
            assert_eq!(error, Some(2), "{wrong}");
        }
    }
}
