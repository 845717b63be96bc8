//! Parquet: tables stored by column, given row by row. Lists, maps and structs become JSON.
//!
//! A corrupt file may make the library panic. Sizes are checked before it sees them
//! ([`parquet_checks`](super::parquet_checks)); what is left is caught.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use parquet::record::reader::{ReaderIter, TreeBuilder};
use parquet::schema::types::SchemaDescPtr;

use super::MAX_ROW_BYTES;
use super::parquet_checks::{check_footer, check_row_group, damaged};
use super::parquet_columns::{LeftOut, fields_of, readable_columns};
use super::parquet_lists::swelling_column;
use super::source::{DataSource, FileStamp};
use super::stop::Stop;
use crate::datasets::row::{Row, RowContent, RowProblem};
use crate::foreign_text::visible_excerpt;
use crate::{Error, Result};

/// Reads the row groups of a table one after the other.
pub(super) struct ParquetRows {
    bytes: TableBytes,
    table: SerializedFileReader<TableBytes>,
    columns: SchemaDescPtr,
    group: usize,
    rows: Option<ReaderIter>,
    rows_read: u64,
    rows_in_all: u64,
    opened: Option<FileStamp>,
    fingerprint: Option<String>,
    pub(super) notices: Vec<String>,
}

impl ParquetRows {
    pub(super) fn open(source: &DataSource) -> Result<Self> {
        let path = source.path();
        let io = |error| Error::io("read", path)(error);
        let (bytes, opened) = match source {
            DataSource::File(path) => {
                let file = File::open(path).map_err(io)?;
                let stamp = FileStamp::of(&file).map_err(io)?;
                (TableBytes::File(Arc::new(file)), Some(stamp))
            }
            DataSource::Memory { bytes, .. } => {
                (TableBytes::Memory(Bytes::copy_from_slice(bytes)), None)
            }
        };
        Self::of_bytes(bytes, opened).map_err(|stop| stop.into_error(path, 1))
    }

    fn of_bytes(bytes: TableBytes, opened: Option<FileStamp>) -> Result<Self, Stop> {
        check_footer(&bytes)?;
        let table = catching(|| SerializedFileReader::new(bytes.clone()))?;
        let file = table.metadata().file_metadata();
        let (columns, left_out) = catching(|| Ok(readable_columns(file.schema())))?;
        let notices: Vec<String> = left_out.iter().map(LeftOut::notice).collect();
        let Some(columns) = columns else {
            return Err(Stop::new(
                format!("no column can be read; {}", notices.join("; ")),
                "write the texts as string columns",
            ));
        };
        let rows_in_all = u64::try_from(file.num_rows()).unwrap_or(0);
        Ok(Self {
            bytes,
            table,
            columns,
            group: 0,
            rows: None,
            rows_read: 0,
            rows_in_all,
            opened,
            fingerprint: None,
            notices,
        })
    }

    /// About how far into the file the rows so far reach: columns lie side by side.
    pub(super) fn bytes_read(&self) -> u64 {
        let read = u128::from(self.rows_read.min(self.rows_in_all));
        let all = self.bytes.len();
        let bytes = u128::from(all) * read / u128::from(self.rows_in_all.max(1));
        u64::try_from(bytes).unwrap_or(all)
    }

    pub(super) fn fingerprint(&self) -> Option<String> {
        self.fingerprint.clone()
    }

    /// Whether size or time of the file are others than when it was opened.
    pub(super) fn has_changed(&self) -> bool {
        match &self.bytes {
            TableBytes::File(file) => FileStamp::of(file).ok() != self.opened,
            TableBytes::Memory(_) => false,
        }
    }

    pub(super) fn next_row(&mut self) -> Result<Option<Row>, Stop> {
        loop {
            if let Some(rows) = &mut self.rows {
                let fields = catching(|| match rows.next() {
                    Some(row) => row.map(|row| Some(fields_of(&row))),
                    None => Ok(None),
                })?;
                if let Some(fields) = fields {
                    self.rows_read += 1;
                    return Ok(Some(self.row(RowContent::Fields(fields))));
                }
                self.rows = None;
                self.group += 1;
            }
            if self.group == self.table.metadata().num_row_groups() {
                self.end()?;
                return Ok(None);
            }
            self.rows = Some(self.rows_of_group()?);
        }
    }

    fn rows_of_group(&self) -> Result<ReaderIter, Stop> {
        let wanted: HashSet<_> = self.columns.columns().iter().map(|c| c.path()).collect();
        let is_wanted = |column: &ColumnChunkMetaData| wanted.contains(column.column_path());
        let metadata = self.table.metadata().row_group(self.group);
        check_row_group(&self.bytes, metadata, is_wanted)?;
        let group = catching(|| self.table.get_row_group(self.group))?;
        if let Some(path) = catching(|| swelling_column(group.as_ref(), is_wanted))? {
            let path = visible_excerpt(&path, 80);
            return Err(Stop::new(
                format!("a row of the column `{path}` can take more than 256 MiB"),
                "write the file with fewer values per row",
            ));
        }
        catching(|| TreeBuilder::new().as_iter(self.columns.clone(), group.as_ref()))
    }

    fn row(&self, content: RowContent) -> Row {
        let line = usize::try_from(self.rows_read).unwrap_or(usize::MAX);
        let row = Row { line, content };
        if row.size_bytes() <= MAX_ROW_BYTES {
            return row;
        }
        let problem = RowProblem::new("the row is longer than 32 MiB", "split or remove it");
        Row {
            line,
            content: RowContent::Broken(problem),
        }
    }

    /// Rows come from all over the file, so it is hashed by reading it once more.
    fn end(&mut self) -> Result<(), Stop> {
        let mut hasher = blake3::Hasher::new();
        match &self.bytes {
            TableBytes::File(file) => {
                let mut file = file.as_ref();
                file.rewind()?;
                hasher.update_reader(file)?;
            }
            TableBytes::Memory(bytes) => drop(hasher.update(bytes)),
        }
        self.rows_read = self.rows_in_all;
        self.fingerprint = Some(hasher.finalize().to_hex().to_string());
        Ok(())
    }
}

/// The bytes of a table, in a file or in memory.
#[derive(Clone)]
enum TableBytes {
    File(Arc<File>),
    Memory(Bytes),
}

impl Length for TableBytes {
    fn len(&self) -> u64 {
        match self {
            Self::File(file) => Length::len(file.as_ref()),
            Self::Memory(bytes) => Length::len(bytes),
        }
    }
}

impl ChunkReader for TableBytes {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(match self {
            Self::File(file) => Box::new(file.get_read(start)?),
            Self::Memory(bytes) => Box::new(bytes.get_read(start)?),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Self::File(file) => file.get_bytes(start, length),
            Self::Memory(bytes) => bytes.get_bytes(start, length),
        }
    }
}

/// What the library does, with its panics as errors.
fn catching<T>(work: impl FnOnce() -> ParquetResult<T>) -> Result<T, Stop> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(damaged(&visible_excerpt(&error.to_string(), 300))),
        Err(_) => Err(damaged("it contradicts itself")),
    }
}
