//! Readings that begin far back, and files that change.

use std::io::Write;

use super::super::{DataSource, RowIndex, RowReader};
use super::gzip;
use crate::datasets::row::Row;

fn read_all(source: &DataSource) -> (Vec<Row>, RowIndex) {
    let mut reader = RowReader::open(source).unwrap();
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row().unwrap() {
        rows.push(row);
    }
    (rows, reader.index().clone())
}

#[test]
fn a_jump_gives_the_rows_that_reading_through_gives() {
    let folder = tempfile::tempdir().unwrap();
    let jsonl: String = (0..20_000)
        .map(|n| match n % 7 {
            0 => format!("\n\r\n{{\"a\": {n}}}\r\n"),
            _ => format!("{{\"a\": \"\u{e4}{}\"}}\n", "x".repeat(n % 50)),
        })
        .collect();
    let csv: String = (0..20_000).map(|n| format!("\"{n}\n\",x\n\n")).collect();
    let list: Vec<String> = (0..5000).map(|n| format!("{{\"a\": {n}}}")).collect();
    for (name, bytes, jumps) in [
        ("a.jsonl", format!("\u{feff}{jsonl}").into_bytes(), true),
        (
            "a.csv",
            format!("id;b\n{}", csv.replace(',', ";")).into_bytes(),
            true,
        ),
        (
            "a.json",
            format!("[{}]", list.join(",\n")).into_bytes(),
            false,
        ),
        ("a.jsonl.gz", gzip(jsonl.as_bytes()), false),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let source = DataSource::File(path);
        let (rows, index) = read_all(&source);
        assert_eq!(
            index.before(4500).is_some_and(|place| place.row > 4000),
            jumps,
            "{name}"
        );
        for first in [
            0,
            1,
            2,
            99,
            4097,
            rows.len() - 1,
            rows.len(),
            rows.len() + 5,
        ] {
            let mut reader = RowReader::open_near(&source, &index, first).unwrap();
            let expected = rows.get(first..).unwrap_or_default();
            for row in expected.iter().take(100) {
                assert_eq!(
                    reader.next_row().unwrap().as_ref(),
                    Some(row),
                    "{name} {first}"
                );
            }
            if expected.len() < 100 {
                assert_eq!(reader.next_row().unwrap(), None);
            }
            let whole = !jumps || first == 0;
            assert!(reader.fingerprint().is_none() || whole, "{name} {first}");
        }
        assert_eq!(read_all(&source).1, index);
    }
}

#[test]
fn what_a_quotation_mark_swallowed_has_its_places() {
    let source = DataSource::Memory {
        name: "a.csv",
        bytes: format!("id,b\n\"0\",x\n1,\"x\n{}", "2,x\n".repeat(20_000))
            .into_bytes()
            .into(),
    };
    let (rows, index) = read_all(&source);
    assert_eq!(rows.len(), 20_002);
    for first in [0, 1, 2, 3, 4097, 20_001] {
        let mut reader = RowReader::open_near(&source, &index, first).unwrap();
        assert_eq!(reader.next_row().unwrap().as_ref(), rows.get(first));
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, "{\"a\": 1}\n{\"a\": 2}\n").unwrap();
    let source = DataSource::File(path.clone());
    let mut reader = RowReader::open(&source).unwrap();
    assert!(reader.next_row().unwrap().is_some());
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(b"{\"a\": 3}\n").unwrap();
    assert!(!reader.changed_while_read());
    while reader.next_row().unwrap().is_some() {}
    assert!(reader.changed_while_read());
    assert_eq!(
        reader.notices(),
        ["the file changed while it was read, so rows may be missing or torn"]
    );
    // Read once more, it is in order.
    let mut reader = RowReader::open(&source).unwrap();
    while reader.next_row().unwrap().is_some() {}
    assert!(reader.notices().is_empty() && !reader.changed_while_read());
}
