//! A source whose format is known: its first rows are read for that, and given again afterwards.

use std::collections::VecDeque;

use stepladder_protocol::DataOptions;

use super::formats::{DETECTION_ROWS, Detection, column_names, detect};
use super::reader::{DataSource, RowReader};
use super::report::SourceReport;
use super::row::{Fields, Row};
use crate::{Error, Result};

/// Rows, and bytes of them, among which readable ones are looked for.
const MAX_ROWS: usize = 10_000;
const MAX_BYTES: usize = 8 << 20;
/// Columns that are named for whoever maps them by hand.
const MAX_COLUMNS: usize = 200;

/// A source that is being read.
pub(super) struct OpenedSource<'a> {
    /// Reads behind the first rows.
    pub(super) reader: RowReader<'a>,
    /// The rows' format; none if no row can be read.
    pub(super) detection: Option<Detection>,
    first: VecDeque<Row>,
    /// Those of the first rows that can be read, until the format is known.
    readable: Vec<Fields>,
    found_columns: Vec<String>,
    /// What ended the reading among the first rows.
    ended: Option<Error>,
}

impl<'a> OpenedSource<'a> {
    /// Opens a source.
    ///
    /// # Errors
    /// When it cannot be opened, or its rows have no known format.
    pub(super) fn open(source: &'a DataSource, options: &DataOptions) -> Result<Self> {
        let (mut opened, line) = Self::with_first_rows(source)?;
        let readable = std::mem::take(&mut opened.readable);
        if !readable.is_empty() {
            let found = detect(&readable, options);
            opened.detection = Some(found.map_err(|problem| problem.at(source.path(), line))?);
        }
        Ok(opened)
    }

    /// Reads the first rows; answers the line of the first that can be read, too.
    fn with_first_rows(source: &'a DataSource) -> Result<(Self, usize)> {
        let mut opened = Self {
            reader: RowReader::open(source)?,
            detection: None,
            first: VecDeque::new(),
            readable: Vec::new(),
            found_columns: Vec::new(),
            ended: None,
        };
        let (mut line, mut bytes) = (0, 0);
        while opened.readable.len() < DETECTION_ROWS
            && opened.first.len() < MAX_ROWS
            && bytes < MAX_BYTES
        {
            let row = match opened.reader.next_row() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                Err(error) => {
                    opened.ended = Some(error);
                    break;
                }
            };
            bytes += row.size_bytes();
            if let Ok(fields) = row.clone().into_fields() {
                if opened.readable.is_empty() {
                    line = row.line;
                }
                opened.readable.push(fields);
            }
            opened.first.push_back(row);
        }
        opened.found_columns = column_names(&opened.readable, MAX_COLUMNS);
        Ok((opened, line))
    }

    /// The next row, the first ones included.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>> {
        if let Some(row) = self.first.pop_front() {
            return Ok(Some(row));
        }
        match self.ended.take() {
            Some(error) => Err(error),
            None => self.reader.next_row(),
        }
    }

    /// Rows that were read to know the format and are not given yet.
    pub(super) fn waiting(&self) -> usize {
        self.first.len()
    }

    /// Goes on with another reader of the same source.
    pub(super) fn go_on_with(&mut self, reader: RowReader<'a>) {
        self.reader = reader;
        self.first.clear();
        self.ended = None;
    }

    /// What is known of the source so far.
    pub(super) fn report(&self, source: &DataSource) -> SourceReport {
        let mut report = SourceReport {
            path: source.path().to_path_buf(),
            container: self.reader.container().name(),
            bytes: source.size_bytes(),
            found_columns: self.found_columns.clone(),
            ..SourceReport::default()
        };
        if let Some(found) = &self.detection {
            report.describe(found);
        }
        report
    }
}

/// A source that is left out: why, and its columns as far as they can be read, which is what there is
/// to map by hand.
pub fn left_out(source: &DataSource, error: &Error) -> SourceReport {
    let report = match OpenedSource::with_first_rows(source) {
        Ok((opened, _)) => opened.report(source),
        Err(_) => SourceReport {
            path: source.path().to_path_buf(),
            bytes: source.size_bytes(),
            ..SourceReport::default()
        },
    };
    SourceReport {
        ended: Some(error.to_string()),
        ..report
    }
}
