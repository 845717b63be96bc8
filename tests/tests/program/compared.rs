//! `stepladder compare`: the same bytes for the same seed, whatever happened between; what it leaves
//! out; what it refuses.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use stepladder_tests::root;

use super::program::{Answer, Home};

/// Two short runs of the built-in model.
struct Runs {
    home: Home,
}

const SHORT: [&str; 8] = [
    "--steps",
    "8",
    "--batch-size",
    "2",
    "--effective-batch-size",
    "2",
    "--context",
    "96",
];
const RESULTS: [&str; 3] = ["report.json", "answers.csv", "report.html"];

fn runs() -> &'static Runs {
    static RUNS: OnceLock<Runs> = OnceLock::new();
    RUNS.get_or_init(|| {
        let runs = Runs { home: Home::new() };
        for (name, method) in [("short-ladder", "ladder"), ("short-lora", "lora")] {
            let run = runs.path(name);
            let mut arguments = vec!["train", "--method", method, "--out", &run];
            arguments.extend(SHORT);
            let answer = runs.home.run(&arguments);
            assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
        }
        runs
    })
}

impl Runs {
    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    /// Compares both runs, or those named with `--adapter`, into a folder.
    fn compare(&self, out: &str, more: &[&str]) -> Answer {
        let (ladder, lora, out) = (
            self.path("short-ladder"),
            self.path("short-lora"),
            self.path(out),
        );
        let mut arguments = vec!["compare", "--out", &out];
        if !more.contains(&"--max-tokens") {
            arguments.extend(["--max-tokens", "80"]);
        }
        if !more.contains(&"--adapter") {
            arguments.extend(["--adapter", &ladder, "--adapter", &lora]);
        }
        arguments.extend(more);
        self.home.run(&arguments)
    }

    fn results(&self, out: &str) -> Vec<Vec<u8>> {
        let folder = self.home.path().join(out);
        RESULTS
            .map(|name| std::fs::read(folder.join(name)).unwrap())
            .into()
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_a_stopped_comparison_goes_on() {
    let runs = runs();
    let first = runs.compare("first", &["--limit", "6", "--json"]);
    assert_eq!(first.code(), Some(0), "{}", first.stderr());
    let [report] = &first.events()[..] else {
        panic!("one object on standard output: {}", first.stdout());
    };
    assert_eq!(
        (&report["questions"], &report["baseline"]),
        (&6.into(), &"base".into())
    );
    let names: Vec<&str> = { report["variants"].as_array().unwrap().iter() }
        .map(|variant| variant["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["base", "short-ladder", "short-lora"]);
    for variant in report["variants"].as_array().unwrap() {
        for field in ["parameters", "truncated", "no_trace", "total_tokens"] {
            assert!(variant[field].is_u64(), "{field} of {variant}");
        }
        assert!(
            variant.get("accuracy").is_some() && variant.get("median_reasoning_tokens").is_some()
        );
    }
    assert!(report["variants"][0]["difference"].is_null());

    // Another batch size, and drawn from the start.
    let second = runs.compare("second", &["--limit", "6", "--batch-size", "1"]);
    assert_eq!(second.code(), Some(0), "{}", second.stderr());
    assert!(
        second.stdout().contains("short-ladder"),
        "{}",
        second.stdout()
    );
    assert_eq!(runs.results("first"), runs.results("second"));

    // As a crash leaves it: five answers and half of one.
    let answers = runs.home.path().join("first/answers.jsonl");
    let whole = std::fs::read_to_string(&answers).unwrap();
    assert_eq!(whole.lines().count(), 1 + 18);
    let mut torn: String = whole
        .lines()
        .take(6)
        .map(|line| line.to_owned() + "\n")
        .collect();
    torn.push_str(&whole.lines().nth(6).unwrap()[..40]);
    std::fs::write(&answers, torn).unwrap();
    let before = runs.results("first");
    for name in RESULTS {
        std::fs::remove_file(runs.home.path().join("first").join(name)).unwrap();
    }
    let resumed = runs.compare("first", &["--limit", "6"]);
    assert_eq!(resumed.code(), Some(0), "{}", resumed.stderr());
    assert!(
        resumed.stderr().contains("going on: 5 answers are kept"),
        "{}",
        resumed.stderr()
    );
    assert_eq!(runs.results("first"), before);

    // Fewer questions, then all of them again: nothing is asked twice.
    let fewer = runs.compare("first", &["--limit", "2"]);
    assert_eq!(fewer.code(), Some(0), "{}", fewer.stderr());
    assert!(
        fewer.stderr().contains("going on: 6 answers are kept"),
        "{}",
        fewer.stderr()
    );
    assert_eq!(document(runs, "first")["rows"].as_array().unwrap().len(), 2);
    let more = runs.compare("first", &["--limit", "6"]);
    assert!(
        more.stderr().contains("going on: 18 answers are kept"),
        "{}",
        more.stderr()
    );
    assert_eq!(runs.results("first"), before);

    let other = runs.compare("first", &["--limit", "6", "--seed", "7"]);
    assert_eq!(other.code(), Some(2));
    let error = other.stderr();
    assert!(
        error.contains("holds answers by other settings: sampling was"),
        "{error}"
    );
    assert!(error.contains("hint: ask as before to go on"), "{error}");
    assert_eq!(runs.results("first"), before);
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_answers() {
    use super::processes::signal;
    use std::time::{Duration, Instant};

    let runs = runs();
    let (ladder, out) = (runs.path("short-ladder"), runs.path("stopped"));
    let arguments = [
        "compare",
        "--adapter",
        &ladder,
        "--out",
        &out,
        "--batch-size",
        "1",
    ];
    let child = runs.home.command(&arguments).spawn().unwrap();
    let answers = Path::new(&out).join("answers.jsonl");
    let began = Instant::now();
    let lines = || std::fs::read_to_string(&answers).map_or(0, |text| text.lines().count());
    while lines() < 3 {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "no answers came"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    signal("INT", child.id());
    let answer = Answer(child.wait_with_output().unwrap());
    assert_eq!(answer.code(), Some(130), "{}", answer.stderr());
    let error = answer.stderr();
    assert!(
        error.contains("goes on") && error.contains("answers are kept"),
        "{error}"
    );
    assert!(lines() >= 3);
    assert!(!Path::new(&out).join("report.json").exists());
}

fn document(runs: &Runs, out: &str) -> Value {
    let path = runs.home.path().join(out).join("report.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The questions of the built-in dataset, as a file.
fn built_in_rows() -> String {
    let text = std::fs::read_to_string(root().join("assets/builtin-dataset.jsonl")).unwrap();
    let question = |line: &str| -> String {
        let row: Value = serde_json::from_str(line).unwrap();
        let question = &row["messages"][0]["content"];
        serde_json::json!({"question": question, "answer": "1"}).to_string() + "\n"
    };
    text.lines().map(question).collect()
}

#[test]
fn questions_that_a_run_was_trained_on_are_left_out() {
    let runs = runs();
    let data = runs.file("trained.jsonl", &built_in_rows());
    let answer = runs.compare(
        "left",
        &["--data", &data, "--limit", "2", "--max-tokens", "4"],
    );
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let by_file = document(runs, "left");
    let left_out = by_file["left_out_trained_on"].as_u64().unwrap();
    // 5 % are held out, by chance a little more or less.
    assert!((540..=592).contains(&left_out), "{left_out} of 600");

    // The same model by its folder has no questions of its own: what the run held out is asked.
    let model = root().join("assets/builtin-model").display().to_string();
    let answer = runs.compare(
        "held-out",
        &["--model", &model, "--limit", "2", "--max-tokens", "4"],
    );
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let held_out = document(runs, "held-out");
    assert_eq!(
        held_out["question_source"],
        "what the run short-ladder held out"
    );
    assert_eq!(held_out["left_out_trained_on"], 0);
    let asked = |document: &Value| -> Vec<String> {
        let rows = document["rows"].as_array().unwrap().iter();
        rows.map(|row| row["question"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(asked(&held_out), asked(&by_file));
    assert!(
        held_out["rows"][0]["reference"]
            .as_str()
            .unwrap()
            .starts_with("The answer is")
    );
    // Cut off after four tokens: a lower bound, in no mean and no pair.
    for variant in held_out["variants"].as_array().unwrap() {
        assert_eq!(
            (&variant["truncated"], &variant["answered"]),
            (&2.into(), &0.into())
        );
        assert!(variant["median_reasoning_tokens"].is_null() && variant["difference"].is_null());
    }
}

#[test]
fn what_cannot_be_compared_says_why() {
    let runs = runs();
    let empty = runs.file("empty.jsonl", "");
    let texts = runs.file("texts.jsonl", "{\"text\":\"once\"}\n");
    let long = "many words ".repeat(40);
    let row = serde_json::json!({"question": "why?", "answer": long}).to_string();
    let unmatchable = runs.file("long.jsonl", &row);
    let ladder = runs.path("short-ladder");
    let other = model_copy(runs, "other-model");
    let weights = other.join("model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let end = bytes.len();
    bytes[end - 4096..].fill(0);
    std::fs::write(&weights, bytes).unwrap();
    let other = other.display().to_string();
    let foreign = runs.home.path().join("foreign");
    std::fs::create_dir_all(&foreign).unwrap();
    std::fs::write(foreign.join("report.html"), "mine").unwrap();
    for (out, more, code, error) in [
        (
            "bad",
            vec!["--data", &empty],
            1,
            "the file holds no questions",
        ),
        (
            "bad",
            vec!["--data", &texts],
            1,
            "none of the 1 rows holds a question",
        ),
        (
            "bad",
            vec!["--data", "no-such-file"],
            1,
            "no file or folder no-such-file",
        ),
        (
            "bad",
            vec!["--data", &unmatchable],
            1,
            "none of its reference answers can be matched",
        ),
        (
            "bad",
            vec!["--model", &other],
            1,
            "was trained for another base model",
        ),
        (
            "bad",
            vec!["--baseline", "nobody"],
            2,
            "no variant is called \"nobody\"",
        ),
        ("bad", vec!["--answer-pattern", "("], 2, "answer_pattern: "),
        (
            "bad",
            vec!["--answer-pattern", "x"],
            2,
            "it has 0 groups, not one",
        ),
        (
            "bad",
            vec!["--adapter", "no-such-run"],
            1,
            "no adapter_config.json in here",
        ),
        ("foreign", vec![], 2, "holds report.html, and no comparison"),
        (
            "short-ladder",
            vec![],
            2,
            "holds run.json, and no comparison",
        ),
    ] {
        let answer = runs.compare(out, &more);
        let text = answer.stderr();
        assert_eq!(answer.code(), Some(code), "{more:?}: {text}");
        assert!(
            text.contains("error: ") && text.contains(error),
            "{more:?}: {text}"
        );
        assert!(text.contains("hint: "), "{more:?}: {text}");
        assert_eq!(answer.stdout(), "", "{more:?}");
    }
    assert!(
        !runs.home.path().join("bad").exists(),
        "nothing is left behind"
    );
    let usage = runs.home.run(&["compare", "--model", "builtin"]);
    assert_eq!(usage.code(), Some(2), "{}", usage.stderr());
    let failed = runs.compare("bad", &["--data", &empty, "--json", "--adapter", &ladder]);
    assert_eq!(failed.events()[0]["code"], "dataset_empty");
}

/// A copy of the built-in model's folder, to be changed.
fn model_copy(runs: &Runs, name: &str) -> PathBuf {
    let folder = runs.home.path().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for entry in std::fs::read_dir(root().join("assets/builtin-model")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    folder
}

#[test]
fn a_model_without_a_template_says_so() {
    let runs = runs();
    let folder = model_copy(runs, "mute-model");
    let config = folder.join("tokenizer_config.json");
    let mut fields: Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    fields.as_object_mut().unwrap().remove("chat_template");
    std::fs::write(&config, fields.to_string()).unwrap();
    let model = folder.display().to_string();
    let answer = runs.compare("mute", &["--model", &model]);
    assert_eq!(answer.code(), Some(1));
    assert!(
        answer.stderr().contains("has no chat template"),
        "{}",
        answer.stderr()
    );
    assert!(answer.stderr().contains("hint: "), "{}", answer.stderr());
}

#[cfg(unix)]
#[test]
fn foreign_text_is_text_in_every_output() {
    let runs = runs();
    let hostile = "=1+<script>alert(1)</script>\u{1b}[2J\u{202e}\"";
    let run = runs.home.path().join(hostile.replace('/', "|"));
    std::fs::create_dir_all(run.join("adapter")).unwrap();
    let from = runs.home.path().join("short-lora");
    for entry in std::fs::read_dir(from.join("adapter")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, run.join("adapter").join(path.file_name().unwrap())).unwrap();
    }
    std::fs::copy(from.join("run.json"), run.join("run.json")).unwrap();
    let row = serde_json::json!({"question": hostile, "answer": hostile}).to_string();
    let data = runs.file("hostile.jsonl", &row);
    let run = run.display().to_string();
    let answer = runs.compare(
        "hostile",
        &["--adapter", &run, "--data", &data, "--max-tokens", "8"],
    );
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let folder = runs.home.path().join("hostile");
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    let table = std::fs::read_to_string(folder.join("answers.csv")).unwrap();
    for shown in [
        answer.stdout(),
        answer.stderr(),
        page.clone(),
        table.clone(),
    ] {
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    }
    assert!(!page.contains("<script"), "a script came through");
    assert!(page.contains("Content-Security-Policy") && page.contains("default-src 'none'"));
    assert!(
        table.contains("\"'=1+<script>") && !table.contains(",=1+"),
        "{table}"
    );
    assert!(
        !page.contains(runs.home.path().to_str().unwrap()),
        "folders stay at home"
    );
}
