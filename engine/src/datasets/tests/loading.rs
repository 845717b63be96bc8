//! Loads: the errors that stop one, the skips that do not, and the account.

use std::ops::ControlFlow;

use stepladder_protocol::{DataOptions, LossOn, TokenUse, TooLong};

use super::{CHATML, GEMMA, template};
use crate::datasets::first_look::{FirstLook, see};
use crate::datasets::known_rows::KnownRows;
use crate::datasets::{DataSource, Dataset, LoadProgress, Recipe};
use crate::models::tokenizer::tests::{tokenizer, tokenizer_with_ends};
use crate::{Error, Result};

const ROW: &str =
    r#"{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}]}"#;

fn memory(name: &'static str, rows: &str) -> DataSource {
    DataSource::Memory {
        name,
        bytes: rows.as_bytes().to_vec().into(),
    }
}

fn load_all(sources: &[DataSource], source: &str, context: usize) -> Result<Dataset> {
    let tokenizer = tokenizer(&["<|im_end|>", "<end_of_turn>"]);
    let (template, options) = (template(source), DataOptions::default());
    let recipe = Recipe {
        tokenizer: &tokenizer,
        template: Some(&template),
        options: &options,
        context,
    };
    Dataset::load(sources, &recipe, &mut |_| ControlFlow::Continue(()))
}

fn load(rows: &str, context: usize) -> Result<Dataset> {
    load_all(&[memory("data.jsonl", rows)], CHATML, context)
}

fn shows(error: &Error) -> String {
    format!("{error}\nhint: {}", error.hint())
}

#[test]
fn rows_become_examples_in_their_order() {
    let second = r#"{"prompt":"hi","completion":"ho"}"#;
    let sources = [
        memory(
            "a.jsonl",
            &format!("{ROW}\n\n{}\n", ROW.replace("\"ho\"", "\"hoho\"")),
        ),
        memory("b.jsonl", second),
        memory("c.jsonl", "\n"),
    ];
    let Dataset { examples, report } = load_all(&sources, CHATML, 4096).unwrap();
    let places: Vec<_> = examples
        .iter()
        .map(|example| (example.source.source, example.source.line))
        .collect();
    assert_eq!(places, [(0, 1), (0, 3), (1, 1)]);
    // Both say the same.
    assert_eq!(examples.get(0).hash, examples.get(2).hash);
    assert_eq!(examples.get(0).ids, examples.get(2).ids);
    assert_ne!(examples.get(0).hash, examples.get(1).hash);
    let formats: Vec<_> = report
        .sources
        .iter()
        .map(|source| (source.format_name(), source.rows))
        .collect();
    assert_eq!(
        formats,
        [("messages", 2), ("prompt_completion", 1), ("empty", 0)]
    );
    assert_eq!(
        (report.rows_read, report.examples, report.duplicates.rows),
        (3, 3, 1)
    );
    assert_eq!(
        report.tokens,
        examples
            .iter()
            .map(|example| example.ids.len())
            .sum::<usize>()
    );
    assert_eq!(report.target_tokens, 3 + 5 + 3);
    assert_eq!(
        report.full_lengths.longest(),
        report.full_lengths.shortest() + 2
    );
    assert_eq!(report.losses(), ["1 row repeats an earlier row"]);
    assert!(report.notices().is_empty());
}

#[test]
fn many_rows_keep_their_order() {
    let rows: String = (0..1500)
        .map(|n| ROW.replace("\"ho\"", &format!("\"ho {n}\"")) + "\n")
        .collect();
    let mut reports = Vec::new();
    let (tokenizer, template) = (tokenizer(&["<|im_end|>"]), template(CHATML));
    let recipe = Recipe {
        tokenizer: &tokenizer,
        template: Some(&template),
        options: &DataOptions::default(),
        context: 99,
    };
    let source = memory("data.jsonl", &rows);
    let total = rows.len() as u64;
    let dataset = Dataset::load(&[source], &recipe, &mut |progress| {
        reports.push(progress);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(
        dataset
            .examples
            .iter()
            .enumerate()
            .all(|(n, example)| example.source.line == n + 1)
    );
    assert_eq!(
        reports.last(),
        Some(&LoadProgress {
            rows: 1500,
            bytes_read: total,
            bytes_total: total
        })
    );
    assert!(reports.len() > 2);
}

#[test]
fn a_load_can_be_stopped() {
    let (tokenizer, template) = (tokenizer(&[]), template(CHATML));
    let recipe = Recipe {
        tokenizer: &tokenizer,
        template: Some(&template),
        options: &DataOptions::default(),
        context: 99,
    };
    let source = memory("data.jsonl", ROW);
    let outcome = Dataset::load(&[source], &recipe, &mut |_| ControlFlow::Break(()));
    assert!(matches!(outcome, Err(Error::Stopped)));
}

#[test]
fn rows_that_say_nothing_usable_are_skipped_and_told() {
    let after_one = |row: &str| {
        let report = load(&format!("{ROW}\n{row}\n{ROW}"), 4096).unwrap().report;
        assert_eq!((report.rows_read, report.examples), (3, 2));
        let skipped = &report.skipped.first[0];
        let file = skipped.file.display();
        format!(
            "{file}:{}: {}\nhint: {}",
            skipped.line, skipped.problem, skipped.hint
        )
    };
    assert_eq!(
        after_one(r#"{"messages":[{"role":"user","content":"hi"}]}"#),
        "data.jsonl:2: the row has no assistant turn, so there is nothing to learn from it\n\
         hint: add the answer as a message with \"role\": \"assistant\", or remove the row"
    );
    assert_eq!(
        after_one("{\"messages\": oops}"),
        "data.jsonl:2: not valid JSON: expected value at column 14\n\
         hint: each line must be one complete JSON object; repair or remove this line"
    );
    assert_eq!(
        after_one(r#"{"prompt":"hi","completion":"ho"}"#),
        "data.jsonl:2: `messages` is missing\n\
         hint: every row of a file needs what most of its rows have"
    );
    assert_eq!(
        shows(&load("\n\n{\"x\":\"y\"}", 4096).unwrap_err()),
        "data.jsonl:3: the rows are of no known format; the only column is `x`\n\
         hint: say what the columns hold, like --map x=text"
    );
    assert_eq!(
        shows(&load("oops\noops", 4096).unwrap_err()),
        "data.jsonl: none of the 2 rows can be trained on; line 1: not valid JSON: expected value at \
         column 1; line 2: not valid JSON: expected value at column 1\n\
         hint: each line must be one complete JSON object; repair or remove this line"
    );
}

#[test]
fn an_empty_dataset_is_an_error() {
    for rows in ["", "\n \n"] {
        assert_eq!(
            shows(&load(rows, 4096).unwrap_err()),
            "data.jsonl: the dataset holds no rows\n\
             hint: add at least one row with `messages` or `prompt` and `completion`"
        );
    }
}

#[test]
fn long_examples_are_cut_and_hopeless_ones_skipped() {
    let long_answer = ROW.replace("\"ho\"", &format!("\"{}\"", "x".repeat(100)));
    let long_question = ROW.replace("\"hi\"", &format!("\"{}\"", "x".repeat(100)));
    let rows = format!("{ROW}\n{long_answer}\n{long_question}\n");
    let Dataset { examples, report } = load(&rows, 40).unwrap();
    assert_eq!(examples.len(), 2);
    assert_eq!(examples.get(1).ids.len(), 40);
    assert_eq!(examples.get(1).targets.len(), 40);
    assert!(examples.get(1).targets[39]);
    assert_eq!(
        (report.cut, report.too_long, report.skipped.count),
        (1, 1, 1)
    );
    assert_eq!(
        [report.losses(), report.notices()].concat(),
        [
            "1 row was skipped, the first is data.jsonl:3: its answer begins at token 120 of 123, behind the context length of 40 tokens",
            "1 example is longer than the context length of 40 tokens and cut there; the longest has 123",
        ]
    );
}

#[test]
fn a_context_too_short_for_all_names_one_that_fits() {
    let longer = ROW.replace("\"hi\"", "\"hi there\"");
    let shortest = load(ROW, 4096).unwrap().examples.get(0).ids.len();
    assert_eq!(
        shows(&load(&format!("{longer}\n{ROW}"), 8).unwrap_err()),
        format!(
            "data.jsonl: no example fits into the context length of 8 tokens; the shortest has {shortest}\n\
             hint: use --context {shortest} or more"
        )
    );
    let report = load(&format!("{longer}\n{ROW}"), shortest).unwrap().report;
    assert_eq!((report.examples, report.skipped.count), (1, 1));
}

#[test]
fn rows_that_the_template_refuses_are_skipped() {
    let with_system = ROW.replace("[{", r#"[{"role":"system","content":"x"},{"#);
    let source = [memory("data.jsonl", &format!("{with_system}\n{ROW}"))];
    let report = load_all(&source, GEMMA, 4096).unwrap().report;
    assert_eq!((report.examples, report.skipped.count), (1, 1));
    assert_eq!(report.skipped.first[0].line, 1);
    assert_eq!(
        report.skipped.first[0].problem,
        "the chat template does not take it: System role not supported"
    );

    let source = [memory(
        "data.jsonl",
        &format!("{with_system}\n{with_system}"),
    )];
    assert_eq!(
        load_all(&source, GEMMA, 4096).unwrap_err().to_string(),
        "data.jsonl: none of the 2 rows can be trained on; \
         line 1: the chat template does not take it: System role not supported; \
         line 2: the chat template does not take it: System role not supported"
    );
}

#[test]
fn a_template_without_end_stops_the_load() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    let error = load_all(&[memory("data.jsonl", ROW)], endless, 4096).unwrap_err();
    assert_eq!(
        error.to_string(),
        "chat template of model: does not come to an end"
    );
}

#[test]
fn the_file_and_line_of_what_cannot_be_read_are_named() {
    let file = tempfile::NamedTempFile::with_suffix(".jsonl").unwrap();
    std::fs::write(file.path(), format!("{ROW}\n\"\u{1f600}\" ")).unwrap();
    let report = load_all(&[DataSource::File(file.path().into())], CHATML, 4096)
        .unwrap()
        .report;
    assert_eq!(
        report.losses(),
        [format!(
            "1 row was skipped, the first is {}:2: the row is a text, not an object",
            file.path().display()
        )]
    );
    let folder = tempfile::tempdir().unwrap();
    let error = load_all(&[DataSource::File(folder.path().into())], CHATML, 4096).unwrap_err();
    assert_eq!(error.code(), "io");
}

fn options(change: impl FnOnce(&mut DataOptions)) -> DataOptions {
    let mut options = DataOptions::default();
    change(&mut options);
    options
}

/// What is shown of an example is what is trained.
#[test]
fn a_look_shows_what_a_load_trains() {
    let long = ROW.replace("\"ho\"", &format!("\"{}\"", "x".repeat(60)));
    let rows = memory("data.jsonl", &format!("{ROW}\n{long}\n"));
    let (tokenizer, template) = (
        tokenizer_with_ends(&["<|im_end|>"]),
        template(&format!("<s>{CHATML}")),
    );
    for too_long in [
        TooLong::CutRight,
        TooLong::CutLeft,
        TooLong::Split,
        TooLong::Drop,
    ] {
        let options = options(|options| options.too_long = Some(too_long));
        let recipe = Recipe {
            tokenizer: &tokenizer,
            template: Some(&template),
            options: &options,
            context: 50,
        };
        let sources = std::slice::from_ref(&rows);
        let look = FirstLook { from: 1, rows: 9 };
        let look = look
            .at(sources, &options, Some(&recipe), &KnownRows::default())
            .unwrap();
        let seen = look
            .rows
            .iter()
            .flat_map(|row| see(&row.sample, &recipe).unwrap());
        let seen: usize = seen
            .map(|example| {
                example
                    .uses
                    .iter()
                    .filter(|used| **used == TokenUse::Trained)
                    .count()
            })
            .sum();
        let dataset = Dataset::load(sources, &recipe, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(seen, dataset.report.target_tokens, "{too_long:?}");
        // Lengths are those of what is trained on.
        let examples = match too_long {
            TooLong::Drop => 1,
            _ => 2,
        };
        assert_eq!(dataset.report.full_lengths.examples(), examples);
    }
}

#[test]
fn a_row_of_which_nothing_is_trained_is_counted() {
    let silent = ROW.replace("\"content\":\"ho\"", "\"content\":\"ho\",\"weight\":1");
    let last = r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d","weight":0}]}"#;
    let (tokenizer, template) = (tokenizer(&["<|im_end|>"]), template(CHATML));
    let options = options(|options| options.loss_on = LossOn::LastTurn);
    let recipe = Recipe {
        tokenizer: &tokenizer,
        template: Some(&template),
        options: &options,
        context: 4096,
    };
    let load = |rows: &str| {
        let source = memory("data.jsonl", rows);
        Dataset::load(&[source], &recipe, &mut |_| ControlFlow::Continue(()))
    };
    let report = load(&format!("{silent}\n{last}")).unwrap().report;
    assert_eq!(
        (report.rows_read, report.examples, report.skipped.count),
        (2, 1, 1)
    );
    assert_eq!(
        load(last).unwrap_err().to_string(),
        "data.jsonl: none of the 1 rows can be trained on; line 1: no token of it is trained"
    );
}

#[test]
fn the_format_is_that_of_the_rows_that_can_be_read() {
    let rows = "broken\n".repeat(300) + "{\"zzz\":1}\n" + &format!("{ROW}\n").repeat(100);
    let report = load(&rows, 4096).unwrap().report;
    assert_eq!((report.examples, report.skipped.count), (100, 301));
    let look = FirstLook { from: 1, rows: 2 };
    let source = [memory("data.jsonl", &rows)];
    let look = look.at(
        &source,
        &DataOptions::default(),
        None,
        &KnownRows::default(),
    );
    assert_eq!(look.unwrap().rows[0].place.line, 302);
}

#[test]
fn one_odd_file_among_several_is_left_out_and_told() {
    let odd = memory("infos.json", "{\"default\": {\"description\": \"x\"}}");
    let sources = [memory("a.jsonl", ROW), odd, memory("b.jsonl", ROW)];
    let report = load_all(&sources, CHATML, 4096).unwrap().report;
    assert_eq!(report.examples, 2);
    let notices = report.notices();
    assert_eq!(notices.len(), 1);
    assert!(
        notices[0].starts_with("left out: infos.json:1: the rows are of no known format"),
        "{notices:?}"
    );
}
