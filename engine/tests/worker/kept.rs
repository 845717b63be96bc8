//! Ending a run early and keeping what it has.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stepladder_engine::worker::run_with;
use stepladder_protocol::*;

use super::client::{Worker, chat, job};
use super::fake_jobs::FakeJobs;

#[test]
fn a_run_that_is_kept_finishes() {
    let mut worker = Worker::start();
    worker.train("t", "until stopped", 0);
    assert!(matches!(worker.next().event, Event::Phase { .. }));
    worker.send(Command::Keep(job("t")));
    let Event::Finished(Finished::Training(summary)) = worker.end_of("t") else {
        panic!("not finished")
    };
    assert_eq!(summary.step, 9);
}

#[test]
fn a_run_that_waits_has_nothing_to_keep() {
    let mut worker = Worker::start();
    worker.train("first", "until stopped", 0);
    assert!(matches!(worker.next().event, Event::Phase { .. }));
    worker.train("second", "steps", 0);
    worker.send(Command::Keep(job("second")));
    assert_eq!(
        worker.end_of("second"),
        Event::Stopped { run: None, step: 0 }
    );
}

#[test]
fn what_is_no_run_cannot_be_kept() {
    let mut worker = Worker::start();
    worker.send(chat());
    worker.send(Command::Keep(job("c")));
    let rejected = loop {
        if let Event::Rejected(report) = worker.next().event {
            break report;
        }
    };
    assert_eq!(rejected.code, "not_a_run");
    // The chat goes on.
    worker.turn("hello");
    worker.send(Command::ChatEnd(job("c")));
    assert!(matches!(worker.end_of("c"), Event::Finished(_)));
    worker.send(Command::Keep(job("c")));
    let Event::Rejected(report) = worker.next().event else {
        panic!("not rejected")
    };
    assert_eq!(report.code, "unknown_job");
}

fn export(adapter: &str) -> Command {
    Command::Export(ExportCommand {
        job: JobId::new("e"),
        adapter: adapter.into(),
        to: ExportFormat::Adapter,
        out: "out".into(),
    })
}

#[test]
fn an_export_tells_how_far_it_is_and_can_be_stopped() {
    let mut worker = Worker::start();
    worker.send(export("until stopped"));
    let Event::Progress(progress) = worker.next().event else {
        panic!("no progress")
    };
    assert_eq!(progress.phase, Phase::Exporting);
    assert_eq!((progress.done, progress.total), (1, 2));
    // Devices are looked at beside whatever else is looked at.
    worker.send(Command::Devices(job("d")));
    assert!(matches!(worker.end_of("d"), Event::Finished(_)));
    worker.send(Command::Stop(job("e")));
    assert_eq!(worker.end_of("e"), Event::Stopped { run: None, step: 0 });
}

/// Set in the process that is the worker of the next test.
const IS_WORKER: &str = "STEPLADDER_TEST_IS_WORKER";

/// Whoever asked is gone, and the job does not look whether it is to end.
#[test]
fn a_job_that_does_not_end_is_left_where_it_is() {
    if std::env::var_os(IS_WORKER).is_some() {
        run_with(Arc::new(FakeJobs)).unwrap();
        return;
    }
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "kept::a_job_that_does_not_end_is_left_where_it_is",
            "--nocapture",
        ])
        .env(IS_WORKER, "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let command = serde_json::to_string(&export("for ever")).unwrap();
    writeln!(input, "{command}").unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let begun = |line: String| line.contains("exporting");
    assert!(lines.map_while(Result::ok).any(begun));
    drop(input);
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it is still there"
        );
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(3), "{status}");
    assert!(
        began.elapsed() > Duration::from_secs(2),
        "it was given time"
    );
}
