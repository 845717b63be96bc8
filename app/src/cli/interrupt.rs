//! Ctrl-C, and the system's request to end.

use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use stepladder_protocol::{Command, ErrorReport, JobId, JobRef};

use super::failure::{Failure, INTERRUPTED};
use super::terminal::Terminal;
use crate::link::Commands;

/// What an interruption does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The verb goes on to its end.
    GoOn,
    /// The program ends now, and its worker with it.
    Exit,
}

/// Calls `react` with 1 at the first interruption, 2 at the second, ... One verb, one handler.
pub fn on_interrupt(
    commands: Commands,
    react: impl Fn(usize) -> Reaction + Send + 'static,
) -> Result<(), Failure> {
    let times = AtomicUsize::new(0);
    ctrlc::set_handler(move || {
        let time = times.fetch_add(1, Ordering::Relaxed) + 1;
        if react(time) == Reaction::Exit {
            commands.kill();
            process::exit(i32::from(INTERRUPTED));
        }
    })
    .map_err(|error| {
        let message = format!("Ctrl-C cannot be listened to: {error}");
        Failure::from(ErrorReport::new("interrupt", message, "please report this"))
    })
}

/// Asks a job to stop at the first interruption, and says so; ends the program at the second.
pub fn stop_on_interrupt(
    commands: &Commands,
    job: &JobId,
    terminal: &Terminal,
    told: &'static str,
) -> Result<(), Failure> {
    let (sender, terminal) = (commands.clone(), terminal.clone());
    let stop = Command::Stop(JobRef { job: job.clone() });
    on_interrupt(commands.clone(), move |time| {
        if time > 1 || sender.send(&stop).is_err() {
            return Reaction::Exit;
        }
        terminal.line(told);
        Reaction::GoOn
    })
}
