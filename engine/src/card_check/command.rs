//! `stepladder-cuda check`: the parts one after the other, each row told as it is found and the report
//! written after each, so that a check that is ended loses nothing.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use candle_core::DType;
use stepladder_protocol::Method;

use super::arguments::{Arguments, Part, Sizes, USAGE, Variant};
use super::bench::{LoadedModel, fresh_meter, reason};
use super::report::{CorrectnessRow, DeviceFacts, Report, Source};
use super::{Case, LARGE, Place, cases, context, memory, speed};
use crate::device::{self, DeviceRequest};
use crate::memory::Meter;
use crate::models::chat_template::Clock;
use crate::models::compute::Compute;
use crate::training::check::grid;
use crate::training::estimate::BatchShape;
use crate::{Error, Result};

const WRONG_USAGE: u8 = 2;
/// The steps of one variant are timed for so long, or two of them if they take longer.
const TIMED: Duration = Duration::from_secs(6);

/// Does what the arguments after `check` say: 0 if everything agreed, 1 if not.
pub fn run(arguments: &[String]) -> ExitCode {
    let asked = match Arguments::parse(arguments) {
        Ok(asked) => asked,
        Err(problem) => {
            say_error(&format!("error: {problem}\n\n{USAGE}"));
            return ExitCode::from(WRONG_USAGE);
        }
    };
    let command = format!("stepladder-cuda check {}", arguments.join(" "));
    let report = match asked.join.is_empty() {
        true => Check::begin(&asked, command.trim_end()).and_then(Check::run),
        false => joined(&asked),
    };
    match report {
        Ok(report) if report.is_wrong() => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            say_error(&format!("error: {error}\nhint: {}\n", error.hint()));
            ExitCode::FAILURE
        }
    }
}

/// One report of several.
fn joined(asked: &Arguments) -> Result<Report> {
    let mut report = Report::default();
    for path in &asked.join {
        report.join(Report::read(path)?)?;
    }
    written(&report, asked)?;
    say(&report.markdown());
    Ok(report)
}

fn written(report: &Report, asked: &Arguments) -> Result<()> {
    if let Some(path) = &asked.json {
        report.write(path)?;
    }
    if let Some(path) = &asked.markdown {
        std::fs::write(path, report.markdown()).map_err(Error::io("write", path))?;
    }
    Ok(())
}

/// A check under way.
struct Check<'a> {
    asked: &'a Arguments,
    request: DeviceRequest,
    compute: Compute,
    report: Report,
    until: Option<Instant>,
}

impl<'a> Check<'a> {
    fn begin(asked: &'a Arguments, command: &str) -> Result<Self> {
        let until = asked.most.map(|most| Instant::now() + most);
        let request: DeviceRequest = asked.device.parse()?;
        let device = device::open(&asked.device)?;
        let compute = Compute::on(device)?;
        let check = Self {
            report: Report {
                device: facts(&compute, request)?,
                sources: vec![Source {
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    revision: option_env!("STEPLADDER_REVISION").map(str::to_owned),
                    date: Clock::now().date_and_minute(),
                    command: command.to_owned(),
                }],
                ..Report::default()
            },
            asked,
            request,
            compute,
            until,
        };
        Ok(check)
    }

    fn run(mut self) -> Result<Report> {
        for part in &self.asked.parts {
            match part {
                Part::Correctness => self.correctness()?,
                Part::Memory => self.memory()?,
                Part::Speed | Part::Context => self.timed(*part)?,
            }
        }
        written(&self.report, self.asked)?;
        say(&format!("\n{}", self.report.markdown()));
        Ok(self.report)
    }

    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn left_out(&mut self, what: &str) -> Result<()> {
        say(&format!("left out, the time is over: {what}\n"));
        self.report
            .left_out
            .push(format!("no time was left for {what}"));
        written(&self.report, self.asked)
    }

    fn correctness(&mut self) -> Result<()> {
        let cases = cases().into_iter().filter(|case| {
            let is_large = case.name.starts_with(LARGE);
            let size = match self.asked.sizes {
                Sizes::Small => !is_large,
                Sizes::Large => is_large,
                Sizes::All => true,
            };
            size && case.name.contains(&self.asked.case)
        });
        let cases: Vec<Case> = cases.collect();
        for dtype in self.asked.dtypes.clone() {
            for case in &cases {
                if self.is_over() {
                    self.left_out(&format!("{} in {dtype:?}", case.name))?;
                    continue;
                }
                let row = self.case(case, dtype);
                say(&format!(
                    "{:4} {} {}: {} compared, {:.1} s\n",
                    if row.wrong.is_empty() { "ok" } else { "BAD" },
                    row.dtype,
                    row.case,
                    row.results,
                    row.secs
                ));
                for wrong in &row.wrong {
                    say(&format!("     {wrong}\n"));
                }
                self.report.correctness.push(row);
                written(&self.report, self.asked)?;
            }
        }
        Ok(())
    }

    fn case(&self, case: &Case, dtype: DType) -> CorrectnessRow {
        let place = Place {
            device: self.compute.device().clone(),
            dtype,
        };
        let began = Instant::now();
        let results = (case.run)(&place);
        let mut row = CorrectnessRow {
            case: case.name.to_owned(),
            dtype: format!("{dtype:?}"),
            secs: began.elapsed().as_secs_f64(),
            ..CorrectnessRow::default()
        };
        match results {
            Ok(results) => {
                row.results = results.len();
                for result in &results {
                    if !result.holds() {
                        row.wrong.push(result.to_string());
                    }
                    let part = result.error / result.tolerance;
                    let is_nearer = row
                        .nearest
                        .as_ref()
                        .is_none_or(|(nearest, _)| part > *nearest);
                    // JSON has no infinity.
                    if part.is_finite() && is_nearer {
                        row.nearest = Some((part, result.what.clone()));
                    }
                }
            }
            Err(error) => row.wrong.push(format!("it ended: {error}")),
        }
        row
    }

    fn memory(&mut self) -> Result<()> {
        let mut cells = grid();
        cells.truncate(self.asked.cells.unwrap_or(usize::MAX));
        let of = cells.len();
        for (index, cell) in cells.iter().enumerate() {
            if self.is_over() {
                self.left_out(&format!("{} cells of the memory check", of - index))?;
                break;
            }
            let row = memory::row(cell, &self.compute, self.request)?;
            say(&format!(
                "cell {} of {of}: {}, {}, {} × {}: planned {}, measured {}{}\n",
                index + 1,
                row.model,
                row.method,
                row.batch,
                row.context,
                row.planned_peak,
                row.measured_peak,
                told_failure(row.failed.as_ref()),
            ));
            self.report.memory.push(row);
            written(&self.report, self.asked)?;
        }
        Ok(())
    }

    /// Speeds or longest contexts: each model once in each form that a variant wants.
    fn timed(&mut self, part: Part) -> Result<()> {
        let (in_16_bits, in_nf4): (Vec<Variant>, Vec<Variant>) =
            { self.asked.variants.iter() }.partition(|(method, _)| *method == Method::Lora);
        for name in &self.asked.models {
            for variants in [&in_nf4, &in_16_bits] {
                if variants.is_empty() {
                    continue;
                }
                if self.is_over() {
                    self.left_out(&format!("{part:?} of {name}"))?;
                    continue;
                }
                self.timed_model(part, name, variants)?;
            }
        }
        Ok(())
    }

    fn timed_model(&mut self, part: Part, name: &str, variants: &[Variant]) -> Result<()> {
        let compute = self.compute.clone();
        let held_before = fresh_meter(&compute)?.current_bytes();
        let model = match LoadedModel::load(name, variants[0], &compute) {
            Ok(model) => model,
            Err(error) => {
                let reason = reason(&error, &compute);
                self.report
                    .left_out
                    .push(format!("{name} was not loaded: {reason}"));
                say(&format!("{name} was not loaded: {reason}\n"));
                return written(&self.report, self.asked);
            }
        };
        say(&format!(
            "{name} is there after {:.1} s\n",
            model.loading_secs
        ));
        for &variant in variants {
            for &batch in &self.asked.batches {
                let shape = BatchShape {
                    batch,
                    seq: self.asked.context,
                };
                let (method, recompute) = variant;
                let again = if recompute { ", recompute" } else { "" };
                let what = format!("{name}, {}{again}, batch {batch}", method.name());
                if self.is_over() {
                    self.left_out(&format!("{part:?} of {what}"))?;
                    continue;
                }
                say(&format!("{what}: "));
                match part {
                    Part::Context => {
                        let room = context::Room {
                            limit_bytes: self.asked.limit_bytes,
                            held_before,
                            until: self.until,
                        };
                        let row = context::row(&model, variant, batch, &room)?;
                        say(&format!(
                            "planned {:?}, longest {:?}, refused {:?}, tried {:?}{}\n",
                            row.planned,
                            row.longest,
                            row.refused,
                            row.tried,
                            told_failure(row.failed.as_ref()),
                        ));
                        self.report.context.push(row);
                    }
                    _ => {
                        let row = speed::row(&model, variant, shape, held_before, TIMED)?;
                        say(&format!(
                            "{:.0} tokens/s ({} steps of {:.3} s), peak {}, planned {}{}\n",
                            row.tokens_per_second,
                            row.steps,
                            row.step_secs,
                            row.measured_peak,
                            row.planned_peak,
                            told_failure(row.failed.as_ref()),
                        ));
                        self.report.speed.push(row);
                    }
                }
                written(&self.report, self.asked)?;
            }
        }
        Ok(())
    }
}

fn told_failure(failed: Option<&String>) -> String {
    failed.map_or(String::new(), |failed| format!(": {failed}"))
}

fn facts(compute: &Compute, request: DeviceRequest) -> Result<DeviceFacts> {
    // What is held now is measured before anything else is.
    let _ = Meter::of(compute.device())?;
    let card = match compute.device().is_cpu() {
        true => None,
        false => device::card_here(request),
    };
    Ok(DeviceFacts {
        name: compute.in_words(),
        capability: card.as_ref().map(|card| card.capability.to_string()),
        driver: card.and_then(|card| card.driver),
        total_bytes: compute.memory()?.0,
        own_bytes: compute.own_bytes(),
    })
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever closed the output does not want to hear it; the report is still written.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn say_error(text: &str) {
    // There is nowhere left to say that standard error cannot be written.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All parts on the CPU, where a tiny model stands for the large ones.
    #[test]
    fn every_part_runs_where_there_is_no_card() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let check = |text: &str| {
            let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            run(&arguments)
        };
        let common = "--device cpu --model small --batch 2 --context 70 --method ladder --method qlora+recompute --method lora";
        let speed = format!("--part speed {common} --json {}", path("speed.json"));
        assert_eq!(check(&speed), ExitCode::SUCCESS);
        let context = format!(
            "--part context {common} --limit 6MiB --json {}",
            path("context.json")
        );
        assert_eq!(check(&context), ExitCode::SUCCESS);
        let rest = format!(
            "--part memory --part correctness --cells 1 --type f32 --case Phi-3 --device cpu --json {}",
            path("rest.json")
        );
        assert_eq!(check(&rest), ExitCode::SUCCESS);
        let join = format!(
            "--join {} {} {} --json {} --markdown {}",
            path("speed.json"),
            path("context.json"),
            path("rest.json"),
            path("all.json"),
            path("all.md")
        );
        assert_eq!(check(&join), ExitCode::SUCCESS);
        let all = Report::read(&folder.path().join("all.json")).unwrap();
        assert_eq!(
            (all.speed.len(), all.context.len(), all.memory.len()),
            (3, 3, 1)
        );
        assert!(
            all.speed
                .iter()
                .all(|row| row.failed.is_none() && row.tokens_per_second > 0.0)
        );
        assert!(
            all.context
                .iter()
                .all(|row| row.failed.is_none() && row.longest.is_some())
        );
        assert!(!all.correctness.is_empty() && !all.is_wrong());
        assert_eq!(all.sources.len(), 3);
        let text = std::fs::read_to_string(folder.path().join("all.md")).unwrap();
        assert!(text.contains("## Longest context"), "{text}");
    }

    #[test]
    fn what_has_no_time_is_left_out_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let text = format!(
            "--device cpu --part speed --part memory --model small --minutes 0.0000001 --json {}",
            path.display()
        );
        let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        assert_eq!(run(&arguments), ExitCode::SUCCESS);
        let report = Report::read(&path).unwrap();
        assert!(report.speed.is_empty() && report.memory.is_empty());
        assert_eq!(report.left_out.len(), 2);
    }

    #[test]
    fn wrong_arguments_are_wrong_usage() {
        let code = run(&["--part".to_owned(), "none".to_owned()]);
        assert_eq!(code, ExitCode::from(WRONG_USAGE));
    }
}
