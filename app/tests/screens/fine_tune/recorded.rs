//! What a worker once said, and what one might say.

use egui_kittest::Harness;
use stepladder::outside::Replay;
use stepladder::state::{Desk, Effect, News};
use stepladder_protocol::{Command, ErrorReport, Event, JobId};

use crate::support::{TestWindow, asked, hear};

/// About the built-in model and dataset, after the window has opened.
pub const START: &str = include_str!("recorded/start.jsonl");
/// About `/data/strange.csv`, whose columns are German.
pub const UNKNOWN_FORMAT: &str = include_str!("recorded/unknown_format.jsonl");
/// About the memory of the built-in model and dataset, once it is known how long that one's rows are.
pub const PLANNED: &str = include_str!("recorded/planned.jsonl");
/// About `/data/strange.csv`, mapped by hand.
pub const MAPPED: &str = include_str!("recorded/mapped.jsonl");
/// About `/data/support.jsonl`, some rows of which are broken.
pub const BROKEN_ROWS: &str = include_str!("recorded/broken_rows.jsonl");
/// About qwen2.5-7b on a card of 12 GiB.
pub const DOES_NOT_FIT: &str = include_str!("recorded/does_not_fit.jsonl");

/// Plays what was recorded as an answer to the latest job whose name begins so.
pub fn play(harness: &mut Harness<'static, TestWindow>, log: &str, job: &JobId) {
    let replay = Replay::of_log(Desk::Looking, log).expect("recorded events");
    for news in replay.news {
        match news {
            News::Event(desk, line) => hear(harness, News::Event(desk, line.event.of(job))),
            other => hear(harness, other),
        }
    }
}

/// Plays what was recorded when the window opened.
pub fn start(harness: &mut Harness<'static, TestWindow>) {
    for news in Replay::of_log(Desk::Looking, START)
        .expect("recorded events")
        .news
    {
        harness.state_mut().outside().news.push_back(news);
    }
    planned(harness);
    asked(harness);
}

/// Answers the question for memory that follows on a dataset that was read.
pub fn planned(harness: &mut Harness<'static, TestWindow>) {
    harness.step();
    let commands = quiet(harness);
    play(harness, PLANNED, &job_about(&commands, "memory"));
}

/// Says an event of a job.
pub fn say(harness: &mut Harness<'static, TestWindow>, job: &JobId, event: Event) {
    hear(harness, News::Event(Desk::Looking, event.of(job)));
}

/// Fails a job.
pub fn fail(harness: &mut Harness<'static, TestWindow>, job: &JobId, code: &str, message: &str) {
    let report = ErrorReport::new(code, message, "look again");
    say(harness, job, Event::Failed(report));
}

/// What was asked since the last time, once the page has been quiet for long enough.
pub fn quiet(harness: &mut Harness<'static, TestWindow>) -> Vec<Command> {
    harness.step();
    std::thread::sleep(std::time::Duration::from_millis(270));
    harness.step();
    harness.step();
    let commands = asked(harness)
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Send(Desk::Looking, command) => Some(*command),
            _ => None,
        });
    commands.collect()
}

/// The job of the first of the commands that asks about this: `model`, `data`, `rows`, `memory`.
pub fn job_about(commands: &[Command], what: &str) -> JobId {
    let begin = format!("setup/{what}/");
    let job_of = |command: &Command| match command {
        Command::Inspect(inspect) => Some(inspect.job.clone()),
        Command::Estimate(estimate) => Some(estimate.job.clone()),
        _ => None,
    };
    let mut jobs = commands.iter().filter_map(job_of);
    jobs.find(|job| job.0.starts_with(&begin))
        .unwrap_or_else(|| panic!("nothing was asked about {what}: {commands:#?}"))
}
