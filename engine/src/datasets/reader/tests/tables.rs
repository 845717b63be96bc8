//! CSV and its relatives.

use super::super::Container;
use super::Reading;

#[test]
fn values_stay_texts_with_quotes_and_line_breaks() {
    let reading = Reading::of(
        "a.csv",
        b"id,text\r\n1,\"a, \"\"b\"\"\r\nc\"\r\n\r\n007,\n,x\nnan,1e3",
    );
    assert_eq!(reading.container, Container::Csv);
    assert_eq!(
        reading.texts(),
        [
            r#"{"id":"1","text":"a, \"b\"\r\nc"}"#,
            r#"{"id":"007","text":""}"#,
            r#"{"id":"","text":"x"}"#,
            r#"{"id":"nan","text":"1e3"}"#,
        ]
    );
    assert_eq!(reading.lines(), [2, 5, 6, 7]);
    assert!(reading.notices.is_empty());
}

#[test]
fn ragged_rows_are_broken_and_the_others_are_not() {
    let reading = Reading::of("a.csv", b"a,b\n1,2\n3\n4,5,6\n\xc3\xa4,\xff\n7,8\n");
    assert_eq!(
        reading.texts(),
        [
            r#"{"a":"1","b":"2"}"#,
            "<the row has 1 value, but the header names 2 columns>",
            "<the row has 3 values, but the header names 2 columns>",
            "<`b` is not UTF-8 text at byte 1 of the value>",
            r#"{"a":"7","b":"8"}"#,
        ]
    );
    assert_eq!(reading.lines(), [2, 3, 4, 5, 6]);
}

#[test]
fn delimiters_are_found() {
    for (delimiter, shown) in [
        (",", None),
        (";", Some(";")),
        ("\t", Some("\\t")),
        ("|", Some("|")),
    ] {
        let text = "prompt,completion\n\"a;b|c\",x\nd,y\n".replace(',', delimiter);
        let reading = Reading::of("a.csv", text.as_bytes());
        let rows = [
            r#"{"prompt":"a;b|c","completion":"x"}"#,
            r#"{"prompt":"d","completion":"y"}"#,
        ];
        assert_eq!(reading.texts(), rows, "{delimiter:?}");
        let notices: Vec<String> = shown
            .iter()
            .map(|shown| format!("values are separated by `{shown}`"))
            .collect();
        assert_eq!(reading.notices, notices);
    }
    assert!(Reading::of("a.tsv", b"a\tb\n1,1\t2\n").notices.is_empty());
    let one = Reading::of("a.csv", b"text\nhello\nworld; again\n");
    assert_eq!(
        one.texts(),
        [r#"{"text":"hello"}"#, r#"{"text":"world; again"}"#]
    );
    let header_alone = Reading::of("a.csv", b"a;b");
    assert_eq!(
        (header_alone.rows.len(), header_alone.notices.len()),
        (0, 1)
    );
}

#[test]
fn headers_are_checked() {
    let problem = |text: &[u8]| Reading::of("a.csv", text).problem();
    assert_eq!(
        problem(b"a,b,a\n1,2,3\n"),
        "a.csv:1: the header names `a` twice"
    );
    assert_eq!(
        problem(b"1,2\n3,4\n"),
        "a.csv:1: the first line holds numbers and no header"
    );
    let index = Reading::of("a.csv", b",text\n0,x\n");
    assert_eq!(index.texts(), [r#"{"column 1":"0","text":"x"}"#]);
    let marked = Reading::of("a.csv", b"\xef\xbb\xbfa,b\n1,2\n");
    assert_eq!(marked.texts(), [r#"{"a":"1","b":"2"}"#]);
}

#[test]
fn a_quotation_mark_that_is_never_closed_is_passed_over() {
    let mut text = b"a,b\n1,\"".to_vec();
    text.extend(b"x\n".repeat(17 << 20));
    let reading = Reading::of("a.csv", &text);
    assert_eq!(
        reading.texts(),
        ["<the row is longer than 32 MiB or has more than 4096 values>"]
    );
    let wide = format!("a,b\n{}\n1,2\n", "x,".repeat(100_000));
    let reading = Reading::of("a.csv", wide.as_bytes());
    assert_eq!(reading.texts()[1], r#"{"a":"1","b":"2"}"#);
}

#[test]
fn a_quotation_mark_that_is_not_closed_breaks_its_row_alone() {
    let unclosed = "<a quotation mark is not closed>";
    let reading = Reading::of("a.csv", b"prompt,completion\na,\"b\nc,d\r\ne,\"\"\n\nf,g\n");
    assert_eq!(
        reading.texts(),
        [
            unclosed,
            r#"{"prompt":"c","completion":"d"}"#,
            r#"{"prompt":"e","completion":""}"#,
            r#"{"prompt":"f","completion":"g"}"#,
        ]
    );
    assert_eq!(reading.lines(), [2, 3, 4, 6]);
    // A quotation mark within a value opens nothing.
    let inside = Reading::of("a.csv", b"a,b\n1,5\" pipe");
    assert_eq!(inside.texts(), [r#"{"a":"1","b":"5\" pipe"}"#]);
    let header = Reading::of("a.csv", b"a,\"b\n1,2\n");
    assert_eq!(
        header.problem(),
        "a.csv:1: a quotation mark in the header is not closed"
    );
    // Every line opens another one, so that each start reads to the end.
    let many = format!(
        "a,b\n{}",
        format!("{},\"b\",\"\n", "a".repeat(5000)).repeat(1500)
    );
    let reading = Reading::of("a.csv", many.as_bytes());
    assert_eq!(reading.texts(), [unclosed; 17]);
}

#[test]
fn long_values_and_many_rows_cross_windows() {
    let rows: Vec<String> = (0..3000)
        .map(|n| format!("{n},\"{}\"", "a\"\"\n".repeat(n % 500)))
        .collect();
    let text = format!("id,text\n{}", rows.join("\n"));
    let reading = Reading::of("a.csv", text.as_bytes());
    assert_eq!(reading.rows.len(), 3000);
    let mut line = 2;
    for (n, (at, row)) in reading.rows.iter().enumerate() {
        let value: serde_json::Value = serde_json::from_str(row).unwrap();
        assert_eq!(value["text"], "a\"\n".repeat(n % 500));
        assert_eq!(*at, line);
        line += 1 + n % 500;
    }
}
