//! `stepladder estimate --check` from outside: on small models the plan is what is measured, the summary
//! is of the cells, and it can be stopped.

use serde_json::Value;

#[cfg(unix)]
use super::processes::{output, read_until, rest, signal};
use super::program::{Home, of_kind};

fn figure(object: &Value, name: &str) -> f64 {
    object[name].as_f64().unwrap_or_else(|| panic!("{object}"))
}

/// Mean and largest of absolute figures.
fn errors(cells: &[&Value], name: &str) -> (f64, f64) {
    let figures: Vec<f64> = cells.iter().map(|cell| figure(cell, name).abs()).collect();
    let mean = figures.iter().sum::<f64>() / figures.len() as f64;
    (mean, figures.into_iter().fold(0.0, f64::max))
}

#[test]
fn small_models_take_what_is_planned_and_the_summary_is_of_them() {
    let home = Home::new();
    let flags = [
        "estimate",
        "--check",
        "--cells",
        "12",
        "--threads",
        "2",
        "--json",
    ];
    let answer = home.run(&flags);
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let events = answer.events();
    let cells = of_kind(&events, "checked");
    assert_eq!((cells.len(), events.len()), (12, 13));

    let (mut done, mut light) = (0.0, 0);
    for (index, cell) in cells.iter().enumerate() {
        assert_eq!(cell["number"], index + 1);
        assert_eq!(cell["of"], 12);
        assert_eq!(cell["fitted"], index % 2 == 1);
        assert!(figure(cell, "done") > done);
        done = figure(cell, "done");

        let (planned, measured) = (
            figure(cell, "estimated_bytes"),
            figure(cell, "measured_bytes"),
        );
        let (planned_weights, weights) = (
            figure(cell, "estimated_weights_bytes"),
            figure(cell, "measured_weights_bytes"),
        );
        assert!(measured > 2e7 && weights > 2e6, "{cell}");
        light += usize::from(2.0 * weights <= measured);
        let error = planned / measured - 1.0;
        let without = (planned - planned_weights) / (measured - weights) - 1.0;
        assert!((figure(cell, "error") - error).abs() < 1e-9, "{cell}");
        assert!(
            (figure(cell, "error_without_weights") - without).abs() < 1e-9,
            "{cell}"
        );
        assert!(error.abs() <= 0.04, "{cell}");
        assert!(without.abs() <= 0.1, "{cell}");
    }
    assert!((done - 1.0).abs() < 1e-9);
    for method in ["ladder", "xladder", "qlora", "lora"] {
        let of_method = cells.iter().filter(|cell| cell["method"] == method);
        assert_eq!(of_method.count(), 3, "{method}");
    }

    let summary = &events[12];
    assert_eq!(
        (&summary["event"], &summary["kind"]),
        (&"finished".into(), &"check".into())
    );
    assert_eq!(summary["cells"], 12);
    assert_eq!(summary["weights_at_most_half"], light);
    let half = |even: bool| -> Vec<&Value> {
        let of_half = cells.iter().filter(|cell| cell["fitted"] == even);
        of_half.copied().collect()
    };
    for (name, of) in [
        ("all", cells.clone()),
        ("fitted", half(true)),
        ("others", half(false)),
    ] {
        let told = &summary[name];
        assert_eq!(told["cells"], of.len(), "{name}");
        for (cell_name, mean_name, largest_name) in [
            ("error", "mean", "largest"),
            (
                "error_without_weights",
                "mean_without_weights",
                "largest_without_weights",
            ),
        ] {
            let (mean, largest) = errors(&of, cell_name);
            assert!(
                (figure(told, mean_name) - mean).abs() < 1e-12,
                "{name} {told}"
            );
            assert!(
                (figure(told, largest_name) - largest).abs() < 1e-12,
                "{name} {told}"
            );
        }
    }
}

#[test]
fn people_get_a_row_for_each_cell() {
    let home = Home::new();
    let answer = home.run(&["estimate", "--check", "--cells", "2", "--threads", "2"]);
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let text = answer.stdout();
    assert_eq!(answer.stderr(), "");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    for row in [
        "      method  tokens ",
        "6 million parameters · 6 layers, 256 wide",
        "   1  Ladder  1 × 512 ",
        "   2  xLadder 1 × 512 ",
        "all                                    2  ",
    ] {
        let rows = text.lines().filter(|line| line.starts_with(row));
        assert_eq!(rows.count(), 1, "{row}\n{text}");
    }
    assert!(
        text.contains("of 2 cells the model takes at most half"),
        "{text}"
    );
}

#[test]
fn what_it_cannot_do_is_refused() {
    let home = Home::new();
    let answer = home.run(&["estimate", "--check", "--memory", "8GiB"]);
    assert_eq!(answer.code(), Some(2));
    assert!(
        answer.stderr().contains("cannot be used with"),
        "{}",
        answer.stderr()
    );
    let answer = home.run(&["estimate", "--check", "--device", "cuda", "--json"]);
    assert_eq!(answer.code(), Some(1));
    let events = answer.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["event"], "failed");
    assert_eq!(events[0]["code"], "device_unavailable");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_at_the_next_cell() {
    let home = Home::new();
    let flags = ["estimate", "--check", "--json", "--threads", "1"];
    let mut child = home.command(&flags).spawn().unwrap();
    let mut reader = output(&mut child);
    let mut events = read_until(&mut reader, 1, |event| event["event"] == "checked");
    signal("INT", child.id());
    events.extend(rest(reader));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(events.last().unwrap()["event"], "stopped");
    assert!(events.len() < 20, "it went on: {}", events.len());
}
