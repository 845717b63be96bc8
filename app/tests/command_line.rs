//! The program from outside: exit codes, and what goes to which stream.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn stepladder(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_stepladder"))
        .args(arguments)
        .env("STEPLADDER_HOME", home.path())
        .env("STEPLADDER_NO_CUDA", "a test wants none")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Without a verb it opens the window, and says so where there is nothing to open it on.
#[cfg(target_os = "linux")]
#[test]
fn without_a_display_the_window_cannot_be_opened() {
    // By itself: where the desktop program lies beside it, that is started.
    let home = tempfile::tempdir().unwrap();
    let alone = home.path().join("stepladder");
    std::fs::copy(env!("CARGO_BIN_EXE_stepladder"), &alone).unwrap();
    let output = Command::new(&alone)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("STEPLADDER_HOME", home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = err(&output);
    assert!(
        text.starts_with("error: the window cannot be opened"),
        "{text}"
    );
    assert!(text.contains("hint: use the commands"), "{text}");
}

#[test]
fn help_and_version_are_told() {
    let output = stepladder(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(out(&output).contains("Exit codes"));
    assert_eq!(stepladder(&["--version"]).status.code(), Some(0));
}

#[test]
fn wrong_usage_exits_with_2() {
    let output = stepladder(&["train", "--method", "magic", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(out(&output), "");
    assert!(
        err(&output).contains("the methods are ladder, xladder, qlora and lora"),
        "{}",
        err(&output)
    );

    let output = stepladder(&["train", "--config", "no-such.json"]);
    assert_eq!(output.status.code(), Some(2));
    let text = err(&output);
    assert!(
        text.starts_with("error: cannot read no-such.json: "),
        "{text}"
    );
    assert!(text.contains("\nhint: "), "{text}");
}

#[test]
fn devices_are_listed_for_people_and_programs() {
    let output = stepladder(&["devices", "--threads", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let text = out(&output);
    assert!(text.starts_with("cpu  "), "{text}");
    assert!(
        text.contains("2 threads") && text.contains(" free of "),
        "{text}"
    );
    assert!(
        text.ends_with("\nComputing on the processor: a test wants none.\n"),
        "{text}"
    );

    let output = stepladder(&["devices", "--json", "--threads", "1"]);
    let report: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(report["devices"][0]["id"], "cpu");
    assert_eq!(report["devices"][0]["threads"], 1);
    assert!(report["devices"][0]["memory_total_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn a_gpu_that_is_not_here_is_refused_and_the_failure_is_an_event() {
    let output = stepladder(&["train", "--device", "cuda:1", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let text = out(&output);
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "failed");
    assert_eq!(last["code"], "device_unavailable");
    assert!(last["job"].is_null());
    let expected = "error: device cuda:1 is not available: a test wants none\nhint: ";
    assert!(err(&output).starts_with(expected), "{}", err(&output));
}

#[test]
fn the_worker_speaks_only_the_protocol_and_ends_with_its_input() {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_stepladder"))
        .arg("worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = worker.stdin.take().unwrap();
    input
        .write_all(b"{\"command\":\"devices\",\"job\":\"d\"}\nrubbish\n")
        .unwrap();
    drop(input);
    let output = worker.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let lines: Vec<Value> = out(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["event"], "hello");
    assert_eq!(lines[0]["protocol"], 1);
    let mut events: Vec<_> = lines[1..]
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    events.sort_unstable();
    assert!(
        events == ["finished", "rejected"] || events == ["rejected", "stopped"],
        "{events:?}"
    );
}
