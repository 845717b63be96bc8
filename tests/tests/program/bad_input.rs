//! What a user gets wrong: exit code 1 or 2, `error: what, where`, `hint: what to do`, and nothing
//! left behind.

use super::program::Home;

/// Runs `train` on a dataset with this content.
fn train_on(content: &str, more: &[&str]) -> (Option<i32>, String) {
    let home = Home::new();
    let data = home.path().join("data.jsonl");
    std::fs::write(&data, content).unwrap();
    let run = home.path().join("run");
    let mut arguments = vec![
        "train",
        "--data",
        data.to_str().unwrap(),
        "--out",
        run.to_str().unwrap(),
    ];
    arguments.extend(more);
    let answer = home.run(&arguments);
    assert!(
        !run.exists(),
        "a run that never began leaves nothing behind"
    );
    let error = answer.stderr();
    let start = error
        .find("error: ")
        .unwrap_or_else(|| panic!("no error in {error}"));
    let folder = format!("{}/", home.path().display());
    (answer.code(), error[start..].replace(&folder, ""))
}

#[test]
fn datasets_that_cannot_be_trained_on_name_the_line() {
    for (content, error) in [
        (String::new(), "data.jsonl: the dataset holds no rows"),
        (
            "{\"prompt\": \"x\",\n".to_owned(),
            "data.jsonl: none of the 1 rows can be trained on; line 1: not valid JSON",
        ),
        (
            r#"{"messages":[{"role":"user","content":"hello"}]}"#.to_owned(),
            "data.jsonl: none of the 1 rows can be trained on; line 1: the row has no assistant turn",
        ),
        (
            r#"{"said":"hello"}"#.to_owned(),
            "data.jsonl:1: the rows are of no known format; the only column is `said`",
        ),
    ] {
        let (code, text) = train_on(&content, &[]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.starts_with(&format!("error: {error}")), "{text}");
        assert!(text.contains("\nhint: "), "{text}");
    }
}

#[test]
fn a_context_shorter_than_every_example_says_what_would_fit() {
    let rows = r#"{"prompt":"one and one and one and one","completion":"four"}"#;
    let (code, text) = train_on(rows, &["--context", "4"]);
    assert_eq!(code, Some(1));
    assert!(
        text.contains("no example fits into the context length of 4 tokens"),
        "{text}"
    );
    let hint = text.split("hint: use --context ").nth(1).unwrap();
    let fits: usize = hint.split_whitespace().next().unwrap().parse().unwrap();
    let home = Home::new();
    let data = home.path().join("data.jsonl");
    std::fs::write(&data, rows).unwrap();
    let answer = home.run(&[
        "train",
        "--data",
        data.to_str().unwrap(),
        "--steps",
        "1",
        "--context",
        &fits.to_string(),
    ]);
    assert_eq!(
        answer.code(),
        Some(0),
        "the hint must be right: {}",
        answer.stderr()
    );
}

#[test]
fn models_and_adapters_that_are_not_there_are_named() {
    let home = Home::new();
    for (arguments, error) in [
        (
            vec!["train", "--model", "no-such-model"],
            "there is no model no-such-model",
        ),
        (
            vec!["chat", "--model", "no-such-model", "--prompt", "x"],
            "there is no model",
        ),
        (
            vec!["chat", "--adapter", "no-such-run", "--prompt", "x"],
            "no-such-run: no adapter_config.json in here",
        ),
        (vec!["train", "--resume", "no-such-run"], "no-such-run"),
        (
            vec!["inspect", "no-such-model"],
            "there is no model no-such-model",
        ),
        (vec!["train", "--taps", "3,2"], "taps: 2 comes after 3"),
        (vec!["train", "--taps", "9"], "taps: layer 9 does not exist"),
        (
            vec!["train", "--context", "4096"],
            "context: 4096 is longer than the model's 1024",
        ),
        (vec!["train", "--d-side", "33"], "d_side: 33 does not split"),
    ] {
        let answer = home.run(&arguments);
        let text = answer.stderr();
        assert!(
            matches!(answer.code(), Some(1 | 2)),
            "{arguments:?}: {text}"
        );
        assert!(
            text.contains("error: ") && text.contains(error),
            "{arguments:?}: {text}"
        );
        assert!(text.contains("hint: "), "{arguments:?}: {text}");
        assert_eq!(answer.stdout(), "", "{arguments:?}");
    }
}

/// One hostile text goes through every output: errors, the header of a run, a dataset's preview.
#[test]
fn foreign_text_cannot_steer_the_terminal() {
    let hostile = "a\u{1b}[2Jb\u{202e}c";
    let home = Home::new();
    let path = |name: &str| home.path().join(name).display().to_string();
    let row = |text: &str| serde_json::json!({"prompt": text, "completion": text}).to_string();
    // a hostile file name with hostile rows, and a hostile field that is an error
    let data = path(&format!("{hostile}.jsonl"));
    std::fs::write(&data, [row(hostile), row("two"), row("three")].join("\n")).unwrap();
    let broken = path("broken.jsonl");
    std::fs::write(&broken, serde_json::json!({hostile: 1}).to_string()).unwrap();
    let run = path("run");
    for arguments in [
        vec!["train", "--data", &data, "--steps", "1", "--out", &run],
        vec!["train", "--data", &broken],
        vec!["inspect", &data, "--show", "2"],
        vec!["inspect", &data, "--show", "2", "--model", "builtin"],
        vec!["inspect", hostile],
        vec!["chat", "--model", hostile, "--prompt", "x"],
        vec!["chat", "--adapter", hostile, "--prompt", "x"],
        vec!["train", "--resume", hostile],
    ] {
        let answer = home.run(&arguments);
        let shown = answer.stdout() + &answer.stderr();
        assert!(
            !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
            "{arguments:?}: {shown:?}"
        );
        assert!(
            shown.contains("\\u{1b}[2J"),
            "{arguments:?} shows nothing of it: {shown}"
        );
    }
}
