//! `stepladder compare`: a model and its adapters answer the same questions.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use stepladder_protocol::{
    BASE, Command, CompareCommand, ErrorReport, Event, Finished, JobId, JobRef, SamplerSettings,
};

use super::common::{CommonOptions, at_least_one, not_negative, positive, share};
use super::compare_view::{self, CompareView};
use super::failure::{Failure, Outcome};
use super::interrupt::{Reaction, on_interrupt};
use super::terminal::{Style, Terminal};
use super::train_options::absolute;
use super::{config_file, json_output, one_job};
use crate::data_folder;

/// Questions answered side by side where nothing else is asked for.
const BATCH_SIZE: usize = 8;

/// Flags of `compare`.
#[derive(Args, Clone, Debug, Default)]
pub struct CompareOptions {
    /// `builtin`, a model folder or a .gguf file [default: the first run's]
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// A run folder whose adapter is compared with the base; may be given several times
    #[arg(long, value_name = "RUN", required = true)]
    adapter: Vec<PathBuf>,
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
    /// 0 always takes the likeliest token, higher is more varied [default: the model's]
    #[arg(long, value_name = "X", value_parser = not_negative, help_heading = "Sampling")]
    temperature: Option<f64>,
    /// Choose among the N likeliest tokens [default: the model's]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Sampling")]
    top_k: Option<usize>,
    /// Choose among the likeliest tokens that together reach this probability [default: the model's]
    #[arg(long, value_name = "X", value_parser = share, help_heading = "Sampling")]
    top_p: Option<f64>,
    /// Leave out tokens less likely than this share of the likeliest one [default: the model's]
    #[arg(long, value_name = "X", value_parser = share, help_heading = "Sampling")]
    min_p: Option<f64>,
    /// Above 1: say less often what was said already [default: the model's]
    #[arg(long, value_name = "X", value_parser = positive, help_heading = "Sampling")]
    repetition_penalty: Option<f64>,
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
            data: self.data.clone().map(absolute),
            baseline: self.baseline.clone().unwrap_or_else(|| BASE.to_owned()),
            out: self.out()?,
            limit: self.limit,
            settings: SamplerSettings {
                temperature: self.temperature,
                top_k: self.top_k,
                top_p: self.top_p,
                min_p: self.min_p,
                repetition_penalty: self.repetition_penalty,
                seed: self.seed,
                max_tokens: self.max_tokens,
            },
            answer_pattern: self.answer_pattern.clone(),
            batch_size: self.batch_size.unwrap_or(BATCH_SIZE),
            device: { self.common.device.clone() }.unwrap_or_else(|| "auto".to_owned()),
        })
    }

    /// The model: as given, or the one that the first run was trained on, or the built-in one.
    fn model(&self) -> Result<String, Failure> {
        if let Some(model) = &self.model {
            return Ok(absolute(model.clone()));
        }
        let run = self.adapter.first().map(|run| run.join("run.json"));
        match run.filter(|file| file.is_file()) {
            Some(file) => Ok(config_file::read(&file)?.model),
            None => Ok("builtin".to_owned()),
        }
    }

    fn out(&self) -> Result<PathBuf, Failure> {
        if let Some(out) = &self.out {
            return absolute_path(out);
        }
        let folder = data_folder::data_folder().ok_or_else(|| {
            Failure::usage(
                "this system names no data folder",
                "give --out, or set STEPLADDER_HOME",
            )
        })?;
        let comparisons = folder.join("comparisons");
        Ok(data_folder::new_run_in(
            &comparisons,
            "compare",
            SystemTime::now(),
        ))
    }
}

fn absolute_path(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| {
        let message = format!("the path {} cannot be used: {error}", path.display());
        Failure::from(ErrorReport::new("io", message, "give another path"))
    })
}

/// Compares.
pub fn run(options: &CompareOptions, terminal: &Terminal) -> Result<Outcome, Failure> {
    let outcome = { options.command() }.and_then(|command| compare(command, options, terminal));
    if let Err(Failure {
        report: Some(report),
        ..
    }) = &outcome
        && options.common.json
    {
        json_output::write_line(&Event::Failed(report.clone()))?;
    }
    outcome
}

fn compare(
    command: CompareCommand,
    options: &CompareOptions,
    terminal: &Terminal,
) -> Result<Outcome, Failure> {
    let worker = options.common.start_worker()?;
    let commands = worker.commands().clone();
    {
        let (job, terminal) = (command.job.clone(), terminal.clone());
        on_interrupt(commands.clone(), move |time| {
            let stop = Command::Stop(JobRef { job: job.clone() });
            if time > 1 || commands.send(&stop).is_err() {
                return Reaction::Exit;
            }
            terminal.line("stopping: the answers so far are kept… (Ctrl-C again ends at once)");
            Reaction::GoOn
        })?;
    }
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
    fn what_makes_no_sense_is_wrong_usage() {
        for wrong in [
            "",
            "--model builtin",
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
