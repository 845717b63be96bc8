//! Stopping a run, in every way a user or a system does it, and going on with it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::program::{Answer, Home, executable, of_kind};

const SMALL: [&str; 10] = [
    "--steps",
    "40",
    "--batch-size",
    "2",
    "--effective-batch-size",
    "2",
    "--context",
    "96",
    "--threads",
    "1",
];

fn train(home: &Home, run: &str, more: &[&str]) -> Answer {
    let mut arguments = vec!["train", "--json", "--out", run];
    arguments.extend(SMALL);
    arguments.extend(more);
    home.run(&arguments)
}

fn losses(events: &[Value]) -> Vec<String> {
    of_kind(events, "step")
        .iter()
        .map(|step| step["loss"].to_string())
        .collect()
}

fn adapter(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("adapter/adapter.safetensors")).unwrap()
}

/// Lines of a child's stdout up to and with the first of this event.
fn read_until(child: &mut Child, event: &str, count: usize) -> (Vec<Value>, impl BufRead + use<>) {
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let (mut events, mut seen) = (Vec::new(), 0);
    while seen < count {
        let mut line = String::new();
        assert!(
            reader.read_line(&mut line).unwrap() > 0,
            "ended before {event}"
        );
        let value: Value = serde_json::from_str(&line).unwrap();
        seen += usize::from(value["event"] == event);
        events.push(value);
    }
    (events, reader)
}

fn rest(mut reader: impl BufRead) -> Vec<Value> {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_a_checkpoint_and_the_run_goes_on_to_the_same_bytes() {
    let home = Home::new();
    let path = |name: &str| home.path().join(name);
    let whole = train(&home, path("whole").to_str().unwrap(), &[]);
    assert_eq!(whole.code(), Some(0), "{}", whole.stderr());

    let broken = path("broken");
    let mut arguments = vec!["train", "--json", "--out", broken.to_str().unwrap()];
    arguments.extend(SMALL);
    let mut child = home.command(&arguments).spawn().unwrap();
    let (mut events, reader) = read_until(&mut child, "step", 5);
    let sent = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    events.extend(rest(reader));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last = events.last().unwrap();
    assert_eq!(last["event"], "stopped");
    let stopped_at = last["step"].as_u64().unwrap() as usize;
    assert!((5..40).contains(&stopped_at), "stopped at {stopped_at}");

    let resumed = home.run(&["train", "--json", "--resume", broken.to_str().unwrap()]);
    assert_eq!(resumed.code(), Some(0), "{}", resumed.stderr());
    let expected = losses(&whole.events());
    assert_eq!(losses(&events), expected[..stopped_at]);
    assert_eq!(losses(&resumed.events()), expected[stopped_at..]);
    assert_eq!(adapter(&broken), adapter(&path("whole")));
}

/// A worker whose client is gone must not hold the device: it stops, saves and exits by itself.
#[test]
fn a_worker_whose_input_ends_saves_and_exits() {
    let home = Home::new();
    let run = home.path().join("run");
    let mut child = std::process::Command::new(executable())
        .arg("worker")
        .env("RAYON_NUM_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let command = json!({
        "command": "train",
        "job": "j",
        "out": run,
        "config": {"steps": 500, "batch_size": 2, "effective_batch_size": 2, "context": 96},
        "min_event_interval_ms": 0,
    });
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{command}").unwrap();
    let (mut events, reader) = read_until(&mut child, "step", 3);
    drop(input);
    events.extend(rest(reader));
    assert!(child.wait().unwrap().success());
    assert_eq!(events[0]["event"], "hello");
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["job"]),
        (&json!("stopped"), &json!("j"))
    );
    let step = last["step"].as_u64().unwrap();
    assert!(
        run.join(format!("checkpoints/step-{step:08}/state.json"))
            .is_file()
    );
}

#[test]
fn a_run_in_use_is_refused_and_a_killed_worker_is_reported() {
    let home = Home::new();
    let run = home.path().join("run");
    let run_text = run.to_str().unwrap();
    let mut arguments = vec!["train", "--json", "--out", run_text];
    arguments.extend(SMALL);
    // long enough that a second program starts while it goes on
    arguments[5] = "200";
    let mut child = home.command(&arguments).spawn().unwrap();
    let (_, reader) = read_until(&mut child, "step", 1);

    let second = home.run(&["train", "--json", "--resume", run_text]);
    assert_eq!(second.code(), Some(1));
    assert_eq!(second.events().last().unwrap()["code"], "run_in_use");

    let worker = worker_of(child.id());
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &worker.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let events = rest(reader);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["code"]),
        (&json!("failed"), &json!("worker_died"))
    );

    // The lock went with the process: the run is free again.
    let third = home.run(&["train", "--json", "--resume", run_text]);
    assert_eq!(third.code(), Some(0), "{}", third.stderr());
    assert_eq!(third.events().last().unwrap()["event"], "finished");
}

/// The child process of a process.
fn worker_of(parent: u32) -> u32 {
    let output = std::process::Command::new("ps")
        .args(["-eo", "pid=,ppid="])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut children = text.lines().filter_map(|line| {
        let mut numbers = line
            .split_whitespace()
            .map(|word| word.parse::<u32>().unwrap());
        Some((numbers.next()?, numbers.next()?))
    });
    children.find(|(_, of)| *of == parent).unwrap().0
}
