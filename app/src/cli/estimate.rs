//! `stepladder estimate`: what memory training takes, before anything is loaded or downloaded.

use std::io::Write;

use clap::Args;
use stepladder_protocol::{Command, EstimateCommand, Finished, JobId, Method};

use super::common::{CommonOptions, start_worker, word};
use super::failure::{Failure, Outcome};
use super::shape_options::{ShapeOptions, set, set_some};
use super::terminal::Style;
use super::train_options::absolute;
use super::{byte_size, estimate_view, json_output, one_job};

/// Flags of `estimate`.
#[derive(Args, Debug)]
#[command(
    after_help = "--memory without --device means a card of that size. Without --memory the question \
        is whether training fits on this machine: on its CPU, in the RAM that is free now."
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

/// Estimates.
pub fn run(options: &EstimateOptions) -> Result<Outcome, Failure> {
    let command = options.command()?;
    let worker = start_worker(command.config.threads)?;
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

    fn command(flags: &[&str]) -> EstimateCommand {
        let arguments = std::iter::once("estimate").chain(flags.iter().copied());
        let parsed = Parsed::try_parse_from(arguments).unwrap();
        parsed.options.command().unwrap()
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
