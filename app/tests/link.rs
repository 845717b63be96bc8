//! The link to a worker process that misbehaves: a shell script plays the worker.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use stepladder::link::{LinkError, WorkerOptions, WorkerProcess};
use stepladder_protocol::{BUILD, Command, Event, EventLine, JobId, JobRef};

const HELLO: &str =
    r#"echo '{"event":"hello","protocol":1,"version":"0.1.0","build":"'$STEPLADDER_TEST_BUILD'"}'"#;

fn start(script: &str) -> Result<WorkerProcess, LinkError> {
    WorkerProcess::start(&WorkerOptions {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        threads: Some(3),
        variables: vec![("STEPLADDER_TEST_BUILD".into(), BUILD.into())],
    })
}

fn devices(job: &str) -> Command {
    Command::Devices(JobRef {
        job: JobId::new(job),
    })
}

fn failed(line: Option<EventLine>) -> (String, stepladder_protocol::ErrorReport) {
    match line {
        Some(EventLine {
            event: Event::Failed(report),
            job: Some(job),
        }) => (job.0, report),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_worker_that_dies_in_a_job_is_told() {
    let worker = start(&format!(
        "{HELLO}; read line; echo last words >&2; kill -9 $$"
    ))
    .unwrap();
    worker.commands().send(&devices("a")).unwrap();
    let (job, report) = failed(worker.next_event());
    assert_eq!((job.as_str(), report.code.as_str()), ("a", "worker_died"));
    assert!(report.message.contains("signal: 9"), "{}", report.message);
    assert_eq!(report.details.as_deref(), Some("last words"));
    assert_eq!(worker.next_event(), None);
    assert!(matches!(
        worker.commands().send(&devices("b")),
        Err(LinkError::Send(_))
    ));
}

#[test]
fn each_open_job_gets_its_end_and_ended_ones_no_second() {
    let end = r#"{"event":"stopped","run":null,"step":0,"job":"a"}"#;
    let rejected = r#"{"event":"rejected","code":"x","message":"m","hint":"h","job":"b"}"#;
    let script =
        format!("{HELLO}; read l; read l; read l; read l; echo '{end}'; echo '{rejected}'; exit 3");
    let worker = start(&script).unwrap();
    for job in ["a", "b", "c", "d"] {
        worker.commands().send(&devices(job)).unwrap();
    }
    assert!(matches!(
        worker.next_event().unwrap().event,
        Event::Stopped { .. }
    ));
    assert!(matches!(
        worker.next_event().unwrap().event,
        Event::Rejected(_)
    ));
    let (job, report) = failed(worker.next_event());
    assert_eq!(job, "c");
    assert!(
        report.message.contains("exit status: 3"),
        "{}",
        report.message
    );
    assert_eq!(failed(worker.next_event()).0, "d");
    assert_eq!(worker.next_event(), None);
}

#[test]
fn rubbish_ends_the_worker() {
    let worker = start(&format!(
        "{HELLO}; read line; echo 'progress: 3%'; exec sleep 600"
    ))
    .unwrap();
    let begun = Instant::now();
    worker.commands().send(&devices("a")).unwrap();
    let (_, report) = failed(worker.next_event());
    assert_eq!(report.code, "worker_protocol");
    assert!(
        report.message.contains("\"progress: 3%\""),
        "{}",
        report.message
    );
    drop(worker);
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_a_dead_worker_left_running_holds_nobody_up() {
    let worker = start(&format!("{HELLO}; read line; sleep 20 & kill -9 $$")).unwrap();
    let begun = Instant::now();
    worker.commands().send(&devices("a")).unwrap();
    worker.commands().kill();
    drop(worker);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn another_version_is_refused() {
    let error = start(
        r#"echo '{"event":"hello","protocol":99,"version":"9.0","build":"x"}'; exec sleep 600"#,
    )
    .unwrap_err();
    assert!(
        matches!(error, LinkError::Version { protocol: 99, .. }),
        "{error}"
    );
    let report = error.report();
    assert_eq!(report.code, "worker_version");
    assert!(report.message.contains("version 9.0"), "{}", report.message);
}

#[test]
fn another_build_is_refused() {
    let error = start(
        r#"echo '{"event":"hello","protocol":1,"version":"0.1.0","build":"x"}'; exec sleep 600"#,
    )
    .unwrap_err();
    let report = error.report();
    assert_eq!(report.code, "worker_version");
    let sentence = format!("sh is of another build (0.1.0, x) than this program ({BUILD})");
    assert_eq!(report.message, sentence);
    assert!(report.hint.contains("install Stepladder again"));
}

#[test]
fn what_a_worker_says_before_it_ends_is_the_reason() {
    let script = "echo 'error: cuBLAS 13 was not found' >&2; echo 'hint: install it' >&2; exit 1";
    let report = start(script).unwrap_err().report();
    assert_eq!(
        (report.message.as_str(), report.hint.as_str()),
        ("cuBLAS 13 was not found", "install it")
    );
}

#[test]
fn a_worker_that_is_none_is_refused() {
    let error = start("echo hi; exec sleep 600").unwrap_err();
    assert!(error.to_string().contains("\"hi\""), "{error}");
    let error = start("echo 'no such library' >&2; exit 127").unwrap_err();
    assert_eq!(error.report().details.as_deref(), Some("no such library"));
    let error = start(r#"echo '{"event":"queued","ahead":1}'; exec sleep 600"#).unwrap_err();
    assert!(matches!(error, LinkError::NoHello { .. }), "{error}");

    let nowhere = WorkerOptions {
        program: "/no/such/program".into(),
        arguments: Vec::new(),
        threads: None,
        variables: Vec::new(),
    };
    assert!(matches!(
        WorkerProcess::start(&nowhere),
        Err(LinkError::Start(_))
    ));
}

#[test]
fn a_name_is_used_once_at_a_time() {
    let worker = start(&format!("{HELLO}; cat > /dev/null")).unwrap();
    worker.commands().send(&devices("a")).unwrap();
    assert!(matches!(
        worker.commands().send(&devices("a")),
        Err(LinkError::JobExists(_))
    ));
}

#[test]
fn the_worker_gets_its_threads_and_the_end_of_its_input() {
    let notice = r#"{\"event\":\"notice\",\"text\":\"$RAYON_NUM_THREADS\"}"#;
    let goodbye = r#"{"event":"notice","text":"bye"}"#;
    let script = format!("{HELLO}; echo \"{notice}\"; cat > /dev/null; echo '{goodbye}'");
    let worker = start(&script).unwrap();
    let text = |line: Option<EventLine>| match line.unwrap().event {
        Event::Notice { text } => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(text(worker.next_event()), "3");
    worker.commands().close();
    assert_eq!(text(worker.next_event()), "bye");
    assert_eq!(worker.next_event(), None);
}

#[test]
fn a_worker_is_not_blocked_by_a_client_that_goes_away() {
    // More lines than the channel holds; the worker must still come to its end.
    let script = format!(
        "{HELLO}; i=0; while [ $i -lt 3000 ]; do echo '{}'; i=$((i+1)); done",
        r#"{"event":"notice","text":"x"}"#
    );
    let begun = Instant::now();
    drop(start(&script).unwrap());
    assert!(begun.elapsed() < Duration::from_secs(30));
}
