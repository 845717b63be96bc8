//! Stopping a run, in every way a user or a system does it, and going on with it.

use std::io::Write;

use serde_json::{Value, json};

use super::processes::{adapter, output, read_until, rest, signal, worker, worker_of};
use super::program::{Answer, Home, of_kind};

pub const SMALL: [&str; 10] = [
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

pub fn is_step(event: &Value) -> bool {
    event["event"] == "step"
}

fn losses(events: &[Value]) -> Vec<String> {
    of_kind(events, "step")
        .iter()
        .map(|step| step["loss"].to_string())
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
    let mut reader = output(&mut child);
    let mut events = read_until(&mut reader, 5, is_step);
    signal("INT", child.id());
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
    let mut child = worker().spawn().unwrap();
    let command = json!({
        "command": "train",
        "job": "j",
        "out": run,
        "config": {"steps": 500, "batch_size": 2, "effective_batch_size": 2, "context": 96},
        "min_event_interval_ms": 0,
    });
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{command}").unwrap();
    let mut reader = output(&mut child);
    let mut events = read_until(&mut reader, 3, is_step);
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
    let mut reader = output(&mut child);
    read_until(&mut reader, 1, is_step);

    let second = home.run(&["train", "--json", "--resume", run_text]);
    assert_eq!(second.code(), Some(1));
    assert_eq!(second.events().last().unwrap()["code"], "run_in_use");

    signal("KILL", worker_of(child.id()));
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
