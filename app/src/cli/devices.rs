//! `stepladder devices`: what can compute here.

use std::io::Write;

use clap::Args;
use stepladder_protocol::{CardInfo, Command, DeviceInfo, DeviceReport, Finished, JobId, JobRef};

use super::common::CommonOptions;
use super::failure::{Failure, Outcome};
use super::{json_output, one_job};
use crate::{link, text};

/// Flags of `devices`.
#[derive(Args, Debug)]
pub struct DevicesOptions {
    #[command(flatten)]
    common: CommonOptions,
}

/// Lists the devices.
pub fn run(options: &DevicesOptions) -> Result<Outcome, Failure> {
    let common = &options.common;
    let started = link::start_for_if_possible(common.device(), common.threads)?;
    let command = Command::Devices(JobRef {
        job: JobId::new("devices"),
    });
    let Finished::Devices(report) = one_job::ask(&started.worker, &command)? else {
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
        if let Some(card) = &device.card {
            lines.push_str(&card_in_words(device, card));
            continue;
        }
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

fn card_in_words(device: &DeviceInfo, card: &CardInfo) -> String {
    let driver = { card.driver.as_ref() }.map_or_else(String::new, |driver| {
        format!(" · driver {}", text::visible(driver))
    });
    let mut lines = format!(
        "{}  {}\n     compute capability {} · {} free of {}\n     CUDA {}{driver}\n",
        text::visible(&device.id),
        text::visible(&device.name),
        text::visible(&card.compute_capability),
        text::bytes(device.memory_free_bytes),
        text::bytes(device.memory_total_bytes),
        text::visible(&card.cuda),
    );
    let others = text::bytes(card.other_programs_bytes);
    lines.push_str(&format!("     other programs hold {others}\n"));
    for program in &card.other_programs {
        let bytes = program.bytes.map_or_else(String::new, text::bytes);
        let name = text::excerpt(&program.name, 40);
        let line = format!("       {name} ({})  {bytes}", program.process);
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::ProgramOnCard;

    #[test]
    fn a_card_is_told_with_who_holds_its_memory() {
        let program = |name: &str, process, bytes| ProgramOnCard {
            name: name.to_owned(),
            process,
            bytes,
        };
        let report = DeviceReport {
            devices: vec![DeviceInfo {
                id: "cuda:0".to_owned(),
                name: "A Card".to_owned(),
                cores: None,
                threads: 8,
                memory_total_bytes: 12 << 30,
                memory_free_bytes: 9 << 30,
                card: Some(CardInfo {
                    compute_capability: "8.9".to_owned(),
                    driver: Some("580.65".to_owned()),
                    cuda: "13.0".to_owned(),
                    other_programs_bytes: 1 << 30,
                    other_programs: vec![
                        program("game", 7, Some(1 << 29)),
                        program("a\u{1b}[2J", 8, None),
                    ],
                }),
            }],
            notices: Vec::new(),
        };
        let words = in_words(&report);
        assert!(
            words.starts_with(
                "cuda:0  A Card\n     compute capability 8.9 · 9.00 GiB free of 12.00 GiB\n     \
                 CUDA 13.0 · driver 580.65\n     other programs hold 1.00 GiB\n       \
                 game (7)  512.0 MiB\n"
            ),
            "{words}"
        );
        assert!(!words.contains('\u{1b}'));
    }

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
