//! gzip and Zstandard around texts: whole, cut off, damaged, and made to fill the memory.

use std::io::Write;

use super::{Reading, gzip};

const ROWS: &[u8] = b"{\"a\": 1}\n{\"a\": 2}\n";

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn many_rows() -> Vec<u8> {
    let row = |n: u64| format!("{{\"a\": {}}}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..200_000).map(row).collect::<String>().into_bytes()
}

#[test]
fn packed_texts_are_unpacked_whatever_they_are_called() {
    let two = [gzip(ROWS), gzip(ROWS)].concat();
    for (name, bytes, rows) in [
        ("a.jsonl.gz", gzip(ROWS), 2),
        ("a.jsonl", gzip(ROWS), 2),
        ("a.jsonl.gz", two, 4),
        ("a.jsonl.zst", zstd(ROWS), 2),
        ("a.jsonl.zst", [zstd(ROWS), zstd(ROWS)].concat(), 4),
        ("a.jsonl.gz", ROWS.to_vec(), 2),
        ("a.csv.gz", gzip(b"a\n1\n2\n3\n"), 3),
        ("a.json.zst", zstd(b"[{\"a\": 1}]"), 1),
        ("a.txt.gz", gzip(b"text"), 1),
        ("a.jsonl.gz", gzip(b""), 0),
    ] {
        let reading = Reading::of(name, &bytes);
        assert!(reading.error.is_none(), "{name}: {:?}", reading.error);
        assert_eq!(reading.rows.len(), rows, "{name}");
    }
}

#[test]
fn what_is_before_the_damage_stays_usable() {
    let rows = many_rows();
    for (name, packed) in [("a.jsonl.gz", gzip(&rows)), ("a.jsonl.zst", zstd(&rows))] {
        let kind = if name.ends_with("gz") {
            "gzip"
        } else {
            "Zstandard"
        };
        let cut = Reading::of(name, &packed[..packed.len() / 2]);
        assert!(cut.rows.len() > 50_000, "{}", cut.rows.len());
        let line = cut.rows.len() + 1;
        assert_eq!(
            cut.problem(),
            format!("{name}:{line}: the {kind} data is cut off here")
        );

        let mut damaged = packed.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 64].fill(0xa5);
        let reading = Reading::of(name, &damaged);
        assert!(reading.rows.len() > 50_000);
        let problem = reading.problem();
        assert!(
            problem.contains(&format!("the {kind} data is damaged here: ")),
            "{problem}"
        );
    }
    for packed in [gzip(ROWS), zstd(ROWS)] {
        // Even of a file that is shorter than what is looked at before.
        let cut = Reading::of("a.jsonl", &packed[..packed.len() - 3]);
        assert_eq!(cut.rows.len(), 2);
        assert!(cut.problem().starts_with("a.jsonl:3: the "));
    }
    let garbage = Reading::of(
        "a.jsonl.gz",
        &[gzip(ROWS), b"garbage behind the end".to_vec()].concat(),
    );
    assert_eq!(garbage.rows.len(), 2);
    assert!(garbage.problem().contains("the gzip data is damaged"));
}

#[test]
fn bombs_end_with_their_ratio() {
    let zeros = vec![b'x'; 80 << 20];
    for (name, packed) in [("a.jsonl.gz", gzip(&zeros)), ("a.txt.zst", zstd(&zeros))] {
        let reading = Reading::of(name, &packed);
        let problem = reading.problem();
        assert!(problem.contains("data unpacks to "), "{problem}");
        assert!(problem.ends_with(" times its size"), "{problem}");
    }
    // A large file that compresses well is no bomb.
    let lines = "{\"prompt\": \"what is it\", \"completion\": \"it is what it is\"}\n";
    let varied: String = (0..1_400_000).map(|n| format!("{n} {lines}")).collect();
    assert!(varied.len() > 80 << 20);
    let reading = Reading::of("a.jsonl.gz", &gzip(varied.as_bytes()));
    assert!(reading.error.is_none(), "{:?}", reading.error);
    assert_eq!(reading.rows.len(), 1_400_000);
}
