//! Plain text, encodings, and files that are no text.

use super::super::Container;
use super::{Reading, gzip, utf16};

#[test]
fn a_document_is_a_row() {
    for name in ["a.txt", "a.md"] {
        let reading = Reading::of(name, "# Title\n\n\u{e4}\n".as_bytes());
        assert_eq!(reading.container, Container::Text);
        assert_eq!(
            reading.rows,
            [(1, "{\"text\":\"# Title\\n\\n\u{e4}\\n\"}".to_owned())]
        );
    }
}

#[test]
fn long_documents_are_cut_at_blank_lines() {
    let paragraph = format!("{}\n\n", "word ".repeat(1000));
    let reading = Reading::of("a.txt", paragraph.repeat(500).as_bytes());
    let texts: Vec<String> = reading
        .texts()
        .iter()
        .map(|row| {
            serde_json::from_str::<serde_json::Value>(row).unwrap()["text"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(texts.concat(), paragraph.repeat(500));
    assert!(texts.len() > 2 && texts.iter().all(|text| text.len() <= 1 << 20));
    assert!(texts.iter().all(|text| text.ends_with("\n\n")));
    assert_eq!(reading.lines()[1], texts[0].matches('\n').count() + 1);
    // Nowhere to cut but between characters.
    let reading = Reading::of("a.txt", "\u{e4}".repeat(1 << 20).as_bytes());
    assert_eq!(reading.rows.len(), 3);
    assert!(
        reading
            .texts()
            .iter()
            .all(|text| text.starts_with("{\"text\":\"\u{e4}"))
    );
}

#[test]
fn damaged_lines_of_a_text_are_broken_alone() {
    let mut bytes = "\u{e4}\n".repeat(100_000).into_bytes();
    bytes.extend(b"b\xff\n\xffc\nd\n\ne\xff");
    let reading = Reading::of("a.txt", &bytes);
    assert_eq!(
        reading.rows,
        [
            (
                1,
                serde_json::json!({"text": "\u{e4}\n".repeat(100_000)}).to_string()
            ),
            (100_001, "<not UTF-8 text at column 2>".to_owned()),
            (100_002, "<not UTF-8 text at column 1>".to_owned()),
            (100_003, "{\"text\":\"d\\n\\n\"}".to_owned()),
            (100_005, "<not UTF-8 text at column 2>".to_owned()),
        ]
    );
    // Each of many damaged lines is found at once.
    let mut bytes = "\u{e4}\n".repeat(100_000).into_bytes();
    bytes.extend(b"\xff\n".repeat(1 << 20));
    assert_eq!(Reading::of("a.txt", &bytes).rows.len(), 1 + (1 << 20));
}

#[test]
fn a_text_that_is_cut_off_is_given_up_to_there() {
    let text: String = (0..20_000).map(|n| format!("{n} {}\n", n * n)).collect();
    let packed = gzip(text.as_bytes());
    let reading = Reading::of("a.txt.gz", &packed[..packed.len() / 4 * 3]);
    assert!(reading.error.is_some());
    let [(1, row)] = reading.rows.as_slice() else {
        panic!("{} rows", reading.rows.len());
    };
    let row: serde_json::Value = serde_json::from_str(row).unwrap();
    let given = row["text"].as_str().unwrap();
    assert!(text.starts_with(given) && given.len() > text.len() / 2);
}

#[test]
fn utf16_is_read_with_a_mark_and_without() {
    let text = "prompt;completion\nGr\u{fc}\u{df}e;\u{1f600}\n";
    let row = "{\"prompt\":\"Gr\u{fc}\u{df}e\",\"completion\":\"\u{1f600}\"}";
    for (to_bytes, name) in [
        (u16::to_le_bytes as fn(u16) -> [u8; 2], "UTF-16LE"),
        (u16::to_be_bytes, "UTF-16BE"),
    ] {
        let marked = utf16(&format!("\u{feff}{text}"), to_bytes);
        let reading = Reading::of("a.csv", &marked);
        assert_eq!(reading.texts(), [row]);
        assert_eq!(reading.notices, ["values are separated by `;`"]);
        let reading = Reading::of("a.csv", &utf16(text, to_bytes));
        assert_eq!(reading.texts(), [row]);
        assert!(reading.notices[0].contains(name), "{:?}", reading.notices);
        // Over many windows, with a pair of surrogates on every border.
        let long = format!(
            "\u{feff}{}",
            format!("{{\"a\":\"{}\"}}\n", "\u{1f600}".repeat(999)).repeat(300)
        );
        let reading = Reading::of("a.jsonl", &utf16(&long, to_bytes));
        assert_eq!(reading.rows.len(), 300);
        assert!(
            reading
                .texts()
                .iter()
                .all(|text| text.matches('\u{1f600}').count() == 999)
        );
    }
}

#[test]
fn latin_1_is_guessed_and_told() {
    let bytes = b"prompt,completion\nGr\xfc\xdfe aus K\xf6ln,Sch\xf6ne Gr\xfc\xdfe zur\xfcck\n";
    let reading = Reading::of("a.csv", bytes);
    assert_eq!(
        reading.texts(),
        [
            "{\"prompt\":\"Gr\u{fc}\u{df}e aus K\u{f6}ln\",\"completion\":\"Sch\u{f6}ne Gr\u{fc}\u{df}e zur\u{fc}ck\"}"
        ]
    );
    assert_eq!(
        reading.notices,
        [
            "the text is not UTF-8 and was read as windows-1252; if characters look wrong, save it as UTF-8"
        ]
    );
}

#[test]
fn what_is_no_text_is_named() {
    let problem = |name: &str, bytes: &[u8]| Reading::of(name, bytes).problem();
    let seems = |kind: &str| format!("a.jsonl:1: the file is no text, it seems to be {kind}");
    assert_eq!(
        problem("a.jsonl", b"PK\x03\x04rest"),
        seems("a ZIP archive or an Office document")
    );
    assert_eq!(
        problem("a.jsonl", b"\x80\x04\x95"),
        seems("a Python pickle")
    );
    assert_eq!(
        problem("a.txt", b"a\0b\x01\x02\x03cdefgh"),
        "a.txt:1: the file is no text, it seems to be binary data: it holds NUL bytes"
    );
    assert_eq!(
        problem("a.txt", b"\xff\xfe\0\0a\0\0\0"),
        "a.txt:1: the file is UTF-32 text"
    );
    assert_eq!(
        problem("a.parquet.gz", &gzip(b"PAR1....PAR1")),
        "a.parquet.gz:1: the file is a Parquet file inside of gzip or Zstandard"
    );
    assert_eq!(
        problem("a.parquet", b"{\"a\": 1}"),
        "a.parquet:1: the file is no Parquet file: it does not begin with PAR1"
    );
    let folder = tempfile::tempdir().unwrap();
    let reading = Reading::of_file(&folder.path().join("none.jsonl"));
    assert_eq!(reading.error.unwrap().code(), "io");
}
