//! Flags that every verb has.

use clap::Args;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as WordError, StrDeserializer};
use stepladder_engine::device::DeviceRequest;
use stepladder_protocol::Event;

use super::failure::{Failure, Outcome};
use super::json_output;
use super::terminal::Terminal;
use crate::link::{self, LinkError, WorkerProcess};

/// The common flags.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Common")]
pub struct CommonOptions {
    /// Where to compute: auto, cpu, cuda or cuda:N [default: auto]
    #[arg(long, value_parser = device)]
    pub device: Option<String>,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
    /// Never go online (this version never does)
    #[arg(long)]
    pub offline: bool,
    /// Write JSON to standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
}

impl CommonOptions {
    /// The device that these flags ask for.
    pub fn device(&self) -> &str {
        self.device.as_deref().unwrap_or("auto")
    }

    /// Starts a worker that computes where these flags say, and says why it does not where that is to be
    /// known.
    pub fn start_worker(&self, terminal: &Terminal) -> Result<WorkerProcess, LinkError> {
        start_worker(self.device(), self.threads, terminal)
    }

    /// Starts a worker for something that takes no card.
    pub fn start_own_worker(&self) -> Result<WorkerProcess, LinkError> {
        Ok(link::start_own(None, self.threads)?.worker)
    }

    /// Writes what went wrong to standard output too, where JSON is wanted there.
    pub fn tell_failure(&self, outcome: Result<Outcome, Failure>) -> Result<Outcome, Failure> {
        if let Err(Failure {
            report: Some(report),
            ..
        }) = &outcome
            && self.json
        {
            json_output::write_line(&Event::Failed(report.clone()))?;
        }
        outcome
    }
}

/// Starts a worker that computes on a device with so many threads.
pub fn start_worker(
    device: &str,
    threads: Option<usize>,
    terminal: &Terminal,
) -> Result<WorkerProcess, LinkError> {
    let started = link::start_for(device, None, threads)?;
    if let Some(notice) = started.notice {
        terminal.note(&notice);
    }
    Ok(started.worker)
}

fn device(asked: &str) -> Result<String, String> {
    asked
        .parse::<DeviceRequest>()
        .map(|_| asked.to_owned())
        .map_err(|error| error.hint())
}

/// A number of things of which there must be one.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("must be a whole number".to_owned()),
    }
}

/// A finite number above zero.
pub fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("must be a number above 0".to_owned()),
    }
}

/// A number from 0 to 1.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}

/// A finite number that is not negative.
pub fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number >= 0.0 && number.is_finite() => Ok(number),
        _ => Err("must be a number, 0 or more".to_owned()),
    }
}

/// One of the words that the run config knows for a field; the error lists them.
pub fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    T::deserialize(StrDeserializer::<WordError>::new(text)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::{Switch, TapDtype};

    #[test]
    fn flags_are_read_strictly() {
        assert_eq!(at_least_one("4"), Ok(4));
        assert!(at_least_one("0").is_err());
        assert!(at_least_one("-1").is_err());
        assert_eq!(positive("1e-3"), Ok(1e-3));
        assert!(positive("0").is_err());
        assert!(positive("NaN").is_err());
        assert!(positive("inf").is_err());
        assert_eq!(share("1"), Ok(1.0));
        assert!(share("1.5").is_err());
        assert_eq!(not_negative("0"), Ok(0.0));
        assert_eq!(word("on"), Ok(Switch::On));
        assert_eq!(word("bf16"), Ok(TapDtype::Bf16));
        let error = word::<Switch>("maybe").unwrap_err();
        assert!(error.contains("`on`") && error.contains("`off`"), "{error}");
        assert!(device("cuda:2").is_ok());
        assert!(device("gpu").is_err());
    }
}
