//! `stepladder devices`: what can compute here.

use std::io::Write;

use clap::Args;
use stepladder_protocol::{Command, DeviceReport, Finished, JobId, JobRef};

use super::common::CommonOptions;
use super::failure::{Failure, Outcome};
use super::{json_output, one_job};
use crate::text;

/// Flags of `devices`.
#[derive(Args, Debug)]
pub struct DevicesOptions {
    #[command(flatten)]
    common: CommonOptions,
}

/// Lists the devices.
pub fn run(options: &DevicesOptions) -> Result<Outcome, Failure> {
    let worker = options.common.start_worker()?;
    let command = Command::Devices(JobRef {
        job: JobId::new("devices"),
    });
    let Finished::Devices(report) = one_job::ask(&worker, &command)? else {
        return Err(one_job::unanswered());
    };
    if options.common.json {
        json_output::write_line(&report)?;
    } else {
        std::io::stdout()
            .lock()
            .write_all(in_words(&report).as_bytes())?;
    }
    Ok(Outcome::Done)
}

fn in_words(report: &DeviceReport) -> String {
    let mut lines = String::new();
    for device in &report.devices {
        let cores = device.cores.map_or_else(String::new, |cores| {
            format!("{}, ", text::count(cores, "core", "cores"))
        });
        lines.push_str(&format!(
            "{}  {}\n     {cores}{} · {} free of {}\n",
            text::visible(&device.id),
            text::visible(&device.name),
            text::count(device.threads, "thread", "threads"),
            text::bytes(device.memory_free_bytes),
            text::bytes(device.memory_total_bytes),
        ));
    }
    for notice in &report.notices {
        lines.push_str(&format!("\n{}\n", text::visible(notice)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::DeviceInfo;

    #[test]
    fn devices_are_told_in_words() {
        let report = DeviceReport {
            devices: vec![DeviceInfo {
                id: "cpu".to_owned(),
                name: "A Processor".to_owned(),
                cores: Some(4),
                threads: 8,
                memory_total_bytes: 16 << 30,
                memory_free_bytes: 12 << 30,
                card: None,
            }],
            notices: vec!["No GPU.".to_owned()],
        };
        assert_eq!(
            in_words(&report),
            "cpu  A Processor\n     4 cores, 8 threads · 12.00 GiB free of 16.00 GiB\n\nNo GPU.\n"
        );
    }
}
