//! `stepladder estimate --check`: the plan held against what training random models really takes.

use std::io::{self, Write};
use std::time::Instant;

use stepladder_protocol::{CheckCommand, Command, Event, Finished, JobId};

use super::check_view;
use super::common::CommonOptions;
use super::failure::{Failure, Outcome};
use super::interrupt::stop_on_interrupt;
use super::terminal::{Style, Terminal};
use super::{json_output, one_job};

/// The command of these flags.
pub fn command(cells: Option<usize>, common: &CommonOptions) -> CheckCommand {
    CheckCommand {
        job: JobId::new("check"),
        device: common.device().to_owned(),
        cells,
    }
}

/// Checks.
pub fn run(
    command: CheckCommand,
    common: &CommonOptions,
    terminal: &Terminal,
) -> Result<Outcome, Failure> {
    let outcome = check(command, common, terminal);
    common.tell_failure(outcome)
}

fn check(
    command: CheckCommand,
    common: &CommonOptions,
    terminal: &Terminal,
) -> Result<Outcome, Failure> {
    // It measures the processor, whatever else could compute here.
    let worker = common.start_own_worker()?;
    let told = "stopping after this cell… (Ctrl-C again ends at once)";
    stop_on_interrupt(worker.commands(), &command.job, terminal, told)?;
    worker.commands().send(&Command::Check(command))?;

    let style = Style::of(&io::stdout());
    let began = Instant::now();
    let show = |text: &str| -> Result<(), Failure> {
        if !common.json {
            terminal.clear_status();
            let mut output = io::stdout().lock();
            output.write_all(text.as_bytes())?;
            output.flush()?;
        }
        Ok(())
    };
    let mut before = None;
    terminal.status("measuring the first cell");
    while let Some(event) = worker.next_event().map(|line| line.event) {
        if common.json && !matches!(event, Event::Failed(_) | Event::Rejected(_)) {
            json_output::write_line(&event)?;
        }
        match event {
            Event::Checked(cell) => {
                show(&check_view::row(before.as_ref(), &cell, style))?;
                terminal.status(&check_view::status(&cell, began.elapsed()));
                before = Some(cell);
            }
            Event::Finished(Finished::Check(summary)) => {
                show(&check_view::summary(&summary, style))?;
                return Ok(Outcome::Done);
            }
            Event::Stopped { .. } => {
                terminal.clear_status();
                terminal.line(&check_view::stopped(before.as_ref()));
                return Ok(Outcome::Interrupted);
            }
            Event::Failed(report) | Event::Rejected(report) => return Err(report.into()),
            _ => {}
        }
    }
    Err(one_job::unanswered())
}
