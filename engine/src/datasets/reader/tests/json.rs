//! JSONL, lists, columns and single objects, whole and damaged.

use super::super::{Container, MAX_ROW_BYTES};
use super::Reading;

#[test]
fn lines_keep_their_numbers() {
    let reading = Reading::of("a.jsonl", b"\xef\xbb\xbf{1}\r\n\n  \t\n{2}\n\r\n{3}");
    assert_eq!(reading.container, Container::Jsonl);
    assert_eq!(reading.texts(), ["{1}", "{2}", "{3}"]);
    assert_eq!(reading.lines(), [1, 4, 6]);
    for empty in ["", "\n \n", "\u{feff}"] {
        let reading = Reading::of("a.jsonl", empty.as_bytes());
        assert_eq!(
            (reading.container, reading.rows.len()),
            (Container::Empty, 0)
        );
    }
}

#[test]
fn damaged_lines_leave_the_others() {
    let mut bytes = b"{\"a\": \"\xc3\xa4\"}\n".repeat(40_000);
    bytes.extend(b"{\"a\": \"\xc3\xa4\xff\"}\n{\"a\": oops}\n{\"a\": \"nul \0\"}\n{\"a\": 1}\n");
    let reading = Reading::of("a.jsonl", &bytes);
    assert_eq!(reading.rows.len(), 40_004);
    assert_eq!(
        reading.rows[40_000..],
        [
            (40_001, "<not UTF-8 text at column 10>".to_owned()),
            (40_002, "{\"a\": oops}".to_owned()),
            (40_003, "{\"a\": \"nul \0\"}".to_owned()),
            (40_004, "{\"a\": 1}".to_owned()),
        ]
    );
    let reading = Reading::of("a.jsonl", b"ok\nab\xffcd\n");
    assert_eq!(reading.texts(), ["ok", "<not UTF-8 text at column 3>"]);
}

#[test]
fn long_rows_are_taken_up_to_the_limit_and_longer_ones_passed_over() {
    let row = |megabytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(megabytes << 20));
    let lines = [row(33), row(30), row(0)].join("\n");
    let reading = Reading::of("a.jsonl", lines.as_bytes());
    assert_eq!(reading.texts()[0], "<the line is longer than 32 MiB>");
    assert_eq!(reading.texts()[1..], [row(30), row(0)]);
    assert_eq!(reading.lines(), [1, 2, 3]);

    let list = format!("[{},\n{}]", row(33), row(30));
    let reading = Reading::of("a.json", list.as_bytes());
    assert_eq!(
        reading.texts(),
        ["<the row is longer than 32 MiB>", &row(30)]
    );
    assert_eq!(reading.lines(), [1, 2]);

    let exactly = "x".repeat(MAX_ROW_BYTES);
    let reading = Reading::of("a.jsonl", format!("{exactly}\r\n{exactly}x\n").as_bytes());
    assert_eq!(
        reading.texts(),
        [&exactly, "<the line is longer than 32 MiB>"]
    );
}

#[test]
fn lists_are_cut_into_their_values() {
    let text = "\n[ {\"a\": [1, \"],[\"]},{\"a\":\n\"\\\"}\"}\n, 3,\n\"x,y\", [4], null]\n";
    for name in ["a.json", "a.jsonl", "a"] {
        let reading = Reading::of(name, text.as_bytes());
        assert_eq!(reading.container, Container::JsonList);
        assert_eq!(
            reading.texts(),
            [
                "{\"a\": [1, \"],[\"]}",
                "{\"a\":\n\"\\\"}\"}",
                "3",
                "\"x,y\"",
                "[4]",
                "null"
            ]
        );
        assert_eq!(reading.lines(), [2, 2, 4, 5, 5, 5]);
        assert!(reading.notices.is_empty());
    }
    assert!(Reading::of("a.json", b"[]").rows.is_empty());
}

#[test]
fn lists_over_many_windows_are_cut_alike() {
    let rows: Vec<String> = (0..40_000)
        .map(|n| format!("{{\"a\": {n}, \"b\": \"{}\\\"\"}}", "ä\\\\".repeat(n % 13)))
        .collect();
    let reading = Reading::of("a.json", format!("[\n{}\n]", rows.join(",\n")).as_bytes());
    assert_eq!(reading.texts(), rows);
    assert!(reading.lines().into_iter().eq(2..40_002));
}

/// A list of rows as `json.dump` writes it, by lines or in one.
fn list(rows: &[&str], separator: &str) -> String {
    format!(
        "[{}{}{}]",
        &separator[1..],
        rows.join(separator),
        &separator[1..]
    )
}

#[test]
fn a_damaged_value_of_a_list_leaves_the_others() {
    let good = "{\"a\": {\"a\": \"x\"}, \"b\": [1]}";
    for damaged in [
        "{\"a\": oops}",
        "{\"a\": {\"a\": \"x\"}, \"b\": [1}",
        "{\"a\": {\"a\": \"x\"}, \"b\": [1]",
        "{\"a\": {\"a\": \"x}, \"b\": [1]}",
        "{\"a\": {\"a\": \"x\"}}, \"b\": [1]}",
        "{\"a\": {\"a\": \"x\"}, \"b\": [1]]}",
    ] {
        for separator in [",\n", ",\n  ", ", "] {
            let rows = [good, damaged, good, good, damaged, good];
            let reading = Reading::of("a.json", list(&rows, separator).as_bytes());
            let found = reading.texts().iter().filter(|text| **text == good).count();
            assert_eq!(found, 4, "{damaged} {separator:?}: {:#?}", reading.rows);
            let bad = |text: &&str| serde_json::from_str::<serde_json::Value>(text).is_err();
            assert!(reading.texts().iter().any(bad), "{damaged}");
            if separator != ", " {
                let good_lines: Vec<usize> = reading
                    .rows
                    .iter()
                    .filter(|(_, text)| text == good)
                    .map(|(line, _)| *line)
                    .collect();
                assert_eq!(good_lines, [2, 4, 5, 7], "{damaged}");
            }
        }
    }
}

#[test]
fn a_list_with_much_damage_is_read_in_linear_time() {
    let rows = vec!["{\"a\": {\"b\": 1}, \"c\": \"x\"", "{\"a\": {\"b\": 1}}"];
    let rows: Vec<&str> = rows.into_iter().cycle().take(60_000).collect();
    let reading = Reading::of("a.json", list(&rows, ",").as_bytes());
    let texts = reading.texts();
    let differing = texts.iter().zip(&rows).position(|(text, row)| text != row);
    assert_eq!((texts.len(), differing), (rows.len(), None));
}

#[test]
fn a_list_that_is_cut_off_is_told() {
    let reading = Reading::of("a.json", b"[{\"a\": 1},\n{\"a\": 2");
    assert_eq!(reading.texts(), ["{\"a\": 1}", "{\"a\": 2"]);
    assert!(reading.notices[0].contains("may be cut off"));
    let reading = Reading::of(
        "a.json",
        b"[{\"a\": \"\xc3\xa4\"}, {\"a\": \"\xc3\xa4\n\xff\"}]",
    );
    assert_eq!(reading.texts()[1], "<not UTF-8 text at column 1>");
    assert_eq!(reading.lines(), [1, 2]);
}

#[test]
fn objects_are_rows_columns_or_around_a_list() {
    let columns = br#"{"prompt": ["a", "b"], "completion": ["c", "d"]}"#;
    let rows = [
        r#"{"prompt":"a","completion":"c"}"#,
        r#"{"prompt":"b","completion":"d"}"#,
    ];
    let reading = Reading::of("a.json", columns);
    assert_eq!(reading.container, Container::JsonColumns);
    assert_eq!(reading.texts(), rows);
    assert_eq!(reading.lines(), [1, 2]);
    let pandas = br#"{"prompt": {"0": "a", "1": "b"}, "completion": {"0": "c", "1": "d"}}"#;
    assert_eq!(Reading::of("a.json", pandas).texts(), rows);
    let reordered = br#"{"prompt": {"0": "a", "1": "b"}, "completion": {"1": "d", "0": "c"}}"#;
    assert_eq!(Reading::of("a.json", reordered).texts(), rows);
    let differing = br#"{"prompt": {"0": "a", "1": "b"}, "completion": {"0": "c", "2": "d"}}"#;
    assert_eq!(
        Reading::of("a.json", differing).problem(),
        "a.json:1: column `prompt` has a value for the row `1`, but column `completion` has none"
    );
    let unequal = Reading::of("a.json", br#"{"prompt": ["a", "b"], "completion": ["c"]}"#);
    assert_eq!(
        unequal.problem(),
        "a.json:1: column `prompt` has 2 values, but column `completion` has 1"
    );

    let single = "{\n \"prompt\": \"a\",\n \"completion\": \"b\"\n}";
    let reading = Reading::of("a.json", single.as_bytes());
    assert_eq!(
        (reading.container, reading.texts()),
        (Container::JsonRow, vec![single])
    );
    let two = format!("{single}\n{single}\n");
    let reading = Reading::of("a.json", two.as_bytes());
    assert_eq!(reading.container, Container::JsonDocuments);
    assert_eq!(reading.texts(), [single, single]);
    assert_eq!(reading.lines(), [1, 5]);

    for name in ["data", "rows", "train", "examples", "items"] {
        let text = format!("{{\"version\": [1],\n\"{name}\": [\n{{\"a\": 1}}, {{\"a\": 2}}]}}");
        let reading = Reading::of("a.json", text.as_bytes());
        assert_eq!(reading.container, Container::JsonList);
        assert_eq!(reading.texts(), ["{\"a\": 1}", "{\"a\": 2}"]);
        assert_eq!(reading.lines(), [3, 3]);
        assert!(reading.notices.is_empty());
    }
    let more = Reading::of("a.json", br#"{"train": [{"a": 1}], "test": [{"a": 2}]}"#);
    assert_eq!(more.texts(), ["{\"a\": 1}"]);
    assert_eq!(
        more.notices,
        ["what stands behind the list of rows was not read"]
    );
    let before = Reading::of("a.json", br#"{"test": [{"a": 2}], "train": [{"a": 1}]}"#);
    assert_eq!(before.texts(), ["{\"a\": 1}"]);
    assert_eq!(
        before.notices,
        ["a list that stands before the list of rows was not read"]
    );
}

#[test]
fn json_and_jsonl_are_told_by_their_content() {
    let lines = b"{\"a\": 1}\n{\"a\": 2}\n";
    let reading = Reading::of("a.json", lines);
    assert_eq!(
        (reading.container, reading.rows.len()),
        (Container::Jsonl, 2)
    );
    // The first row is longer than what is looked at.
    let long = format!("{{\"a\": \"{}\"}}\n{{\"a\": 2}}\n", "x".repeat(100_000));
    for name in ["a.json", "a.jsonl"] {
        let reading = Reading::of(name, long.as_bytes());
        assert_eq!(reading.texts()[1], "{\"a\": 2}");
        assert_eq!(reading.lines(), [1, 2]);
    }
}
