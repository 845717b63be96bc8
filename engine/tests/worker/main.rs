//! The worker from outside: lines in, lines out, with jobs that need no model.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod client;
mod fake_jobs;
mod kept;
mod merging;

use std::io::{BufReader, Write, pipe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use stepladder_engine::worker::serve;
use stepladder_protocol::*;

use client::{Worker, chat, job};
use fake_jobs::{FakeJobs, LEFT};

#[test]
fn every_step_is_told_to_whom_asks_for_it() {
    let mut worker = Worker::start();
    worker.train("t", "steps", 0);
    let lines = worker.until_end("t");
    let steps: Vec<_> = lines
        .iter()
        .filter_map(|line| match &line.event {
            Event::Step(row) => Some((row.step, row.loss)),
            _ => None,
        })
        .collect();
    assert_eq!(steps.len(), 1000);
    assert_eq!(
        steps[0],
        (1, None),
        "a loss that is not a number crosses as null"
    );
    assert_eq!(steps[999], (1000, Some(1.0)));
    let Event::Finished(Finished::Training(summary)) = &lines.last().unwrap().event else {
        panic!("not finished")
    };
    assert_eq!(summary.run, "/runs/a");
    assert_eq!(summary.measured_peak_bytes, Some(1000));
    assert_eq!(summary.estimated_peak_bytes, Some(900));
    assert_eq!(summary.elapsed_secs, Some(1000.0));
    assert!(worker.close().is_empty());
}

#[test]
fn a_device_without_room_ends_the_worker_once_all_is_told() {
    let mut worker = Worker::start();
    worker.train("r", "has no room", 0);
    let Event::Failed(report) = worker.end_of("r") else {
        panic!("it has no room")
    };
    assert_eq!(report.code, "out_of_memory");
    assert_eq!(
        report.message,
        "the card has no room for 96 MiB more in step 12: the run holds 11.0 GiB and 40 MiB are free"
    );
    assert_eq!(report.hint, "planned were 11.0 GiB");
    let told = Instant::now();
    while !LEFT.load(Ordering::Acquire) {
        assert!(told.elapsed() < Duration::from_secs(20), "it goes on");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn merging_drops_steps_and_nothing_else() {
    let mut worker = Worker::start();
    worker.train("t", "steps", 10_000);
    let lines = worker.until_end("t");
    let steps: Vec<_> = lines
        .iter()
        .filter_map(|line| match &line.event {
            Event::Step(row) => Some(row.step),
            _ => None,
        })
        .collect();
    let evaluations = lines
        .iter()
        .filter(|line| matches!(line.event, Event::Evaluation(_)))
        .count();
    assert_eq!(evaluations, 10);
    assert!(steps.len() <= 12, "{steps:?}");
    assert!(steps.is_sorted());
    assert!(
        lines
            .iter()
            .any(|line| matches!(line.event, Event::Phase { .. }))
    );
    assert!(
        lines
            .iter()
            .any(|line| matches!(line.event, Event::Started(_)))
    );
}

#[test]
fn jobs_wait_in_order_and_a_waiting_one_can_be_stopped() {
    let mut worker = Worker::start();
    worker.train("first", "until stopped", 0);
    assert!(matches!(worker.next().event, Event::Phase { .. }));
    worker.train("second", "steps", 0);
    worker.train("third", "steps", 0);
    assert_eq!(
        worker.next(),
        Event::Queued { ahead: 1 }.of(&JobId::new("second"))
    );
    assert_eq!(
        worker.next(),
        Event::Queued { ahead: 2 }.of(&JobId::new("third"))
    );

    // Light jobs do not wait for heavy ones.
    worker.send(Command::Devices(job("d")));
    assert!(matches!(
        worker.end_of("d"),
        Event::Finished(Finished::Devices(_))
    ));

    worker.send(Command::Models(ModelsCommand {
        job: JobId::new("m"),
        own_folder: None,
        folders: vec!["here".into()],
    }));
    let Event::Finished(Finished::Models(list)) = worker.end_of("m") else {
        panic!("not finished")
    };
    assert_eq!(list.notices, ["here"]);

    worker.send(Command::Stop(job("second")));
    assert_eq!(
        worker.end_of("second"),
        Event::Stopped { run: None, step: 0 }
    );
    worker.send(Command::Stop(job("first")));
    let lines = worker.until_end("first");
    assert!(matches!(lines[0].event, Event::Checkpoint { .. }));
    assert_eq!(
        lines.last().unwrap().event,
        Event::Stopped {
            run: Some("/runs/a".to_owned()),
            step: 9
        }
    );
    assert!(matches!(worker.end_of("third"), Event::Finished(_)));
}

#[test]
fn a_panic_and_an_error_fail_the_job_and_the_worker_goes_on() {
    let mut worker = Worker::start();
    worker.train("p", "panics", 0);
    let Event::Failed(report) = worker.end_of("p") else {
        panic!("not failed")
    };
    assert_eq!(report.code, "internal");
    assert!(
        report.message.contains("index 7 is out of range"),
        "{}",
        report.message
    );
    assert!(report.details.unwrap().contains("fake_jobs.rs:"));

    worker.train("e", "fails", 0);
    let Event::Failed(report) = worker.end_of("e") else {
        panic!("not failed")
    };
    assert_eq!(report.code, "diverged");
    assert_eq!(
        report.message,
        "training diverged at step 3: the loss is NaN"
    );
    assert!(report.hint.contains("--learning-rate"));

    worker.send(Command::Inspect(InspectCommand {
        job: JobId::new("i"),
        target: "m".to_owned(),
        more: Vec::new(),
        model: None,
        show: None,
        from: None,
        context: None,
        data_options: None,
        held_out_fraction: None,
        hash: false,
    }));
    let Event::Failed(report) = worker.end_of("i") else {
        panic!("not failed")
    };
    assert_eq!(report.code, "model_file_missing");

    worker.train("deep", "deep", 0);
    assert!(matches!(worker.end_of("deep"), Event::Finished(_)));
}

#[test]
fn what_is_no_command_is_rejected() {
    let mut worker = Worker::start();
    let rejected = |worker: &Worker| match worker.next() {
        EventLine {
            event: Event::Rejected(report),
            job,
        } => (report.code, job),
        other => panic!("{other:?}"),
    };
    worker.send_line("rubbish");
    assert_eq!(rejected(&worker), ("not_a_command".to_owned(), None));
    worker.send_line(r#"{"command":"train","job":"x","config":{"contxt":1}}"#);
    assert_eq!(
        rejected(&worker),
        ("not_a_command".to_owned(), Some(JobId::new("x")))
    );
    worker.send_line(r#"{"command":"train","job":"x","config":{},"out":"a","resume":"b"}"#);
    assert_eq!(
        rejected(&worker),
        ("config_invalid".to_owned(), Some(JobId::new("x")))
    );
    worker.send(Command::Stop(job("nobody")));
    assert_eq!(
        rejected(&worker),
        ("unknown_job".to_owned(), Some(JobId::new("nobody")))
    );
    worker.train("t", "until stopped", 0);
    worker.train("t", "steps", 0);
    assert!(matches!(
        worker.next().event,
        Event::Phase { .. } | Event::Rejected(_)
    ));
    worker.send(Command::ChatEnd(job("t")));
    let codes: Vec<_> = worker
        .close()
        .into_iter()
        .filter_map(|line| match line.event {
            Event::Rejected(report) => Some(report.code),
            _ => None,
        })
        .collect();
    assert!(codes.contains(&"not_a_chat".to_owned()), "{codes:?}");
}

#[test]
fn a_comparison_tells_each_question_and_keeps_its_answers_when_stopped() {
    let mut worker = Worker::start();
    worker.send_line(r#"{"command":"compare","job":"c","model":"m","adapters":[],"out":"/c"}"#);
    while !matches!(
        worker.next().event,
        Event::Question(ComparedQuestion { number: 3, .. })
    ) {}
    worker.send(Command::Stop(job("c")));
    let lines = worker.until_end("c");
    let numbers: Vec<usize> = { lines.iter() }
        .filter_map(|line| match &line.event {
            Event::Question(question) => Some(question.number),
            _ => None,
        })
        .collect();
    let last = numbers.last().copied().unwrap_or(3);
    assert!(numbers.iter().copied().eq(4..=last), "{numbers:?}");
    let stopped = Event::Stopped {
        run: Some("/c".to_owned()),
        step: last,
    };
    assert_eq!(lines.last().unwrap().event, stopped);
}

#[test]
fn a_check_tells_each_cell_and_stops_at_the_next() {
    let mut worker = Worker::start();
    let check = |job: &str, cells| {
        Command::Check(CheckCommand {
            job: JobId::new(job),
            device: "cpu".to_owned(),
            cells,
        })
    };
    worker.send(check("few", Some(3)));
    let lines = worker.until_end("few");
    let numbers: Vec<_> = lines
        .iter()
        .filter_map(|line| match &line.event {
            Event::Checked(cell) => Some(cell.number),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(
        matches!(&lines.last().unwrap().event, Event::Finished(Finished::Check(summary)) if summary.cells == 3)
    );

    worker.send(check("endless", None));
    while !matches!(worker.next().event, Event::Checked(_)) {}
    // It holds the device: a run waits behind it.
    worker.train("t", "steps", 0);
    worker.send(Command::Stop(job("endless")));
    let lines = worker.until_end("endless");
    assert!(
        lines
            .iter()
            .any(|line| line.event == Event::Queued { ahead: 1 })
    );
    assert!(matches!(
        lines.last().unwrap().event,
        Event::Stopped { run: None, step: 0 }
    ));
    assert!(matches!(worker.end_of("t"), Event::Finished(_)));
}

#[test]
fn the_end_of_the_input_stops_all_jobs() {
    let mut worker = Worker::start();
    worker.train("running", "until stopped", 0);
    assert!(matches!(worker.next().event, Event::Phase { .. }));
    worker.train("waiting", "steps", 0);
    assert!(matches!(worker.next().event, Event::Queued { .. }));
    let rest = worker.close();
    let ends: Vec<_> = rest.iter().filter(|line| line.event.ends_job()).collect();
    assert_eq!(ends.len(), 2);
    assert!(
        ends.iter()
            .all(|line| matches!(line.event, Event::Stopped { .. }))
    );
    assert!(
        rest.iter()
            .any(|line| matches!(line.event, Event::Checkpoint { .. }))
    );
}

#[test]
fn a_chat_answers_is_interrupted_and_ends() {
    let mut worker = Worker::start();
    worker.send(chat());
    assert!(matches!(worker.next().event, Event::Notice { .. }));
    assert!(matches!(worker.next().event, Event::Ready(_)));

    worker.turn("hello");
    assert!(matches!(
        worker.next().event,
        Event::Text {
            reasoning: true,
            ..
        }
    ));
    let text = Event::Text {
        text: "hello".to_owned(),
        reasoning: false,
    };
    assert_eq!(worker.next().event, text);
    assert!(matches!(
        worker.next().event,
        Event::Reply(ReplyStats {
            total_tokens: 2,
            ..
        })
    ));

    worker.turn("forever");
    assert!(matches!(worker.next().event, Event::Text { .. }));
    worker.send(Command::ChatInterrupt(job("c")));
    assert!(matches!(worker.next().event, Event::Text { .. }));
    let Event::Reply(stats) = worker.next().event else {
        panic!("no reply")
    };
    assert_eq!(stats.finish, FinishReason::Cancelled);

    worker.turn("fail");
    assert!(matches!(worker.next().event, Event::TurnFailed(_)));

    // What was asked before the end is still answered.
    worker.turn("last");
    worker.send(Command::ChatEnd(job("c")));
    let lines = worker.until_end("c");
    assert!(
        lines
            .iter()
            .any(|line| matches!(line.event, Event::Reply(_)))
    );
    assert_eq!(
        lines.last().unwrap().event,
        Event::Finished(Finished::Chat(ChatSummary { replies: 3 }))
    );
}

/// What there is to know of an adapter chosen within a chat is told before its first answer, once.
#[test]
fn an_adapter_chosen_later_brings_its_notice() {
    let mut worker = Worker::start();
    worker.send(chat());
    for _ in 0..2 {
        worker.turn_with("hello", AdapterChoice::At("other".into()));
    }
    worker.turn("hello");
    worker.send(Command::ChatEnd(job("c")));
    let told: Vec<String> = worker
        .until_end("c")
        .into_iter()
        .filter_map(|line| match line.event {
            Event::Notice { text } => Some(text),
            Event::Reply(_) => Some("a reply".to_owned()),
            _ => None,
        })
        .collect();
    let expected = [
        "The adapter is old.",
        "The other adapter is older.",
        "a reply",
        "a reply",
        "a reply",
    ];
    assert_eq!(told, expected);
}

#[test]
fn stopping_a_chat_ends_its_reply_too() {
    let mut worker = Worker::start();
    worker.send(chat());
    worker.turn("forever");
    assert!(matches!(worker.next().event, Event::Notice { .. }));
    assert!(matches!(worker.next().event, Event::Ready(_)));
    assert!(matches!(worker.next().event, Event::Text { .. }));
    worker.send(Command::Stop(job("c")));
    assert_eq!(worker.end_of("c"), Event::Stopped { run: None, step: 0 });
}

#[test]
fn a_client_that_stops_reading_stops_the_run() {
    let (command_reader, input) = pipe().unwrap();
    let (event_reader, output) = pipe().unwrap();
    let thread = std::thread::spawn(move || {
        serve(BufReader::new(command_reader), output, Arc::new(FakeJobs)).unwrap();
    });
    drop(event_reader);
    let mut input = input;
    let train = r#"{"command":"train","job":"t","config":{"model":"steps"},"out":"a","min_event_interval_ms":0}"#;
    input.write_all(format!("{train}\n").as_bytes()).unwrap();
    drop(input);
    thread.join().unwrap();
}
