//! A client that goes away, in every stage of a run: its worker is gone within five seconds, the run
//! says that it was interrupted and goes on to the same bytes.

use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::processes::{adapter, output, read_until, rest, worker};
use super::program::Home;

/// A worker whose client is gone has this long.
const LIMIT: Duration = Duration::from_secs(5);

fn config(data: &str) -> Value {
    json!({
        "data": [data],
        "steps": 30,
        "batch_size": 2,
        "effective_batch_size": 4,
        "evaluate_every": 10,
        "context": 96,
    })
}

fn start(run: &Path, data: &str) -> Child {
    let mut child = worker().spawn().unwrap();
    let place = if run.join("run.json").is_file() {
        "resume"
    } else {
        "out"
    };
    let command = json!({
        "command": "train",
        "job": "j",
        "config": config(data),
        place: run,
        "min_event_interval_ms": 0,
    });
    writeln!(child.stdin.as_mut().unwrap(), "{command}").unwrap();
    child
}

/// Sends the run to its end.
fn finish(run: &Path, data: &str) {
    let mut child = start(run, data);
    let mut reader = output(&mut child);
    read_until(&mut reader, 1, |event| event["event"] == "finished");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

fn status(run: &Path) -> Value {
    let text = std::fs::read(run.join("status.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Waits for the child; how long it took.
fn ended_within(child: &mut Child) -> Duration {
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        let waited = began.elapsed();
        if waited > 2 * LIMIT {
            child.kill().unwrap();
            panic!("still there after {waited:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    began.elapsed()
}

/// More rows than can be read before the client is gone, all alike to what they are compared with.
fn large_dataset(path: &Path) {
    let rows: String = (0..300_000)
        .map(|n| {
            let words: Vec<String> = (0..12)
                .map(|k| ((n * 31 + k * k) % 997).to_string())
                .collect();
            format!(
                "{{\"prompt\":\"say {n}\",\"completion\":\"{}\"}}\n",
                words.join(" ")
            )
        })
        .collect();
    std::fs::write(path, rows).unwrap();
}

#[test]
fn the_worker_is_gone_in_time_in_every_stage() {
    let home = Home::new();
    let whole = home.path().join("whole");
    finish(&whole, "builtin");
    assert_eq!(status(&whole)["state"], "finished");
    let large = home.path().join("large.jsonl");
    large_dataset(&large);
    let large = large.to_str().unwrap();

    let stages = [
        ("loading_model", "builtin"),
        ("loading_data", large),
        ("rehearsing", "builtin"),
        ("training", "builtin"),
        ("evaluating", "builtin"),
        ("checkpointing", "builtin"),
    ];
    for (stage, data) in stages {
        let run = home.path().join(stage);
        let mut child = start(&run, data);
        let mut reader = output(&mut child);
        read_until(&mut reader, 1, |event| event["phase"] == stage);
        if stage == "loading_data" {
            read_until(&mut reader, 2, |event| event["event"] == "reading");
        }
        drop(child.stdin.take());
        let took = ended_within(&mut child);
        println!("{stage}: gone after {took:?}");
        assert!(took < LIMIT, "{stage}: {took:?}");
        let end = rest(reader).pop().unwrap();
        assert_eq!(end["event"], "stopped", "{stage}: {end}");
        if data == large {
            continue;
        }
        if run.exists() {
            assert_eq!(status(&run)["state"], "interrupted", "{stage}");
        }
        finish(&run, data);
        assert_eq!(status(&run)["state"], "finished");
        assert_eq!(adapter(&run), adapter(&whole), "{stage}");
    }
}

/// As a window does that is killed: nothing is closed in order.
#[cfg(unix)]
#[test]
fn a_client_that_is_killed_leaves_an_interrupted_run() {
    use super::interrupted::{SMALL, is_step};
    use super::processes::{signal, state, worker_of};

    let home = Home::new();
    let path = |name: &str| home.path().join(name);
    let train = |run: &Path| {
        let mut arguments = vec!["train", "--json", "--out", run.to_str().unwrap()];
        arguments.extend(SMALL);
        home.command(&arguments)
    };
    let whole = path("whole");
    assert!(train(&whole).output().unwrap().status.success());

    let broken = path("broken");
    let mut child = train(&broken).spawn().unwrap();
    let mut reader = output(&mut child);
    read_until(&mut reader, 3, is_step);
    let worker = worker_of(child.id());
    signal("KILL", child.id());
    child.wait().unwrap();
    // Its events are read no more; the end of its input is what tells the worker.
    drop(reader);
    let began = Instant::now();
    while state(worker).is_some() {
        assert!(began.elapsed() < LIMIT, "the worker is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("gone after {:?}", began.elapsed());
    assert_eq!(status(&broken)["state"], "interrupted");
    let resumed = home.run(&["train", "--json", "--resume", broken.to_str().unwrap()]);
    assert_eq!(resumed.code(), Some(0), "{}", resumed.stderr());
    assert_eq!(status(&broken)["state"], "finished");
    assert_eq!(adapter(&broken), adapter(&whole));
}

#[test]
fn pause_and_keep_through_a_real_worker() {
    let home = Home::new();
    let run = home.path().join("run");
    for (command, state, kind) in [
        ("stop", "paused", "stopped"),
        ("keep", "finished", "finished"),
    ] {
        let mut child = start(&run, "builtin");
        let mut reader = output(&mut child);
        read_until(&mut reader, 2, |event| event["event"] == "step");
        assert_eq!(status(&run)["state"], "running");
        let line = json!({"command": command, "job": "j"});
        writeln!(child.stdin.as_mut().unwrap(), "{line}").unwrap();
        let events = read_until(&mut reader, 1, |event| event["event"] == kind);
        let step = events.last().unwrap()["step"].as_u64().unwrap();
        assert!(step < 30, "{step}");
        let status = status(&run);
        assert_eq!(
            (&status["state"], &status["step"]),
            (&json!(state), &json!(step))
        );
        if command == "keep" {
            assert_eq!(
                status["ended_early"],
                format!("ended by you at step {step}")
            );
            let mut evaluations = { events.iter() }.filter(|event| event["event"] == "evaluation");
            assert_eq!(evaluations.next_back().unwrap()["step"], step);
        }
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
}
