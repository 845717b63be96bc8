//! `stepladder estimate`: what memory training takes, before anything is loaded or downloaded; with
//! `--check`, whether that is so.

use std::io::Write;

use clap::Args;
use stepladder_protocol::{Command, EstimateCommand, Finished, JobId, Method};

use super::common::{CommonOptions, at_least_one, word};
use super::failure::{Failure, Outcome};
use super::shape_options::{ShapeOptions, set, set_some};
use super::terminal::{Style, Terminal};
use super::train_options::absolute;
use super::{byte_size, check, estimate_view, json_output, one_job};
use crate::link::{self, LinkError, WorkerProcess};

/// Flags of `estimate`.
#[derive(Args, Debug)]
#[command(
    after_help = "--memory without --device means a card of that size. Without --memory the question \
        is whether training fits on this machine: on its CPU, in the RAM that is free now.\n\n\
        --check answers another question: how far estimates are from the truth. It trains models of \
        random numbers for a step each, 6 to 290 million parameters, with every method and switch, \
        on this machine's CPU, and measures."
)]
pub struct EstimateOptions {
    #[command(flatten)]
    shape: ShapeOptions,
    /// ladder, xladder, qlora, lora or all [default: all, with --config that of the file]
    #[arg(long, value_parser = methods)]
    method: Option<Methods>,
    /// Memory of the device: 12GiB, 11.6GB [default: the RAM that is free]
    #[arg(long, value_name = "SIZE", value_parser = byte_size::parse)]
    memory: Option<u64>,
    /// Memory that other programs take of it [default: 0.4GiB of a card, nothing of free RAM]
    #[arg(long, value_name = "SIZE", value_parser = byte_size::parse)]
    other_programs: Option<u64>,
    /// Hold estimates against measurements instead: train random models for a step each, with every
    /// method, and show planned and measured peaks; about five minutes on two cores, up to 2 GiB of RAM
    #[arg(
        long,
        conflicts_with_all = ["ShapeOptions", "method", "memory", "other_programs"],
        help_heading = "Check"
    )]
    check: bool,
    /// With --check: only the first N cells, which are the smallest [default: all]
    #[arg(long, value_name = "N", value_parser = at_least_one, requires = "check", help_heading = "Check")]
    cells: Option<usize>,
    #[command(flatten)]
    common: CommonOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Methods {
    All,
    One(Method),
}

const ALL: [Method; 4] = [Method::Ladder, Method::Xladder, Method::Qlora, Method::Lora];

fn methods(text: &str) -> Result<Methods, String> {
    match text {
        "all" => Ok(Methods::All),
        _ => word(text)
            .map(Methods::One)
            .map_err(|_| "the methods are ladder, xladder, qlora, lora and all".to_owned()),
    }
}

impl EstimateOptions {
    fn command(&self) -> Result<EstimateCommand, Failure> {
        let mut config = self.shape.base_config()?;
        self.shape.override_in(&mut config);
        set(&mut config.device, &self.common.device);
        set_some(&mut config.threads, &self.common.threads);
        config.model = absolute(config.model);
        let methods = match (self.method, &self.shape.config) {
            (Some(Methods::One(method)), _) => vec![method],
            (None, Some(_)) => Vec::new(),
            (Some(Methods::All), _) | (None, None) => ALL.to_vec(),
        };
        Ok(EstimateCommand {
            job: JobId::new("estimate"),
            config,
            methods,
            memory_bytes: self.memory,
            other_programs_bytes: self.other_programs,
        })
    }
}

/// A card of another size than those here is not needed for its estimate, and cannot be measured.
fn start_worker(command: &EstimateCommand) -> Result<WorkerProcess, LinkError> {
    let config = &command.config;
    let started = match command.memory_bytes {
        Some(_) => link::start_own(None, config.threads)?,
        None => link::start_for_if_possible(&config.device, config.threads)?,
    };
    Ok(started.worker)
}

/// Estimates.
pub fn run(options: &EstimateOptions, terminal: &Terminal) -> Result<Outcome, Failure> {
    if options.check {
        let asked = check::command(options.cells, &options.common);
        return check::run(asked, &options.common, terminal);
    }
    let command = options.command()?;
    let worker = start_worker(&command)?;
    let answer = one_job::ask(&worker, &Command::Estimate(Box::new(command)))?;
    let Finished::Memory(report) = answer else {
        return Err(one_job::unanswered());
    };
    if options.common.json {
        json_output::write_line(&report)?;
        return Ok(Outcome::Done);
    }
    let mut output = std::io::stdout().lock();
    let style = Style::of(&output);
    output.write_all(estimate_view::report(&report, style).as_bytes())?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use stepladder_protocol::RunConfig;

    #[derive(Parser)]
    struct Parsed {
        #[command(flatten)]
        options: EstimateOptions,
    }

    fn parse(flags: &[&str]) -> Result<EstimateOptions, clap::Error> {
        let arguments = std::iter::once("estimate").chain(flags.iter().copied());
        Parsed::try_parse_from(arguments).map(|parsed| parsed.options)
    }

    fn command(flags: &[&str]) -> EstimateCommand {
        parse(flags).unwrap().command().unwrap()
    }

    #[test]
    fn a_check_takes_no_model() {
        let asked = |flags: &[&str]| {
            let options = parse(flags).unwrap();
            assert!(options.check);
            check::command(options.cells, &options.common)
        };
        let all = asked(&["--check"]);
        assert_eq!((all.cells, all.device.as_str()), (None, "auto"));
        let few = asked(&[
            "--check",
            "--cells",
            "8",
            "--device",
            "cpu",
            "--json",
            "--threads",
            "2",
        ]);
        assert_eq!((few.cells, few.device.as_str()), (Some(8), "cpu"));

        for wrong in [
            "--check --model builtin",
            "--check --method ladder",
            "--check --memory 8GiB",
            "--check --other-programs 1GiB",
            "--check --context 8",
            "--check --config run.json",
            "--check --rank 4",
            "--check --cells 0",
            "--cells 8",
        ] {
            let flags: Vec<&str> = wrong.split(' ').collect();
            let error = parse(&flags).err().map(|error| error.exit_code());
            assert_eq!(error, Some(2), "{wrong}");
        }
        assert!(!parse(&["--model", "builtin"]).unwrap().check);
    }

    #[test]
    fn the_question_alone_is_for_all_methods() {
        let asked = command(&[]);
        assert_eq!(asked.config, RunConfig::default());
        assert_eq!(asked.methods, ALL);
        assert_eq!(
            (asked.memory_bytes, asked.other_programs_bytes),
            (None, None)
        );
    }

    #[test]
    fn flags_reach_the_command() {
        let asked = command(&[
            "--model",
            "qwen2.5-7b",
            "--method",
            "xladder",
            "--memory",
            "12GiB",
            "--other-programs",
            "0.5GiB",
            "--d-side",
            "256",
            "--device",
            "cuda",
            "--threads",
            "2",
        ]);
        assert_eq!(asked.methods, [Method::Xladder]);
        assert_eq!(asked.memory_bytes, Some(12 << 30));
        assert_eq!(asked.other_programs_bytes, Some(1 << 29));
        let config = RunConfig {
            model: "qwen2.5-7b".to_owned(),
            d_side: Some(256),
            device: "cuda".to_owned(),
            threads: Some(2),
            ..RunConfig::default()
        };
        assert_eq!(asked.config, config);
    }

    #[test]
    fn a_file_brings_its_method() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run.json");
        std::fs::write(&file, r#"{"method": "lora", "rank": 8}"#).unwrap();
        let file = file.to_str().unwrap();
        let asked = command(&["--config", file, "--rank", "4"]);
        assert_eq!(
            (asked.methods.as_slice(), asked.config.method),
            ([].as_slice(), Method::Lora)
        );
        assert_eq!(asked.config.rank, 4);
        assert_eq!(command(&["--config", file, "--method", "all"]).methods, ALL);
    }
}
