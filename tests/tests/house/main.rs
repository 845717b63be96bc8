//! The house rules that a compiler does not check: which room may import which.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod kernels;
mod texts;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use stepladder_tests::root;

/// Direct dependencies of a workspace member, without those of its tests.
fn dependencies(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal",
            "--depth",
            "1",
            "--prefix",
            "none",
        ])
        .args(["--package", package])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .skip(1)
        .filter_map(|line| Some(line.split(' ').next()?.to_owned()))
        .collect()
}

#[test]
fn the_protocol_depends_on_serde_alone() {
    assert_eq!(
        dependencies("stepladder-protocol"),
        BTreeSet::from(["serde".to_owned()])
    );
}

#[test]
fn the_engine_knows_no_interface() {
    let found = dependencies("stepladder-engine");
    assert!(found.contains("stepladder-protocol"));
    for forbidden in [
        "stepladder",
        "clap",
        "eframe",
        "egui",
        "egui_plot",
        "tauri",
        "rfd",
    ] {
        assert!(
            !found.contains(forbidden),
            "the engine depends on {forbidden}"
        );
    }
}

/// Rooms of the engine, and the rooms each of them must not know.
const FORBIDDEN: [(&str, &[&str]); 10] = [
    (
        "ops",
        &[
            "models",
            "adapters",
            "datasets",
            "training",
            "generation",
            "comparison",
            "worker",
            "memory",
        ],
    ),
    (
        "models",
        &["adapters", "datasets", "training", "generation", "worker"],
    ),
    (
        "adapters",
        &["datasets", "training", "generation", "worker"],
    ),
    (
        "datasets",
        &["ops", "adapters", "training", "generation", "worker"],
    ),
    ("memory", &["datasets", "training", "generation", "worker"]),
    ("training", &["generation", "comparison", "worker"]),
    ("generation", &["datasets", "comparison", "worker"]),
    ("comparison", &["ops", "memory", "export", "worker"]),
    (
        "export",
        &["ops", "datasets", "training", "generation", "worker"],
    ),
    (
        "error.rs",
        &[
            "models",
            "adapters",
            "datasets",
            "training",
            "generation",
            "worker",
        ],
    ),
];

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    let entries = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Lines of a file before its tests, with their numbers.
fn code_lines(path: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .enumerate()
        .take_while(|(_, line)| *line != "#[cfg(test)]")
        .map(|(index, line)| (index + 1, line.to_owned()))
        .collect()
}

#[test]
fn engine_rooms_import_in_one_direction() {
    let engine = root().join("engine/src");
    for (room, forbidden) in FORBIDDEN {
        let files = sources(&engine.join(room));
        assert!(!files.is_empty(), "no room {room}");
        for file in files {
            for (number, line) in code_lines(&file) {
                for other in forbidden {
                    let import = format!("crate::{other}::");
                    assert!(
                        !line.contains(&import),
                        "{}:{number}: {room} must not import {other}",
                        file.display()
                    );
                }
            }
        }
    }
}

#[test]
fn only_the_worker_speaks_protocol_messages() {
    let engine = root().join("engine/src");
    let messages = [
        "Command",
        "Event",
        "EventLine",
        "ErrorReport",
        "JobId",
        "Hello",
    ];
    for file in sources(&engine) {
        if file.starts_with(engine.join("worker")) {
            continue;
        }
        for (number, line) in code_lines(&file) {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if line.contains("stepladder_protocol") {
                for word in words {
                    assert!(
                        !messages.contains(&word),
                        "{}:{number}: {word}",
                        file.display()
                    );
                }
            }
        }
    }
}

/// Rooms of the program, and what each of them must not know.
const FORBIDDEN_IN_PROGRAM: [(&str, &[&str]); 5] = [
    (
        "state",
        &[
            "egui",
            "eframe",
            "crate::link",
            "crate::outside",
            "crate::disk",
            "crate::screens",
            "crate::widgets",
            "crate::theme",
            "std::fs",
            "std::process",
            "std::time",
        ],
    ),
    (
        "screens",
        &[
            "crate::link",
            "crate::outside",
            "crate::disk",
            "std::fs",
            "std::process",
        ],
    ),
    (
        "widgets",
        &[
            "crate::link",
            "crate::outside",
            "crate::disk",
            "crate::state",
            "crate::words",
        ],
    ),
    (
        "disk",
        &["egui", "crate::link", "crate::outside", "crate::screens"],
    ),
    (
        "link",
        &["egui", "crate::state", "crate::outside", "crate::screens"],
    ),
];

#[test]
fn rooms_of_the_program_import_in_one_direction() {
    let program = root().join("app/src");
    for (room, forbidden) in FORBIDDEN_IN_PROGRAM {
        let files = sources(&program.join(room));
        assert!(!files.is_empty(), "no room {room}");
        for file in files {
            for (number, line) in code_lines(&file) {
                if line.trim_start().starts_with("//") {
                    continue;
                }
                for other in forbidden {
                    let named = [format!("{other}::"), format!("use {other};")];
                    assert!(
                        !named.iter().any(|name| line.contains(name)),
                        "{}:{number}: {room} must not know {other}",
                        file.display()
                    );
                }
            }
        }
    }
}

#[test]
fn only_the_theme_names_colors() {
    let program = root().join("app/src");
    for file in sources(&program) {
        if file.starts_with(program.join("theme")) {
            continue;
        }
        for (number, line) in code_lines(&file) {
            for literal in [
                "Color32::from_",
                "Color32::RED",
                "Color32::WHITE",
                "Color32::BLACK",
                "Rgba::from_",
            ] {
                assert!(
                    !line.contains(literal),
                    "{}:{number}: a color belongs into the theme",
                    file.display()
                );
            }
        }
    }
}

/// What the program may use of the engine directly; all else goes through the worker.
#[test]
fn the_program_asks_the_worker() {
    let allowed = [
        "worker",
        "memory::probe",
        "foreign_text",
        "files",
        "device",
        // Lists of names, by which nothing is read or computed.
        "datasets::reader::is_dataset_name",
        "datasets::formats::{Need, fields}",
        "models::chat_template::NamedTemplate",
    ];
    for file in sources(&root().join("app/src")) {
        for (number, line) in code_lines(&file) {
            for (place, name) in line.match_indices("stepladder_engine::") {
                let rest = &line[place + name.len()..];
                assert!(
                    allowed.iter().any(|room| rest.starts_with(room)),
                    "{}:{number}: {line}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn every_test_runs() {
    let ignored = ["#[", "ignore"].concat();
    for folder in ["engine", "app", "protocol", "tests"] {
        for file in sources(&root().join(folder)) {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(
                !text.contains(&ignored),
                "{} ignores a test",
                file.display()
            );
        }
    }
}
