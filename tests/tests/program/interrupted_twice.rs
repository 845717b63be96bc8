//! Ctrl-C again while the first one is being honored: the program ends at once and takes its worker
//! along, and the run goes on from its last checkpoint to the bytes of one that was left alone.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::interrupted::{SMALL, is_step};
use super::processes::{adapter, output, read_until, rest, signal, state, worker_of};
use super::program::{Home, executable};

/// A program that trains, and its worker. Neither outlives a test that fails.
struct Training {
    program: Child,
    worker: u32,
    events: BufReader<ChildStdout>,
}

impl Training {
    /// Starts or resumes a run and waits until it made this many steps.
    fn start(home: &Home, run: &Path, steps: usize) -> Self {
        // A stopped worker whose program is gone is hung up on by the kernel. That would hide a
        // worker that was left behind, so it is told not to mind.
        let mut command = Command::new("nohup");
        command
            .arg(executable())
            .args(arguments(run))
            .env("STEPLADDER_HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut program = command.spawn().unwrap();
        let mut events = output(&mut program);
        read_until(&mut events, steps, is_step);
        Self {
            worker: worker_of(program.id()),
            program,
            events,
        }
    }

    fn interrupt(&self) {
        signal("INT", self.program.id());
    }

    /// Waits until the first interruption was taken notice of: two at once would count as one.
    fn is_stopping(&mut self) {
        let errors = BufReader::new(self.program.stderr.take().unwrap());
        let mut lines = errors.lines().map(Result::unwrap);
        let said = lines.any(|line| line.starts_with("stopping: saving a checkpoint"));
        assert!(said, "nothing is said of stopping");
    }

    /// The exit code, when program and worker are gone, and the events that still came.
    fn end(mut self) -> (Option<i32>, Vec<Value>) {
        let mut code = None;
        soon("the program ends", || {
            code = self.program.try_wait().unwrap();
            code.is_some()
        });
        soon("the worker is gone", || state(self.worker).is_none());
        (code.unwrap().code(), rest(&mut self.events))
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.program.kill();
            if state(self.worker).is_some() {
                signal("KILL", self.worker);
            }
        }
    }
}

/// Waits until this is so, and not for long.
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "not soon: {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Begins a run, or goes on with it.
fn arguments(run: &Path) -> Vec<&str> {
    let folder = run.to_str().unwrap();
    if run.join("run.json").is_file() {
        return vec!["train", "--json", "--resume", folder];
    }
    let begin = ["train", "--json", "--out", folder];
    begin.into_iter().chain(SMALL).collect()
}

fn checkpoints(run: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(run.join("checkpoints")) else {
        return BTreeSet::new();
    };
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Trains to the end and gives the adapter.
fn finish(home: &Home, run: &Path) -> Vec<u8> {
    let answer = home.run(&arguments(run));
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    adapter(run)
}

/// The worker is stopped, so that it can honor nothing: only the second Ctrl-C can end this.
#[test]
fn a_second_ctrl_c_ends_at_once_what_does_not_stop() {
    let home = Home::new();
    let run = home.path().join("run");
    let mut training = Training::start(&home, &run, 2);
    let worker = training.worker;
    signal("STOP", worker);
    soon("the worker stands still", || {
        state(worker).is_some_and(|state| state.starts_with('T'))
    });
    let before = checkpoints(&run);

    training.interrupt();
    training.is_stopping();
    std::thread::sleep(Duration::from_millis(300));
    let waits = training.program.try_wait().unwrap().is_none();
    assert!(waits, "the first Ctrl-C waits for the worker");

    training.interrupt();
    let (code, events) = training.end();
    assert_eq!(code, Some(130));
    let ends = |event: &&Value| event["event"] == "stopped" || event["event"] == "finished";
    assert_eq!(events.iter().find(ends), None);
    // A worker that was let go on would have saved before it was gone.
    assert_eq!(checkpoints(&run), before);

    let whole = finish(&home, &home.path().join("whole"));
    assert_eq!(finish(&home, &run), whole);
}

/// The second Ctrl-C comes earlier and later in the writing of the checkpoint, or when that is done.
#[test]
fn a_second_ctrl_c_while_saving_leaves_a_run_that_goes_on() {
    let home = Home::new();
    let run = home.path().join("run");
    let (mut broken_off, mut saved) = (0, 0);
    for (round, pause_ms) in [0, 3, 10, 20, 40, 80, 160].into_iter().enumerate() {
        // The first time goes on beyond a checkpoint that the run makes by itself, to have one.
        let steps = if round == 0 { 5 } else { 1 };
        let mut training = Training::start(&home, &run, steps);
        training.interrupt();
        read_until(&mut training.events, 1, |event| {
            event["phase"] == "checkpointing"
        });
        training.is_stopping();
        std::thread::sleep(Duration::from_millis(pause_ms));
        training.interrupt();
        let (code, events) = training.end();
        assert_eq!(code, Some(130), "after {pause_ms} ms: {events:?}");
        match events.iter().any(|event| event["event"] == "stopped") {
            true => saved += 1,
            false => broken_off += 1,
        }
    }
    println!("{broken_off} checkpoints broken off, {saved} saved");

    let whole = finish(&home, &home.path().join("whole"));
    assert_eq!(finish(&home, &run), whole);
}
