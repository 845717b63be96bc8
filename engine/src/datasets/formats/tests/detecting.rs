//! Which format is found, how sure that is, and what is said of it.

use stepladder_protocol::{DataFormat, DataOptions};

use super::super::{DETECTION_ROWS, FieldKind, Need, SHAPES, fields};
use super::{auto, options, rows};
use crate::datasets::formats::detect;

const PROMPT: &str = r#"{"prompt": "hi", "completion": "ho"}"#;
const MESSAGES: &str = r#"{"messages": [{"role": "user", "content": "hi"}]}"#;

#[test]
fn reasons_name_the_columns() {
    let cases: &[(&[&str], DataFormat, f32, &str)] = &[
        (
            &[MESSAGES],
            DataFormat::Messages,
            1.0,
            "1 of 1 rows have `messages`",
        ),
        (
            &[r#"{"Question": "a", "Answer": "b", "cot": "c", "id": 1, "url": 2}"#],
            DataFormat::QuestionAnswer,
            1.0,
            "1 of 1 rows have `Question` as `question` and `Answer` as `answer`, with `cot` as `reasoning`; `id` and `url` are not used",
        ),
        (
            &[r#"{"prompt": "a", "chosen": "b", "rejected": "c"}"#],
            DataFormat::Preference,
            1.0,
            "1 of 1 rows have `chosen` and `rejected`, with `prompt`, of which the chosen side is trained on",
        ),
        (
            &[PROMPT, MESSAGES, PROMPT, PROMPT],
            DataFormat::PromptCompletion,
            0.75,
            "3 of 4 rows have `prompt` and `completion`; `messages` is not used",
        ),
        // The first row does not decide alone.
        (
            &[MESSAGES, PROMPT, PROMPT, "{}"],
            DataFormat::PromptCompletion,
            0.5,
            "2 of 4 rows have `prompt` and `completion`; `messages` is not used",
        ),
        (
            &[r#"{"text": "a"}"#],
            DataFormat::Text,
            1.0,
            "1 of 1 rows have `text`",
        ),
        (
            &[r#"{"text": "a", "summary": "b"}"#],
            DataFormat::Text,
            0.8,
            "1 of 1 rows have `text`; `summary` is not used",
        ),
        (
            &[r#"{"problem": "a", "answer": "b"}"#],
            DataFormat::QuestionAnswer,
            0.92,
            "1 of 1 rows have `problem` as `question` and `answer`",
        ),
    ];
    for (texts, format, confidence, reason) in cases {
        let found = auto(texts).unwrap();
        assert_eq!(found.format, *format, "{texts:?}");
        assert!(
            (found.confidence - confidence).abs() < 1e-4,
            "{texts:?}: {}",
            found.confidence
        );
        assert_eq!(found.reason, *reason);
    }
}

#[test]
fn columns_are_those_of_most_rows() {
    let other = r#"{"prompt": "hi", "response": "ho"}"#;
    let found = auto(&[PROMPT, other, other]).unwrap();
    let columns: Vec<_> = found
        .columns
        .iter()
        .map(|(field, column)| (field.name, column))
        .collect();
    assert_eq!(columns, [("prompt", "prompt"), ("completion", "response")]);
    assert!(found.parse(rows(&[PROMPT]).remove(0)).is_err());
}

#[test]
fn null_columns_say_nothing_of_the_format() {
    let row = r#"{"messages": null, "prompt": "hi", "completion": "ho", "system": null}"#;
    let found = auto(&[row]).unwrap();
    assert_eq!(found.format, DataFormat::PromptCompletion);
    // A column that is null here may be filled later.
    assert_eq!(found.columns.column("system"), Some("system"));
    // `prompt` is meant where the file has `Prompt` too.
    let twice = auto(&[r#"{"Prompt": "x", "prompt": "hi", "completion": "ho"}"#]).unwrap();
    assert_eq!(twice.columns.column("prompt"), Some("prompt"));
}

#[test]
fn columns_that_hold_no_turns_are_no_turns() {
    // SAMSum's dialogue is a text.
    let problem = auto(&[r#"{"id": 1, "dialogue": "A: hi", "summary": "b"}"#]).unwrap_err();
    assert_eq!(
        problem.problem,
        "the rows are of no known format; the columns are `id`, `dialogue` and `summary`"
    );
}

#[test]
fn only_the_first_rows_are_looked_at() {
    let mut texts = vec![PROMPT; DETECTION_ROWS];
    texts.extend([MESSAGES; 100]);
    assert_eq!(
        auto(&texts).unwrap().reason,
        "50 of 50 rows have `prompt` and `completion`"
    );
}

#[test]
fn a_format_by_hand_is_taken() {
    let row = r#"{"text": "a", "prompt": "b", "final_answer": "c"}"#;
    let found = |format| detect(&rows(&[row]), &options(format, &[]));
    assert_eq!(found(DataFormat::Text).unwrap().format, DataFormat::Text);
    let problem = found(DataFormat::Alpaca).unwrap_err();
    assert_eq!(
        problem.problem,
        "the rows lack what the format alpaca needs, `instruction` and `output`; the columns are `text`, `prompt` and `final_answer`"
    );
    assert_eq!(
        problem.hint,
        "say what the columns hold, like --map text=instruction --map prompt=output"
    );
    // Known columns may stand together unusually where the format is named.
    let unusual = r#"{"query": "a", "final_answer": "b"}"#;
    assert_eq!(
        auto(&[unusual]).unwrap_err().hint,
        "say what the columns hold: --map query=question --map final_answer=answer"
    );
    let found = detect(&rows(&[unusual]), &options(DataFormat::QuestionAnswer, &[])).unwrap();
    assert_eq!(found.columns.column("answer"), Some("final_answer"));
    assert!((found.confidence - 0.6).abs() < 1e-6);
}

#[test]
fn no_rows_have_no_format() {
    let problem = detect(&[], &DataOptions::default()).unwrap_err();
    assert_eq!(
        problem.problem,
        "the rows are of no known format; there are no columns"
    );
    assert!(
        problem.hint.starts_with("write each row as {\"messages\""),
        "{}",
        problem.hint
    );
}

#[test]
fn formats_are_described_in_full() {
    assert!(fields(DataFormat::Auto).is_empty());
    for format in DataFormat::ALL {
        assert!(!fields(format).is_empty(), "{format:?}");
        assert!(
            fields(format)
                .iter()
                .any(|field| field.need == Need::Required)
        );
    }
    assert_eq!(fields(DataFormat::Messages)[0].kind, FieldKind::Turns);
    for shape in SHAPES {
        let required: Vec<_> = shape.required().collect();
        for signature in shape.signatures {
            assert_eq!(signature.len(), required.len(), "{signature:?}");
            for (field, column) in required.iter().zip(*signature) {
                assert!(field.columns.contains(column), "{column} of {}", field.name);
            }
        }
        let mut names: Vec<&str> = Vec::new();
        for field in shape.fields {
            assert!(field.columns.contains(&field.name), "{}", field.name);
            names.extend(field.columns);
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        // Two fields of a format never want the same column.
        assert_eq!(names.len(), count, "{:?}", shape.format);
        for name in shape
            .fields
            .iter()
            .flat_map(|field| field.columns.iter().chain(field.synonyms))
        {
            assert_eq!(super::super::columns::folded(name), **name);
        }
    }
}
