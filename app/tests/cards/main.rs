//! Which program computes: with a driver, libraries and a `stepladder-cuda` that are made up, in folders
//! that the environment names.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use stepladder_protocol::BUILD;

const STEPLADDER: &str = env!("CARGO_BIN_EXE_stepladder");

/// A machine with a card, as far as it can be seen before anything is computed.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// One whose driver supports this version of CUDA, and whose `stepladder-cuda` is this script.
    fn new(cuda: u32, script: &str) -> Self {
        let machine = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in ["driver", "toolkit/lib64", "home"] {
            std::fs::create_dir_all(machine.path(folder)).unwrap();
        }
        for library in ["libcublas.so.13", "libcublasLt.so.13", "libcurand.so.10"] {
            // They are looked for here, and loaded by the real worker alone.
            std::fs::write(machine.path("toolkit/lib64").join(library), "").unwrap();
        }
        machine.compile("driver.c", "libcuda.so.1", cuda);
        let worker = machine.path("worker");
        let marker = machine.path("started").display().to_string();
        let begun = format!("#!/bin/sh\necho \"$CUDA_DEVICE_ORDER $*\" >> '{marker}'\n{script}\n");
        std::fs::write(&worker, begun).unwrap();
        std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).unwrap();
        machine
    }

    /// One whose worker works.
    fn whole() -> Self {
        Self::new(13000, &format!("exec '{STEPLADDER}' worker"))
    }

    fn with_nvml(self) -> Self {
        self.compile("nvml.c", "libnvidia-ml.so.1", 13000);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn compile(&self, source: &str, library: &str, cuda: u32) {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cards");
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-w", &format!("-DVERSION={cuda}"), "-o"])
            .arg(self.path("driver").join(library))
            .arg(sources.join(source))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(STEPLADDER)
            .args(arguments)
            .env("STEPLADDER_HOME", self.path("home"))
            .env("STEPLADDER_CUDA_WORKER", self.path("worker"))
            .env("LD_LIBRARY_PATH", self.path("driver"))
            .env("CUDA_HOME", self.path("toolkit"))
            .env_remove("CUDA_PATH")
            .env_remove("CUDA_VISIBLE_DEVICES")
            .env_remove("STEPLADDER_NO_CUDA")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn devices(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["devices", "--json"], arguments].concat());
        assert!(output.status.success(), "{}", err(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// How often the worker was started, and how.
    fn started(&self) -> Vec<String> {
        let lines = std::fs::read_to_string(self.path("started")).unwrap_or_default();
        lines.lines().map(str::to_owned).collect()
    }
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ids(report: &Value) -> Vec<&str> {
    let devices = report["devices"].as_array().unwrap();
    devices
        .iter()
        .filter_map(|device| device["id"].as_str())
        .collect()
}

/// A chat with the built-in model.
const ASK: [&str; 5] = ["chat", "--prompt", "2 + 2", "--max-tokens", "2"];

#[test]
fn auto_takes_the_card() {
    let machine = Machine::whole();
    let report = machine.devices(&[]);
    assert_eq!(ids(&report), ["cuda:0", "cpu"]);
    assert_eq!(report["notices"].as_array().unwrap().len(), 0);
    let card = &report["devices"][0];
    assert_eq!(card["name"], "Stand-in");
    assert_eq!(card["memory_total_bytes"], 12_u64 << 30);
    assert_eq!(card["card"]["compute_capability"], "8.9");
    assert_eq!(card["card"]["cuda"], "13.0");
    assert_eq!(machine.started(), ["PCI_BUS_ID worker"]);

    let output = machine.run(&ASK);
    assert!(output.status.success(), "{}", err(&output));
    assert!(!err(&output).contains("note:"), "{}", err(&output));
    assert_eq!(machine.started().len(), 2);
}

#[test]
fn the_processor_takes_no_card() {
    let machine = Machine::whole();
    let output = machine.run(&[&ASK[..], &["--device", "cpu"]].concat());
    assert!(output.status.success(), "{}", err(&output));
    assert!(!err(&output).contains("note:"), "{}", err(&output));
    assert_eq!(
        ids(&machine.devices(&["--device", "cpu"])),
        ["cuda:0", "cpu"]
    );
    assert_eq!(machine.started(), [""; 0]);
}

#[test]
fn nvml_tells_who_holds_what() {
    let machine = Machine::whole().with_nvml();
    let report = machine.devices(&[]);
    assert_eq!(ids(&report), ["cuda:0", "cuda:1", "cpu"]);
    let card = &report["devices"][0];
    assert_eq!(card["name"], "First card", "by their slots");
    let gib = |gib: f64| (gib * f64::from(1 << 30)) as u64;
    assert_eq!(card["memory_total_bytes"], gib(11.5));
    assert_eq!(card["memory_free_bytes"], gib(7.5));
    assert_eq!(card["card"]["driver"], "580.65.06");
    assert_eq!(card["card"]["other_programs_bytes"], gib(2.0));
    let programs = card["card"]["other_programs"].as_array().unwrap();
    assert_eq!(programs.len(), 1, "{programs:?}");
    assert_eq!(
        (&programs[0]["process"], &programs[0]["bytes"]),
        (&1.into(), &gib(1.0).into())
    );
    assert!(!programs[0]["name"].as_str().unwrap().is_empty());

    let words = machine.run(&["devices"]);
    let words = String::from_utf8(words.stdout).unwrap();
    let expected = "cuda:0  First card\n     compute capability 8.9 · 7.50 GiB free of 11.50 GiB\n     \
                    CUDA 13.0 · driver 580.65.06\n     other programs hold 2.00 GiB\n";
    assert!(words.starts_with(expected), "{words}");

    let output = machine.run(&["train", "--device", "cuda:5", "--steps", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let expected = "error: device cuda:5 is not available: what can compute here is \
                    cuda:0 (First card), cuda:1 (Second card)\nhint: ";
    assert!(err(&output).starts_with(expected), "{}", err(&output));
}

#[test]
fn a_worker_of_another_build_is_refused() {
    let hello = r#"{"event":"hello","protocol":1,"version":"0.1.0","build":"other"}"#;
    let machine = Machine::new(13000, &format!("echo '{hello}'; exec cat > /dev/null"));
    let sentence = format!("worker is of another build (0.1.0, other) than this program ({BUILD})");

    let report = machine.devices(&[]);
    assert_eq!(ids(&report), ["cpu"]);
    let notice = format!("Computing on the processor: {sentence}.");
    assert_eq!(report["notices"], Value::from(vec![notice.clone()]));

    let output = machine.run(&ASK);
    assert!(output.status.success(), "{}", err(&output));
    assert_eq!(err(&output).matches(&notice).count(), 1, "{}", err(&output));

    let output = machine.run(&[&ASK[..], &["--device", "cuda"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("error: {sentence}\nhint: ");
    assert!(err(&output).starts_with(&expected), "{}", err(&output));
}

#[test]
fn what_the_worker_says_before_it_ends_is_told() {
    let machine = Machine::new(
        13000,
        "echo 'error: libcublas.so.13 cannot be loaded: no such file' >&2; echo 'hint: again' >&2; exit 1",
    );
    let notice =
        "note: Computing on the processor: libcublas.so.13 cannot be loaded: no such file.\n";
    let output = machine.run(&ASK);
    assert!(
        output.status.success() && err(&output).starts_with(notice),
        "{}",
        err(&output)
    );
    let output = machine.run(&["train", "--device", "cuda", "--steps", "1"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        err(&output),
        "error: libcublas.so.13 cannot be loaded: no such file\nhint: again\n"
    );
}

#[test]
fn an_old_driver_is_named_with_the_one_that_is_needed() {
    let machine = Machine::new(12040, "exit 9");
    let reason = "the NVIDIA driver is too old: it supports CUDA 12.4, and CUDA 13.0 is needed, which \
                  driver 580 and newer ones support";
    let output = machine.run(&["train", "--device", "cuda", "--steps", "1", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let last: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&last["event"], &last["code"]),
        (&"failed".into(), &"device_unavailable".into())
    );
    let expected = format!("error: device cuda is not available: {reason}\nhint: ");
    assert!(err(&output).starts_with(&expected), "{}", err(&output));

    let output = machine.run(&ASK);
    assert!(output.status.success(), "{}", err(&output));
    let notice = format!("note: Computing on the processor: {reason}.\n");
    assert!(err(&output).starts_with(&notice), "{}", err(&output));
    assert_eq!(machine.started(), [""; 0]);
}
