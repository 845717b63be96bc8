//! Datasets as a user brings them: looked at, mapped, trained on, changed behind the program's back.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::processes::{output, read_until, worker};
use super::program::{Home, of_kind};

/// Twenty-four questions, some of them odd rows, under German names.
fn german_csv(home: &Home) -> String {
    let mut text = "Nummer;Frage;Antwort\n".to_owned();
    for n in 1..=24 {
        text.push_str(&format!(
            "{n};\"What is {n} + {n}?\";\"The answer is {}.\"\n",
            n + n
        ));
    }
    text.push_str("25;only two\n");
    text.push_str("26;and no answer;\n");
    write(home, "fragen.csv", &text)
}

fn write(home: &Home, name: &str, text: &str) -> String {
    let path = home.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn inspect(home: &Home, arguments: &[&str]) -> Value {
    let answer = home.run(&[&["inspect", "--json"], arguments].concat());
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let lines = answer.events();
    assert_eq!(lines.len(), 1, "one object on standard output");
    lines[0].clone()
}

const MAPPED: [&str; 4] = ["--map", "Frage=question", "--map", "answer=Antwort"];

#[test]
fn foreign_columns_are_suggested_then_mapped_then_trained_on() {
    let home = Home::new();
    let data = german_csv(&home);
    let refused = home.run(&["inspect", &data]);
    assert_eq!(refused.code(), Some(1));
    let error = refused.stderr();
    assert!(error.contains("`Nummer`, `Frage` and `Antwort`"), "{error}");
    assert!(
        error.contains("--map Frage=question --map Antwort=answer"),
        "{error}"
    );

    // Either side of a pair may be the column.
    let seen = inspect(
        &home,
        &[&[data.as_str(), "--model", "builtin"], &MAPPED[..]].concat(),
    );
    let file = &seen["files"][0];
    assert_eq!(file["container"], "CSV");
    assert_eq!(file["format"], "question_answer");
    assert_eq!(file["columns"]["question"], "Frage");
    assert_eq!(
        (seen["rows"].as_u64(), seen["examples"].as_u64()),
        (Some(26), Some(24))
    );
    let lines: Vec<u64> = { seen["skipped_rows"].as_array().unwrap().iter() }
        .map(|row| row["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [26, 27]);
    let reasons = seen["skipped_reasons"].as_array().unwrap();
    assert_eq!(
        reasons
            .iter()
            .map(|reason| reason["rows"].as_u64().unwrap())
            .sum::<u64>(),
        2
    );

    // The spans of an example cover it, and the answer with its end is what is trained.
    let example = &seen["shown"][0];
    let segments = example["segments"].as_array().unwrap();
    let mut next = 0;
    for segment in segments {
        assert_eq!(segment["first_token"], next);
        next += segment["tokens"].as_u64().unwrap();
    }
    assert_eq!(example["tokens"], next);
    let trained: Vec<&str> = { segments.iter() }
        .filter(|segment| segment["used"] == "trained")
        .map(|segment| segment["text"].as_str().unwrap())
        .collect();
    assert_eq!(trained, ["The answer is 2.<|im_end|>"]);

    let run = home.path().join("run");
    let run_name = run.to_str().unwrap();
    let train = [
        "train", "--json", "--steps", "1", "--data", &data, "--out", run_name,
    ];
    let trained = home.run(&[&train[..], &MAPPED[..]].concat());
    assert_eq!(trained.code(), Some(0), "{}", trained.stderr());
    let account: Value = read(&run.join("dataset.json"));
    assert_eq!(account["examples"], 24);
    assert_eq!(account["files"][0]["columns"]["answer"], "Antwort");
    let config: Value = read(&run.join("run.json"));
    assert_eq!(
        config["data_options"]["map"],
        json!({"Frage": "question", "answer": "Antwort"})
    );
    assert_eq!(
        config["data_fingerprints"][0],
        account["files"][0]["fingerprint"]
    );
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_file_that_changed_is_refused_with_a_choice() {
    let home = Home::new();
    let row = |n: usize| {
        format!(
            "{{\"prompt\":\"What is {n} + 1?\",\"completion\":\"It is {}.\"}}\n",
            n + 1
        )
    };
    let rows: String = (0..20).map(row).collect();
    let data = write(&home, "data.jsonl", &rows);
    let run = home.path().join("run");
    let run = run.to_str().unwrap();
    let first = home.run(&["train", "--steps", "1", "--data", &data, "--out", run]);
    assert_eq!(first.code(), Some(0), "{}", first.stderr());
    std::fs::write(&data, rows + &row(77)).unwrap();

    let resumed = home.run(&["train", "--resume", run]);
    assert_eq!(resumed.code(), Some(1));
    let error = resumed.stderr();
    assert!(
        error.contains(&format!("{data} has changed since this run began")),
        "{error}"
    );
    assert!(
        error.contains(&format!("train --config {run} --accept-changed-data")),
        "{error}"
    );

    let again = home.path().join("again");
    let again = again.to_str().unwrap();
    let rerun = home.run(&["train", "--config", run, "--out", again]);
    assert_eq!(rerun.code(), Some(1));
    let error = rerun.stderr();
    assert!(
        error.contains(&format!(
            "{data} is not the file that this config was made with"
        )),
        "{error}"
    );
    assert!(!Path::new(again).exists());
    let accepted = home.run(&[
        "train",
        "--config",
        run,
        "--out",
        again,
        "--accept-changed-data",
    ]);
    assert_eq!(accepted.code(), Some(0), "{}", accepted.stderr());
}

#[test]
fn a_folder_of_every_kind_of_file_is_one_dataset() {
    let home = Home::new();
    write(
        &home,
        "all/a.jsonl",
        "{\"prompt\":\"one\",\"completion\":\"two\"}\n{broken\n",
    );
    write(
        &home,
        "all/b.json",
        "[{\"instruction\":\"add\",\"input\":\"1 1\",\"output\":\"2\"},\n {\"instruction\":\"add\",\"output\":\"3\"}]",
    );
    write(&home, "all/deep/c.tsv", "question\tanswer\nwhat\tthat\n");
    write(
        &home,
        "all/d.json",
        r#"{"conversations":[{"from":"human","value":"hi"},{"from":"gpt","value":"ho"}]}"#,
    );
    write(&home, "all/picture.png", "no dataset");
    let folder = home.path().join("all");
    let seen = inspect(&home, &[folder.to_str().unwrap(), "--show", "9"]);
    let formats: Vec<(&str, &str)> = { seen["files"].as_array().unwrap().iter() }
        .map(|file| {
            (
                file["container"].as_str().unwrap(),
                file["format"].as_str().unwrap(),
            )
        })
        .collect();
    let kinds: Vec<&str> = formats.iter().map(|(_, format)| *format).collect();
    assert_eq!(
        kinds,
        ["prompt_completion", "alpaca", "sharegpt", "question_answer"],
        "{formats:?}"
    );
    assert_eq!(
        (seen["examples"].as_u64(), seen["skipped"].as_u64()),
        (Some(5), Some(1))
    );
    assert_eq!(seen["ignored"].as_array().unwrap().len(), 1);
    assert_eq!(seen["shown"].as_array().unwrap().len(), 5);
}

#[test]
fn packing_changes_the_layout_and_nothing_else() {
    let home = Home::new();
    let losses = |packing: &str| -> Vec<f64> {
        let run = home.path().join(packing);
        let run = run.to_str().unwrap();
        let answer = home.run(&[
            "train",
            "--json",
            "--steps",
            "3",
            "--packing",
            packing,
            "--out",
            run,
        ]);
        assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
        let events = answer.events();
        let steps = of_kind(&events, "step");
        steps
            .iter()
            .map(|step| step["loss"].as_f64().unwrap())
            .collect()
    };
    let (packed, one_each) = (losses("on"), losses("off"));
    assert_eq!(packed.len(), 3);
    for (packed, one_each) in packed.iter().zip(&one_each) {
        assert!(
            (packed - one_each).abs() < 1e-4 * one_each,
            "{packed} {one_each}"
        );
    }
}

#[test]
fn text_is_trained_whole_and_split() {
    let home = Home::new();
    let text = "There are seven boxes of apples. Each holds twelve apples.\n\n".repeat(60);
    let data = write(&home, "story.txt", &text);
    let seen = inspect(&home, &[&data, "--model", "builtin", "--context", "64"]);
    assert_eq!(seen["files"][0]["format"], "text");
    let lengths = &seen["lengths"];
    assert_eq!(lengths["split"], 1);
    assert!(seen["examples"].as_u64().unwrap() > 10);
    // All but the first token of the text.
    let total = lengths["longest"].as_u64().unwrap();
    assert_eq!(lengths["trained"].as_u64().unwrap(), total - 1);
    let run = home.path().join("run");
    let answer = home.run(&[
        "train",
        "--steps",
        "1",
        "--data",
        &data,
        "--context",
        "64",
        "--out",
        run.to_str().unwrap(),
    ]);
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
}

#[test]
fn a_thinking_model_is_told_when_data_would_unlearn_it() {
    let home = Home::new();
    let rows: String = (0..12)
        .map(|n| {
            format!(
                "{{\"question\":\"What is {n} + 1?\",\"answer\":\"It is {}.\"}}\n",
                n + 1
            )
        })
        .collect();
    let data = write(&home, "data.jsonl", &rows);
    let seen = inspect(&home, &[&data, "--model", "builtin"]);
    let notices = seen["notices"].to_string();
    assert!(
        notices.contains("12 of 12 answers show no thinking"),
        "{notices}"
    );
    assert_eq!(seen["traces"]["with_trace"], 0);
    let seen = inspect(
        &home,
        &[&data, "--model", "builtin", "--traces", "insert_empty"],
    );
    let shown = seen["shown"][0]["segments"].to_string();
    assert!(
        shown.contains("</think>\\n\\nIt is 1.<|im_end|>"),
        "{shown}"
    );
    // The built-in dataset has traces.
    let seen = inspect(
        &home,
        &["builtin", "--model", "builtin", "--loss-on-traces", "off"],
    );
    assert_eq!(seen["traces"]["with_trace"], seen["traces"]["answers"]);
    assert!(
        !seen["notices"].to_string().contains("thinking"),
        "{}",
        seen["notices"]
    );
    let of_trace = { seen["shown"][0]["segments"].as_array().unwrap().iter() }
        .find(|segment| segment["text"].as_str().unwrap().contains("</think>"));
    assert_eq!(of_trace.unwrap()["used"], "context");
}

#[test]
fn hostile_text_is_shown_and_not_obeyed() {
    let home = Home::new();
    let rows = "{\"prompt\":\"a\\u001b[2Jb\\u202ec\",\"completion\":\"\\u0007d\"}\n{\"prompt\":\"x\",\"completion\":\"y\",\"\\u001b]0;owned\\u0007\":1}\n{\"prom\\u001bpt\":1}\n";
    let data = write(&home, "data.jsonl", rows);
    for arguments in [
        vec!["inspect", &data],
        vec!["inspect", &data, "--model", "builtin"],
    ] {
        let answer = home.run(&arguments);
        assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
        for text in [answer.stdout(), answer.stderr()] {
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
        }
        assert!(answer.stdout().contains("example 1"), "{}", answer.stdout());
    }
}

/// A window shows the first rows while the rest is read, and leafs through the rows afterwards.
#[test]
fn a_first_look_comes_before_the_account_and_any_row_after_it() {
    let home = Home::new();
    let row = |n: usize| format!("{{\"prompt\":\"p{n}\",\"completion\":\"c{n}\"}}\n");
    let data = write(
        &home,
        "data.jsonl",
        &(1..=30_000).map(row).collect::<String>(),
    );
    let mut worker = worker().spawn().unwrap();
    let mut output = output(&mut worker);
    let mut look = |job: &str, from: usize| -> Vec<Value> {
        let command =
            json!({"command": "inspect", "job": job, "target": data, "show": 2, "from": from});
        writeln!(worker.stdin.as_mut().unwrap(), "{command}").unwrap();
        read_until(&mut output, 1, |event| event["event"] == "finished")
    };
    let events = look("first", 1);
    let looks = of_kind(&events, "preview");
    assert_eq!((looks.len(), &looks[0]["complete"]), (1, &json!(false)));
    assert_eq!(looks[0]["shown"][1]["segments"][0]["text"], "p2\n");
    let finished = events.last().unwrap();
    assert_eq!(
        (&finished["complete"], &finished["rows"]),
        (&json!(true), &json!(30_000))
    );
    let events = look("later", 29_000);
    let shown = &of_kind(&events, "preview")[0]["shown"];
    assert_eq!(
        (&shown[0]["line"], &shown[1]["line"]),
        (&json!(29_000), &json!(29_001))
    );
    assert_eq!(shown[0]["segments"][1]["text"], "c29000\n");
    drop(worker.stdin.take());
    worker.wait().unwrap();
}
