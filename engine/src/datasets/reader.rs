//! Sources into rows: lines of a file, or of a dataset inside the executable. Other containers
//! (CSV, Parquet, compressed files) become readers beside this one that give the same rows.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use super::row::{Row, RowContent};
use crate::{Error, Result};

/// A line longer than this is no row of a dataset.
pub const MAX_LINE_BYTES: usize = 32 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where rows come from.
#[derive(Clone, Debug)]
pub enum DataSource {
    /// A file.
    File(PathBuf),
    /// Bytes in memory, like the dataset inside the executable.
    Memory {
        /// What to call it in messages, like `builtin dataset`.
        name: &'static str,
        /// The content, as it would be in a file.
        bytes: Cow<'static, [u8]>,
    },
}

impl DataSource {
    /// The path, or the name in place of one.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Memory { name, .. } => Path::new(name),
        }
    }

    /// Bytes to read in all, as far as the system tells.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::File(path) => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Self::Memory { bytes, .. } => bytes.len() as u64,
        }
    }
}

/// Reads a source row by row.
pub struct RowReader<'a> {
    path: PathBuf,
    reader: Box<dyn BufRead + 'a>,
    line: usize,
    bytes_read: u64,
}

impl<'a> RowReader<'a> {
    /// Opens a source.
    pub fn open(source: &'a DataSource) -> Result<Self> {
        let path = source.path().to_path_buf();
        let reader: Box<dyn BufRead + 'a> = match source {
            DataSource::File(path) => Box::new(BufReader::with_capacity(
                1 << 16,
                File::open(path).map_err(Error::io("read", path))?,
            )),
            DataSource::Memory { bytes, .. } => Box::new(Cursor::new(bytes.as_ref())),
        };
        Ok(Self {
            path,
            reader,
            line: 0,
            bytes_read: 0,
        })
    }

    /// Bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The next row that is not blank, or `None` at the end.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        loop {
            let mut bytes = Vec::new();
            let limit = MAX_LINE_BYTES as u64 + 2;
            (&mut self.reader)
                .take(limit)
                .read_until(b'\n', &mut bytes)
                .map_err(Error::io("read", &self.path))?;
            if bytes.is_empty() {
                return Ok(None);
            }
            self.line += 1;
            self.bytes_read += bytes.len() as u64;
            if self.line == 1 {
                if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
                    return Err(self.problem("the file is UTF-16 text", "save it as UTF-8"));
                }
                if bytes.starts_with(BYTE_ORDER_MARK) {
                    bytes.drain(..BYTE_ORDER_MARK.len());
                }
            }
            while matches!(bytes.last(), Some(b'\n' | b'\r')) {
                bytes.pop();
            }
            if bytes.len() > MAX_LINE_BYTES {
                return Err(self.problem(
                    "the line is longer than 32 MiB",
                    "JSONL has one row per line; check that this file is JSONL and not one large JSON document",
                ));
            }
            let text = String::from_utf8(bytes).map_err(|error| {
                let column = error.utf8_error().valid_up_to() + 1;
                self.problem(
                    format!("not UTF-8 text at column {column}"),
                    "save the file as UTF-8; if it is compressed or Parquet, convert it to JSONL first",
                )
            })?;
            if !text.trim().is_empty() {
                return Ok(Some(Row {
                    line: self.line,
                    content: RowContent::Json(text),
                }));
            }
        }
    }

    fn problem(&self, problem: impl Into<String>, hint: &str) -> Error {
        Error::DatasetRow {
            path: self.path.clone(),
            line: self.line,
            problem: problem.into(),
            hint: hint.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: &[u8]) -> Result<Vec<(usize, String)>> {
        let source = DataSource::Memory {
            name: "builtin dataset",
            bytes: bytes.to_vec().into(),
        };
        let mut reader = RowReader::open(&source)?;
        let mut rows = Vec::new();
        while let Some(row) = reader.next_row()? {
            match row.content {
                RowContent::Json(text) => rows.push((row.line, text)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(reader.bytes_read(), bytes.len() as u64);
        Ok(rows)
    }

    #[test]
    fn lines_keep_their_numbers() {
        let rows = rows(b"\xef\xbb\xbfone\r\n\n  \t\ntwo\n\r\nthree").unwrap();
        assert_eq!(
            rows,
            [
                (1, "one".to_owned()),
                (4, "two".to_owned()),
                (6, "three".to_owned())
            ]
        );
        assert!(super::tests::rows(b"").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_text_is_named() {
        let message = |bytes: &[u8]| rows(bytes).unwrap_err().to_string();
        assert_eq!(
            message(b"ok\nab\xffcd\n"),
            "builtin dataset:2: not UTF-8 text at column 3"
        );
        assert_eq!(
            message(b"\xff\xfea\0"),
            "builtin dataset:1: the file is UTF-16 text"
        );
        let long = vec![b'x'; MAX_LINE_BYTES + 10];
        assert_eq!(
            message(&long),
            "builtin dataset:1: the line is longer than 32 MiB"
        );
        assert_eq!(rows(&long[..MAX_LINE_BYTES]).unwrap().len(), 1);
    }

    #[test]
    fn a_missing_file_is_named() {
        let source = DataSource::File("no/such.jsonl".into());
        let error = RowReader::open(&source).err().unwrap();
        assert_eq!(error.code(), "io");
        assert!(
            error.to_string().starts_with("cannot read no/such.jsonl: "),
            "{error}"
        );
    }
}
