//! Columns by hand, in both directions, and what is proposed where none are known.

use stepladder_protocol::DataFormat;

use super::{auto, options, rows, told};
use crate::datasets::conversation::{Role, Sample};
use crate::datasets::formats::{Detection, RowProblem, detect};

const GERMAN: &str = r#"{"Nr": 1, "Frage": "hi", "Antwort": "ho", "Titel": "x"}"#;

/// A format, pairs, and the problem and the hint that they give.
type Mistake = (
    DataFormat,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

fn mapped(row: &str, format: DataFormat, map: &[(&str, &str)]) -> Result<Detection, RowProblem> {
    detect(&rows(&[row]), &options(format, map))
}

#[test]
fn pairs_are_read_in_both_directions() {
    for map in [
        [("Frage", "question"), ("Antwort", "answer")],
        [("question", "Frage"), ("answer", "Antwort")],
        [("Frage", "question"), ("answer", "Antwort")],
    ] {
        let found = mapped(GERMAN, DataFormat::Auto, &map).unwrap();
        assert_eq!(found.format, DataFormat::QuestionAnswer);
        assert!((found.confidence - 1.0).abs() < 1e-6);
        assert_eq!(
            found.reason,
            "1 of 1 rows have `Frage` as `question` and `Antwort` as `answer`; `Nr` and `Titel` are not used"
        );
        let Ok(Sample::Chat(chat)) = found.parse(rows(&[GERMAN]).remove(0)) else {
            panic!("no conversation");
        };
        assert_eq!(
            told(&chat.messages),
            [(Role::User, "hi"), (Role::Assistant, "ho")]
        );
    }
    // Where both can be read, the column is on the left.
    let swapped = r#"{"question": "ho", "answer": "hi"}"#;
    let found = mapped(
        swapped,
        DataFormat::Auto,
        &[("question", "answer"), ("answer", "question")],
    );
    assert_eq!(found.unwrap().columns.column("answer"), Some("question"));
}

#[test]
fn the_format_follows_from_the_fields() {
    let found = |row, map: &[(&str, &str)]| mapped(row, DataFormat::Auto, map).unwrap().format;
    let cases = [
        (
            &[("Frage", "prompt"), ("Antwort", "completion")][..],
            DataFormat::PromptCompletion,
        ),
        (
            &[
                ("Frage", "instruction"),
                ("Antwort", "output"),
                ("Titel", "input"),
            ],
            DataFormat::Alpaca,
        ),
        (&[("Frage", "text")], DataFormat::Text),
        (
            &[
                ("Frage", "question"),
                ("Antwort", "answer"),
                ("Titel", "context"),
            ],
            DataFormat::QuestionAnswer,
        ),
    ];
    for (map, format) in cases {
        assert_eq!(found(GERMAN, map), format, "{map:?}");
    }
    // One by hand, the other as it is known, and nothing is used twice.
    let row = r#"{"Frage": "a", "response": "b", "question": "c"}"#;
    let half = mapped(row, DataFormat::Auto, &[("Frage", "question")]).unwrap();
    assert_eq!(half.columns.column("answer"), Some("response"));
    let system = mapped(
        r#"{"prompt": "a", "completion": "b", "persona": "c"}"#,
        DataFormat::Auto,
        &[("persona", "system")],
    );
    let system = system.unwrap();
    assert_eq!(system.format, DataFormat::PromptCompletion);
    assert_eq!(system.columns.column("system"), Some("persona"));
    // A column by hand is not also read as what its name says.
    let taken = mapped(
        r#"{"prompt": "a", "completion": "b", "system": "c"}"#,
        DataFormat::PromptCompletion,
        &[("system", "prompt")],
    );
    let taken = taken.unwrap();
    assert_eq!(taken.columns.column("prompt"), Some("system"));
    assert_eq!(taken.columns.column("system"), None);
}

#[test]
fn names_that_are_not_there() {
    let cases: &[Mistake] = &[
        (
            DataFormat::Auto,
            &[("Frge", "question")],
            "the file has no column `Frge`; the columns are `Nr`, `Frage`, `Antwort` and `Titel`",
            "did you mean `Frage`?",
        ),
        (
            DataFormat::Auto,
            &[("question", "xyz\u{1b}")],
            "the file has no column `xyz\\u{1b}`; the columns are `Nr`, `Frage`, `Antwort` and `Titel`",
            "write pairs as --map COLUMN=FIELD, with a column of the file",
        ),
        (
            DataFormat::QuestionAnswer,
            &[("Frage", "questoin")],
            "the format question_answer has no field `questoin`; the fields are `question`, `answer`, `reasoning`, `system`, `context`, `tools`",
            "did you mean `question`?",
        ),
        (
            DataFormat::Text,
            &[("zzz", "Frage")],
            "the format text has no field `zzz`; the fields are `text`",
            "write pairs as --map COLUMN=FIELD, with a field of the format",
        ),
        (
            DataFormat::Auto,
            &[("Frage", "question"), ("Titel", "question")],
            "two columns, `Frage` and `Titel`, are mapped to the field `question`",
            "map one column to each field",
        ),
        (
            DataFormat::Auto,
            &[("Frage", "question"), ("answer", "Frage")],
            "the column `Frage` is mapped to two fields, `question` and `answer`",
            "map each column to one field",
        ),
        (
            DataFormat::Auto,
            &[("Frage", "question"), ("Antwort", "completion")],
            "no format has all of the fields `completion` and `question` that columns are mapped to",
            "map columns to the fields of one format, like `prompt` and `completion`",
        ),
    ];
    for (format, map, problem, hint) in cases {
        let found = mapped(GERMAN, *format, map).unwrap_err();
        assert_eq!(
            (found.problem.as_str(), &*found.hint),
            (*problem, *hint),
            "{map:?}"
        );
    }
    let all = mapped(GERMAN, DataFormat::Auto, &[("Frage", "frege")]).unwrap_err();
    assert!(
        all.problem
            .starts_with("no format has a field `frege`; the fields are `prompt`, `chosen`"),
        "{}",
        all.problem
    );
}

#[test]
fn what_is_still_missing_is_proposed() {
    let cases = [
        (
            ("Frage", "question"),
            "the rows lack what the format question_answer needs, `question` and `answer`; \
             the columns are `Nr`, `Frage`, `Antwort` and `Titel`",
            "say what the columns hold: --map Antwort=answer",
        ),
        (
            ("Titel", "system"),
            "no format is complete with `system` alone; \
             the columns are `Nr`, `Frage`, `Antwort` and `Titel`",
            "say what the columns hold: --map Frage=question --map Antwort=answer",
        ),
    ];
    for (pair, problem, hint) in cases {
        let found = mapped(GERMAN, DataFormat::Auto, &[pair]).unwrap_err();
        assert_eq!((found.problem.as_str(), &*found.hint), (problem, hint));
    }
}

#[test]
fn columns_in_other_languages_are_proposed() {
    let cases = [
        (GERMAN, "--map Frage=question --map Antwort=answer"),
        (
            r#"{"pregunta": "a", "respuesta": "b"}"#,
            "--map pregunta=question --map respuesta=answer",
        ),
        (
            r#"{"Réponse": "b", "requête": "a"}"#,
            "--map requête=question --map Réponse=answer",
        ),
        (
            r#"{"Anweisung": "a", "Ausgabe": "b"}"#,
            "--map Anweisung=instruction --map Ausgabe=output",
        ),
        (r#"{"nachrichten": []}"#, "--map nachrichten=messages"),
        (r#"{"inhalt": "x", "id": 3}"#, "--map inhalt=text"),
        // Misspelled.
        (
            r#"{"promt": "a", "compleation": "b"}"#,
            "--map promt=prompt --map compleation=completion",
        ),
        (
            r#"{"qestion": "a", "anwser": "b"}"#,
            "--map qestion=question --map anwser=answer",
        ),
        (r#"{"mesages": []}"#, "--map mesages=messages"),
    ];
    for (row, flags) in cases {
        let problem = auto(&[row]).unwrap_err();
        assert!(
            problem
                .problem
                .starts_with("the rows are of no known format; "),
            "{}",
            problem.problem
        );
        assert_eq!(
            problem.hint,
            format!("say what the columns hold: {flags}"),
            "{row}"
        );
    }
}

#[test]
fn unknown_names_get_an_example_of_their_own() {
    let hint = |row| auto(&[row]).unwrap_err().hint.into_owned();
    assert_eq!(
        hint(r#"{"foo": "a", "die Sache": "b", "c": 1}"#),
        "say what the columns hold, like --map foo=prompt --map \"die Sache=completion\""
    );
    assert_eq!(
        hint(r#"{"foo": "a"}"#),
        "say what the columns hold, like --map foo=text"
    );
    // Columns that a shell would take apart are never written as a command.
    assert_eq!(
        hint(r#"{"$(rm)": "a", "a=b": "b", "-x": 2, "\u202e": 1, "bar": 3, "baz": 4}"#),
        "say what the columns hold, like --map bar=prompt --map baz=completion"
    );
    assert!(hint(r#"{"`id`": "a"}"#).starts_with("write each row as "));
}

#[test]
fn very_many_columns_are_counted() {
    let row: serde_json::Map<String, serde_json::Value> = (0..20_000)
        .map(|n| (format!("column {n} \u{1b}"), n.into()))
        .collect();
    let problem = detect(&[row], &options(DataFormat::Auto, &[])).unwrap_err();
    assert!(
        problem
            .problem
            .ends_with("`column 11 \\u{1b}` and 19988 more"),
        "{}",
        problem.problem
    );
}
