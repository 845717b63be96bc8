//! Kill -9 at any moment: every run goes on where its last checkpoint stands and ends as the run
//! that was never killed, to the bit.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::processes::{adapter, worker};
use super::program::Home;

const KILLS: usize = 200;

/// Moments from a fixed stream, so that a failure can be looked at again.
struct Moments(u64);

impl Moments {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn config(data: &Path) -> Value {
    // Two micro-batches to a step, and a checkpoint after each: many moments are inside a write.
    json!({
        "data": [data],
        "steps": 10,
        "batch_size": 2,
        "effective_batch_size": 4,
        "evaluate_every": 3,
        "checkpoint_every": 1,
        "held_out_fraction": 0.2,
        "context": 64,
    })
}

fn start(run: &Path, data: &Path) -> Child {
    let resume = run.join("run.json").is_file();
    let mut child = worker().spawn().unwrap();
    let place = if resume { "resume" } else { "out" };
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

/// Reads events to the end, or until this one; whether the job finished.
fn read(child: &mut Child, until: Option<&str>) -> bool {
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut finished = false;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            break;
        }
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_ne!(event["event"], "failed", "{event}");
        finished |= event["event"] == "finished";
        if finished || until.is_some_and(|kind| event["phase"] == kind) {
            break;
        }
    }
    child.stdout = Some(reader.into_inner());
    finished
}

fn figures(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            ["event", "step", "loss", "gradient_norm"]
                .map(|key| row[key].to_string())
                .join(" ")
        })
        .collect()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        if path.is_dir() {
            names.extend(files(&path));
        }
    }
    names
}

#[test]
fn two_hundred_kills_change_nothing() {
    let home = Home::new();
    let data = home.path().join("data.jsonl");
    let rows: String = (0..24)
        .map(|n| {
            format!(
                "{{\"prompt\":\"say {n}\",\"completion\":\"word {}\"}}\n",
                n * n
            )
        })
        .collect();
    std::fs::write(&data, rows).unwrap();

    let whole = home.path().join("whole");
    let began = Instant::now();
    let mut child = start(&whole, &data);
    assert!(read(&mut child, None));
    drop(child.stdin.take());
    child.wait().unwrap();
    let duration_us = began.elapsed().as_micros() as u64;

    let mut moments = Moments(7);
    let (mut kills, mut runs, mut kills_of_run) = (0, 0, 0);
    while kills < KILLS || kills_of_run > 0 {
        let run = home.path().join(format!("run-{runs}"));
        let mut child = start(&run, &data);
        // A run that was killed often enough may end; every second kill aims at a checkpoint.
        let finished = if kills >= KILLS || kills_of_run >= 12 {
            read(&mut child, None)
        } else if kills % 2 == 0 {
            let finished = read(&mut child, Some("checkpointing"));
            std::thread::sleep(Duration::from_micros(moments.below(6000)));
            finished
        } else {
            std::thread::sleep(Duration::from_micros(moments.below(duration_us)));
            false
        };
        if !finished {
            child.kill().unwrap();
            kills += 1;
            kills_of_run += 1;
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        if finished {
            assert_eq!(
                figures(&run),
                figures(&whole),
                "run {runs} after {kills_of_run} kills"
            );
            assert_eq!(
                adapter(&run),
                adapter(&whole),
                "run {runs} after {kills_of_run} kills"
            );
            let left = files(&run);
            assert!(!left.iter().any(|name| name.ends_with(".part")), "{left:?}");
            let checkpoints = left.iter().filter(|name| name.starts_with("step-"));
            assert_eq!(checkpoints.count(), 2, "{left:?}");
            (runs, kills_of_run) = (runs + 1, 0);
        }
    }
    println!("{kills} kills, {runs} runs, all equal to the unbroken one");
}
