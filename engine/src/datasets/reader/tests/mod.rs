//! Every container with tricky content, and each kind of bad input.

mod json;
mod packed;
mod parquet;
mod places;
mod tables;
mod texts;

use std::io::Write;
use std::path::Path;

use super::{Container, DataSource, RowReader};
use crate::Error;
use crate::datasets::row::RowContent;

/// What a reading gave.
#[derive(Debug)]
struct Reading {
    container: Container,
    /// Line and content: JSON, or the problem in angle brackets.
    rows: Vec<(usize, String)>,
    notices: Vec<String>,
    fingerprint: Option<String>,
    bytes_read: u64,
    error: Option<Error>,
}

impl Reading {
    /// Of a file of this name.
    fn of(name: &str, bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let reading = Self::of_file(&path);
        if reading.error.is_none() {
            assert_eq!(reading.bytes_read, bytes.len() as u64);
            let hash = blake3::hash(bytes).to_hex().to_string();
            assert_eq!(reading.fingerprint, Some(hash));
        }
        reading
    }

    fn of_file(path: &Path) -> Self {
        let source = DataSource::File(path.to_path_buf());
        let mut reading = Self {
            container: Container::Empty,
            rows: Vec::new(),
            notices: Vec::new(),
            fingerprint: None,
            bytes_read: 0,
            error: None,
        };
        let mut reader = match RowReader::open(&source) {
            Ok(reader) => reader,
            Err(error) => {
                reading.error = Some(error);
                return reading;
            }
        };
        loop {
            match reader.next_row() {
                Ok(Some(row)) => reading.rows.push((row.line, shown(row.content))),
                Ok(None) => break,
                Err(error) => {
                    reading.error = Some(error);
                    assert!(matches!(reader.next_row(), Ok(None)));
                    break;
                }
            }
        }
        reading.container = reader.container();
        reading.notices = reader.notices().to_vec();
        reading.fingerprint = reader.fingerprint();
        reading.bytes_read = reader.bytes_read();
        reading
    }

    fn texts(&self) -> Vec<&str> {
        self.rows.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn lines(&self) -> Vec<usize> {
        self.rows.iter().map(|(line, _)| *line).collect()
    }

    /// The error's line and problem, without the folder.
    fn problem(&self) -> String {
        let message = self.error.as_ref().unwrap().to_string();
        message.rsplit_once('/').unwrap().1.to_owned()
    }
}

fn shown(content: RowContent) -> String {
    match content {
        RowContent::Json(text) => text,
        RowContent::Fields(fields) => serde_json::Value::Object(fields).to_string(),
        RowContent::Broken(problem) => format!("<{}>", problem.problem),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

#[test]
fn a_reader_may_go_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<RowReader<'_>>();
}
