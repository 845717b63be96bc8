//! What the window reads of run folders, and what it changes of them: on made-up folders, good and bad.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use stepladder::disk::{self, metrics, run_changes, runs, samples};
use stepladder::state::runs::columns::{Columns, Figure};
use stepladder::state::runs::curve::MAX_POINTS;
use stepladder::state::runs::figures::{Figures, Window};
use stepladder::state::runs::stored::{DiskAnswer, DiskRequest};
use stepladder_protocol::{RunConfig, RunState, RunStatus};
use tempfile::TempDir;

fn step(step: usize, loss: &str) -> String {
    format!(
        r#"{{"event":"step","step":{step},"loss":{loss},"learning_rate":0.0005,"gradient_norm":0.7,"tokens_per_second":5120.5,"tokens":900,"target_tokens":500,"elapsed_secs":{step}.5,"remaining_secs":9.0,"peak_bytes":33505060}}"#
    )
}

/// A run folder with a config and these rows.
fn run(folder: &Path, name: &str, rows: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(&path).unwrap();
    let config = serde_json::to_vec(&RunConfig::default()).unwrap();
    fs::write(path.join("run.json"), config).unwrap();
    fs::write(path.join("metrics.jsonl"), rows).unwrap();
    path
}

fn status(path: &Path, state: RunState) {
    let status = RunStatus {
        state,
        step: 7,
        total_steps: 20,
        began_at_unix_secs: 1_795_500_000,
        written_at_unix_secs: 1_795_500_100,
        best_evaluation_loss: Some(0.25),
        ended_early: None,
        failure: None,
    };
    fs::write(
        path.join("status.json"),
        serde_json::to_vec(&status).unwrap(),
    )
    .unwrap();
}

#[test]
fn a_folder_that_is_not_there_has_no_runs() {
    let home = TempDir::new().unwrap();
    let listing = runs::list(&home.path().join("runs"), &[]);
    assert!(listing.runs.is_empty() && listing.problem.is_none());
    fs::write(home.path().join("file"), "").unwrap();
    assert!(runs::list(&home.path().join("file"), &[]).problem.is_some());
}

#[test]
fn runs_are_listed_and_what_is_none_is_passed_over_or_named() {
    let home = TempDir::new().unwrap();
    let good = run(
        home.path(),
        "good",
        &format!("{}\n{}\n", step(1, "2.0"), step(2, "1.0")),
    );
    status(&good, RunState::Paused);
    fs::create_dir(home.path().join("no run")).unwrap();
    fs::write(home.path().join("file"), "x").unwrap();
    for (name, config) in [
        ("empty", ""),
        ("half", "{\"model\":\"buil"),
        ("field", "{\"unheard_of\":1}"),
        ("bidi \u{202e}", "7"),
    ] {
        fs::create_dir(home.path().join(name)).unwrap();
        fs::write(home.path().join(name).join("run.json"), config).unwrap();
    }
    let long = home.path().join("long");
    fs::create_dir(&long).unwrap();
    fs::write(long.join("run.json"), vec![b' '; 2 << 20]).unwrap();

    let listing = runs::list(home.path(), &[]);
    assert_eq!(listing.runs.len(), 1);
    let found = &listing.runs[0];
    assert_eq!(found.folder, good);
    assert_eq!(
        (found.state, found.step, found.total_steps),
        (RunState::Paused, 7, 20)
    );
    assert_eq!(found.best, Some(0.25));
    assert_eq!(found.sparkline, [2.0, 1.0]);
    assert_eq!(found.elapsed, Some(2.5));
    let mut names: Vec<&str> = listing.unreadable.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(names.iter().all(|name| !name.contains('\u{202e}')));
    assert!(
        listing
            .unreadable
            .iter()
            .all(|(_, reason)| reason.contains("run.json"))
    );
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let home = TempDir::new().unwrap();
    let elsewhere = TempDir::new().unwrap();
    let target = run(elsewhere.path(), "target", "");
    std::os::unix::fs::symlink(&target, home.path().join("link")).unwrap();
    assert!(runs::list(home.path(), &[]).runs.is_empty());
    let link = home.path().join("link");
    assert!(run_changes::check_deletion(&link, home.path()).is_err());
}

#[test]
fn runs_of_earlier_versions_are_understood_by_what_they_left() {
    let home = TempDir::new().unwrap();
    let make = |name: &str, log: &str, checkpoint: bool, adapter: bool| {
        let path = run(home.path(), name, &step(3, "1.0"));
        fs::write(path.join("log.txt"), log).unwrap();
        if checkpoint {
            let folder = path.join("checkpoints/step-00000005");
            fs::create_dir_all(&folder).unwrap();
            let state = r#"{"step":5,"best_evaluation_loss":0.5,"elapsed_secs":3.0}"#;
            fs::write(folder.join("state.json"), state).unwrap();
        }
        if adapter {
            fs::create_dir_all(path.join("adapter")).unwrap();
            fs::write(path.join("adapter/adapter_config.json"), "{}").unwrap();
        }
    };
    make(
        "finished",
        "1795500000 step 0 of 5\n1795500009 finished\n",
        true,
        true,
    );
    make("stopped", "1795500000 stopped on request\n", true, false);
    make("killed", "1795500000 step 0 of 5\n", true, false);
    let listing = runs::list(home.path(), &[]);
    let state = |name: &str| {
        let found = listing
            .runs
            .iter()
            .find(|run| run.folder.ends_with(name))
            .unwrap();
        (found.state, found.step, found.best, found.has_checkpoint)
    };
    assert_eq!(state("finished"), (RunState::Finished, 5, Some(0.5), true));
    assert_eq!(state("stopped"), (RunState::Paused, 5, Some(0.5), true));
    assert_eq!(state("killed"), (RunState::Interrupted, 5, Some(0.5), true));
}

#[test]
fn a_running_run_is_in_use_while_its_lock_is_held() {
    let home = TempDir::new().unwrap();
    let path = run(home.path(), "a", "");
    status(&path, RunState::Running);
    let lock = File::create(path.join(".lock")).unwrap();
    lock.lock().unwrap();
    assert!(runs::list(home.path(), &[]).runs[0].in_use);
    let ours = runs::list(home.path(), std::slice::from_ref(&path));
    assert!(!ours.runs[0].in_use, "ours is not asked");
    assert!(
        run_changes::rename(&path, "b")
            .unwrap_err()
            .contains("in use")
    );
    assert!(run_changes::check_deletion(&path, home.path()).is_err());
    lock.unlock().unwrap();
    assert!(!runs::list(home.path(), &[]).runs[0].in_use);
    // The look did not keep the lock.
    assert!(lock.try_lock().is_ok());
}

#[test]
fn damaged_lines_are_counted_and_half_a_line_waits() {
    let home = TempDir::new().unwrap();
    let long = "x".repeat(1 << 16);
    let rows = format!(
        "{}\nnot json\n{{\"event\":\"step\"}}\n\n{long}\n{}\n{}\n{{\"event\":\"step\",\"st",
        step(1, "2.0"),
        step(2, "null"),
        r#"{"event":"evaluation","step":2,"loss":1.5,"best":true}"#,
    );
    let path = run(home.path(), "a", &rows);
    let read = metrics::read(&path, 0).unwrap();
    assert_eq!(read.columns.len(), 2);
    assert_eq!(read.damaged, 3);
    assert!(read.columns.of(Figure::Loss)[1].is_nan());
    assert_eq!(
        read.columns.of(Figure::Memory),
        [33_505_060.0, 33_505_060.0]
    );
    assert_eq!(read.columns.evaluations()[0].loss, 1.5);

    // Its writer ends the line, and goes on.
    let mut file = File::options()
        .append(true)
        .open(path.join("metrics.jsonl"))
        .unwrap();
    let rest = step(3, "0.5");
    writeln!(file, "{}", &rest[r#"{"event":"step","st"#.len()..]).unwrap();
    let next = metrics::read(&path, read.to).unwrap();
    assert_eq!(
        (next.from, next.columns.len(), next.damaged),
        (read.to, 1, 0)
    );
    assert_eq!(next.columns.step(0), 3);
    // Nothing new.
    assert_eq!(metrics::read(&path, next.to).unwrap().to, next.to);
    // Written anew, shorter: it is read from its beginning.
    fs::write(path.join("metrics.jsonl"), format!("{}\n", step(1, "9.0"))).unwrap();
    let anew = metrics::read(&path, next.to).unwrap();
    assert_eq!((anew.from, anew.columns.len()), (0, 1));
}

#[test]
fn no_file_and_an_empty_file_have_no_rows() {
    let home = TempDir::new().unwrap();
    let path = run(home.path(), "a", "");
    assert!(metrics::read(&path, 0).unwrap().columns.is_empty());
    assert_eq!(metrics::glance(&path).unwrap(), metrics::Glance::default());
    fs::remove_file(path.join("metrics.jsonl")).unwrap();
    assert!(metrics::read(&path, 0).unwrap().columns.is_empty());
    assert_eq!(metrics::glance(&path).unwrap(), metrics::Glance::default());
}

#[test]
fn a_million_rows_become_few_points_and_keep_their_extremes() {
    let home = TempDir::new().unwrap();
    let path = run(home.path(), "a", "");
    let mut rows = String::new();
    for number in 1..=1_000_000 {
        let loss = match number {
            345_678 => "77.5".to_owned(),
            number => format!("{}", 1.0 / f64::from(number).sqrt()),
        };
        rows.push_str(&step(number as usize, &loss));
        rows.push('\n');
    }
    fs::write(path.join("metrics.jsonl"), &rows).unwrap();
    let read = metrics::read(&path, 0).unwrap();
    assert_eq!((read.columns.len(), read.damaged), (1_000_000, 0));
    let figures = Figures::new(read.columns, Window::default());
    for figure in Figure::ALL {
        let points = figures.curve(figure).points();
        assert!(
            points.len() <= MAX_POINTS.min(4000),
            "{figure:?}: {}",
            points.len()
        );
    }
    assert!(
        figures
            .curve(Figure::Loss)
            .points()
            .contains(&[345_678.0, 77.5])
    );
    assert_eq!(
        figures.summary(Figure::Loss).unwrap().highest,
        (345_678, 77.5)
    );

    let glance = metrics::glance(&path).unwrap();
    assert_eq!(glance.step, 1_000_000);
    assert!(
        (30..=64).contains(&glance.sparkline.len()),
        "{}",
        glance.sparkline.len()
    );
    assert!(glance.sparkline[0] > glance.sparkline[glance.sparkline.len() - 1]);
}

#[test]
fn names_that_some_system_cannot_have_are_refused() {
    let home = TempDir::new().unwrap();
    let path = run(home.path(), "a", "");
    run(home.path(), "taken", "");
    let long = "x".repeat(200);
    for name in [
        "",
        ".",
        "..",
        "../b",
        "b/c",
        "b\\c",
        "C:",
        "nul",
        "COM1.txt",
        "b.",
        " b",
        "b\n",
        "\u{202e}b",
        "taken",
        "-b",
        &long,
    ] {
        let refused = run_changes::rename(&path, name);
        assert!(refused.is_err(), "{name:?}");
        assert!(path.is_dir(), "{name:?}");
    }
    let renamed = run_changes::rename(&path, "über Nacht, ladder 2").unwrap();
    assert!(renamed.join("run.json").is_file() && !path.exists());
}

#[test]
fn only_runs_in_the_folder_of_runs_may_be_deleted() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("runs");
    let good = run(&folder, "good", "");
    assert_eq!(run_changes::check_deletion(&good, &folder), Ok(()));
    let outside = run(home.path(), "outside", "");
    let nested = run(&good, "nested", "");
    let bare = folder.join("bare");
    fs::create_dir(&bare).unwrap();
    let broken = run(&folder, "broken", "");
    fs::write(broken.join("run.json"), "{").unwrap();
    for path in [
        &outside,
        &nested,
        &bare,
        &broken,
        &folder,
        &folder.join("gone"),
        &good.join(".."),
        &folder.join("good/../../outside"),
    ] {
        let refused = run_changes::delete(path, &folder);
        assert!(refused.is_err(), "{}", path.display());
    }
    assert!(outside.is_dir() && nested.is_dir() && bare.is_dir() && broken.is_dir());
}

#[test]
fn the_details_of_a_run_are_bounded_and_optional() {
    let home = TempDir::new().unwrap();
    let path = run(home.path(), "a", "");
    assert_eq!(runs::details(&path), Default::default());
    let mut log = String::new();
    for line in 0..50_000 {
        log.push_str(&format!("{} line {line}\n", 1_795_500_000 + line));
    }
    log.push_str("no number at its start\n1795600000 finished\n");
    fs::write(path.join("log.txt"), log).unwrap();
    fs::write(path.join("dataset.json"), "{").unwrap();
    let details = runs::details(&path);
    assert!(details.log.len() < 20_000, "{}", details.log.len());
    assert_eq!(
        details.log.last().unwrap(),
        &(1_795_600_000.0, "finished".to_owned())
    );
    assert!(details.dataset.is_none());
}

#[test]
fn columns_of_an_odd_file_are_in_order() {
    let home = TempDir::new().unwrap();
    let rows: String = { [5, 1, 4_000_000_000, 2, 3].iter() }
        .map(|number| format!("{}\n", step(*number, "1.0")))
        .collect();
    let path = run(home.path(), "a", &rows);
    let columns: Columns = metrics::read(&path, 0).unwrap().columns;
    let steps: Vec<u32> = (0..columns.len()).map(|row| columns.step(row)).collect();
    assert_eq!(steps, [1, 2, 3]);
}

#[test]
fn runs_that_wait_are_kept_as_paused_ones() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("runs");
    let configs = [7, 9].map(|seed| RunConfig {
        seed,
        ..RunConfig::default()
    });
    let request = DiskRequest::SetAside {
        folder: folder.clone(),
        configs: configs.to_vec(),
    };
    assert_eq!(disk::answer(request), DiskAnswer::Done(Ok(())));
    let listing = disk::runs::list(&folder, &[]);
    assert_eq!((listing.runs.len(), listing.unreadable.len()), (2, 0));
    let mut seeds: Vec<u64> = listing.runs.iter().map(|run| run.config.seed).collect();
    seeds.sort_unstable();
    assert_eq!(seeds, [7, 9]);
    for run in &listing.runs {
        assert_eq!(run.state, RunState::Paused);
        assert!(!run.has_checkpoint && !run.has_adapter && run.failure.is_none());
    }
    // A folder that cannot be made is told.
    std::fs::write(home.path().join("file"), "").unwrap();
    let refused = disk::answer(DiskRequest::SetAside {
        folder: home.path().join("file"),
        configs: configs.to_vec(),
    });
    assert!(matches!(refused, DiskAnswer::Done(Err(_))));
}

#[test]
fn answers_are_read_from_a_place_on_whatever_the_lines_hold() {
    let home = TempDir::new().unwrap();
    let path = run(home.path(), "a", "");
    assert_eq!(samples::read(&path, 0).unwrap(), Default::default());
    let line = |step: usize, answer: &str| {
        format!(r#"{{"step":{step},"number":0,"prompt":"1?","answer":"{answer}","reference":"1"}}"#)
    };
    // Rows of earlier versions have no tokens; one line is none, one is too long, the last not ended.
    let long = line(3, &"x".repeat(1 << 20));
    let text = format!(
        "{}\nnot json\n{long}\n{}\n{}",
        line(1, "one"),
        line(2, "two"),
        line(4, "f")
    );
    fs::write(path.join("samples.jsonl"), &text).unwrap();
    let first = samples::read(&path, 0).unwrap();
    assert_eq!((first.from, first.damaged), (0, 2));
    assert_eq!(first.to as usize, text.len() - line(4, "f").len());
    assert_eq!(first.answers.step(None), Some(2));
    let said: Vec<_> = { first.answers.at(1) }
        .map(|(_, prompt, answer)| (&*prompt.reference, &*answer.text, answer.tokens))
        .collect();
    assert_eq!(said, [("1", "one", None)]);
    // The rest, once it is written, without what was read.
    fs::write(path.join("samples.jsonl"), format!("{text}\n")).unwrap();
    let rest = samples::read(&path, first.to).unwrap();
    assert_eq!((rest.from, rest.damaged), (first.to, 0));
    assert_eq!(rest.answers.place(4), (1, 1));
    // One that was cut back is read anew.
    fs::write(path.join("samples.jsonl"), line(1, "one") + "\n").unwrap();
    assert_eq!(samples::read(&path, rest.to).unwrap().from, 0);
}
