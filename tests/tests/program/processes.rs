//! Processes from outside: workers, events as they come, signals. What the tests share that break
//! runs off.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::program::executable;

/// A worker without the program around it, on one thread.
pub fn worker() -> Command {
    let mut command = Command::new(executable());
    command
        .arg("worker")
        .env("RAYON_NUM_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// The parameters that a run ended with.
pub fn adapter(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("adapter/adapter.safetensors")).unwrap()
}

/// What a child writes to its stdout.
pub fn output(child: &mut Child) -> BufReader<ChildStdout> {
    BufReader::new(child.stdout.take().unwrap())
}

/// Events up to and with this many of the wanted ones.
pub fn read_until(
    output: &mut impl BufRead,
    count: usize,
    is_wanted: impl Fn(&Value) -> bool,
) -> Vec<Value> {
    let (mut events, mut seen) = (Vec::new(), 0);
    while seen < count {
        let mut line = String::new();
        let read = output.read_line(&mut line).unwrap();
        assert!(read > 0, "ended early: {events:?}");
        let value: Value = serde_json::from_str(&line).unwrap();
        seen += usize::from(is_wanted(&value));
        events.push(value);
    }
    events
}

/// The events that are left.
pub fn rest(output: impl BufRead) -> Vec<Value> {
    let lines = output.lines();
    lines
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect()
}

/// Sends a signal, named as `kill` names it.
pub fn signal(name: &str, process: u32) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .status()
        .unwrap();
    assert!(sent.success(), "no process {process}");
}

/// Columns of `ps`, a row for each process.
fn processes(columns: &str) -> Vec<Vec<String>> {
    let output = Command::new("ps").args(["-eo", columns]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    text.lines().map(row).collect()
}

/// The child process of a process.
pub fn worker_of(parent: u32) -> u32 {
    let parent = parent.to_string();
    let processes = processes("pid=,ppid=");
    let child = processes.iter().find(|row| row[1] == parent);
    child.unwrap()[0].parse().unwrap()
}

/// What a process is doing, as `ps` abbreviates it. None once it is gone; one that waits for its
/// parent to take notice is gone, unless threads of it (`l`) are still on their way out: one that was
/// killed while it flushes a file ends, and lets go of its files and locks, when that is done.
#[cfg(unix)]
pub fn state(process: u32) -> Option<String> {
    let process = process.to_string();
    let mut processes = processes("pid=,stat=").into_iter();
    let row = processes.find(|row| row[0] == process)?;
    Some(row[1].clone()).filter(|state| !state.starts_with('Z') || state.contains('l'))
}
