//! `stepladder compare --train-matched`: three methods trained alike, compared, and what it refuses before
//! it trains anything.

use std::path::Path;

use serde_json::Value;

use super::program::{Answer, Home};

const SMALL: [&str; 8] = [
    "--seeds",
    "2",
    "--steps",
    "3",
    "--limit",
    "3",
    "--max-tokens",
    "60",
];

fn matched(home: &Home, out: &Path, more: &[&str]) -> Answer {
    let out = out.display().to_string();
    let mut arguments = vec!["compare", "--train-matched", "--out", &out];
    arguments.extend(more);
    home.run(&arguments)
}

fn report(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap()
}

/// What training allocated is measured, and may differ by a few bytes.
fn without_measurements(mut report: Value) -> Value {
    for method in report["matched"]["methods"].as_array_mut().unwrap() {
        for peak in method["peaks"].as_array_mut().unwrap() {
            assert!(peak["measured_bytes"].take().is_u64());
        }
    }
    report
}

#[test]
fn methods_are_trained_alike_and_reported_over_their_seeds() {
    let home = Home::new();
    let out = home.path().join("matched");
    let answer = matched(&home, &out, &SMALL);
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    for told in ["6 runs trained alike, 2 seeds", "run 6/6 qlora-seed-43"] {
        assert!(answer.stderr().contains(told), "{}", answer.stderr());
    }
    assert!(
        answer.stdout().contains("xLadder minus Ladder"),
        "{}",
        answer.stdout()
    );
    let found = report(&out);
    let names: Vec<&str> = { found["variants"].as_array().unwrap().iter() }
        .map(|variant| variant["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "base",
            "ladder-seed-42",
            "xladder-seed-42",
            "qlora-seed-42",
            "ladder-seed-43",
            "xladder-seed-43",
            "qlora-seed-43"
        ]
    );
    let matched_report = &found["matched"];
    assert_eq!(matched_report["steps"], 3);
    let methods = matched_report["methods"].as_array().unwrap();
    assert_eq!(methods[0]["parameters"], methods[1]["parameters"]);
    for method in methods {
        assert_eq!(method["runs"].as_array().unwrap().len(), 2);
        assert_eq!(method["best_evaluation_loss"].as_array().unwrap().len(), 2);
        // What was measured is near the plan, and recomputing takes less than keeping.
        let peaks = method["peaks"].as_array().unwrap();
        let measured = |way: &str| {
            let peak = peaks.iter().find(|peak| peak["recompute"] == way).unwrap();
            let measured = peak["measured_bytes"].as_f64().unwrap();
            let planned = peak["estimated_bytes"].as_f64().unwrap();
            assert!((measured / planned - 1.0).abs() < 0.05, "{peak}");
            measured
        };
        assert!(measured("on") < measured("off"), "{method}");
    }
    // Trained by the same seed on the same data: only the method differs.
    let config = |name: &str| -> Value {
        let file = out.join("runs").join(name).join("run.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    };
    let (ladder, xladder) = (config("ladder-seed-42"), config("xladder-seed-42"));
    let differs: Vec<&String> = { ladder.as_object().unwrap().iter() }
        .filter(|(field, value)| xladder[field.as_str()] != **value)
        .map(|(field, _)| field)
        .collect();
    assert_eq!(differs, ["method", "taps"]);

    // Made again of the same runs and answers it is the same to the byte.
    let files = ["report.json", "answers.csv", "report.html"].map(|name| out.join(name));
    let read = || files.each_ref().map(|file| std::fs::read(file).unwrap());
    let before = read();
    for file in &files {
        std::fs::remove_file(file).unwrap();
    }
    let again = matched(&home, &out, &SMALL);
    assert_eq!(again.code(), Some(0), "{}", again.stderr());
    assert!(
        again.stderr().contains("going on: 21 answers are kept"),
        "{}",
        again.stderr()
    );
    assert!(read() == before, "another report of the same answers");

    // As a kill leaves it: a run that is not there yet, and no report.
    std::fs::remove_dir_all(out.join("runs/qlora-seed-43")).unwrap();
    std::fs::remove_file(out.join("report.json")).unwrap();
    let resumed = matched(&home, &out, &SMALL);
    assert_eq!(resumed.code(), Some(0), "{}", resumed.stderr());
    let told = resumed.stderr();
    assert!(
        told.contains("run 5/6 xladder-seed-43 is finished already"),
        "{told}"
    );
    assert!(
        !told.contains("qlora-seed-43 is finished already"),
        "{told}"
    );
    assert!(
        without_measurements(report(&out)) == without_measurements(found),
        "another report"
    );

    let other = matched(&home, &out, &["--seeds", "2", "--steps", "4"]);
    assert_eq!(other.code(), Some(2), "{}", other.stderr());
    assert!(
        other.stderr().contains("holds a run by other settings"),
        "{}",
        other.stderr()
    );
}

#[test]
fn what_is_wrong_is_said_before_anything_is_trained() {
    let home = Home::new();
    let file = |name: &str, content: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let empty = file("empty.jsonl", "");
    let foreign = home.path().join("foreign");
    std::fs::create_dir_all(&foreign).unwrap();
    std::fs::write(foreign.join("report.html"), "mine").unwrap();
    let out = home.path().join("out");
    for (out, more, code, error) in [
        (
            &out,
            vec!["--data", &empty],
            1,
            "the file holds no questions",
        ),
        (&out, vec!["--answer-pattern", "("], 2, "answer_pattern: "),
        (
            &out,
            vec!["--train-data", "no-such-file"],
            1,
            "no-such-file",
        ),
        (&out, vec!["--model", "no-such-model"], 1, "no-such-model"),
        (&foreign, vec![], 2, "holds report.html, and no comparison"),
    ] {
        let answer = matched(&home, out, &more);
        let text = answer.stderr();
        assert_eq!(answer.code(), Some(code), "{more:?}: {text}");
        assert!(
            text.contains("error: ") && text.contains(error),
            "{more:?}: {text}"
        );
        assert!(text.contains("hint: "), "{more:?}: {text}");
        assert_eq!(answer.stdout(), "", "{more:?}");
    }
    let left: Vec<_> = out.join("runs").read_dir().into_iter().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}
