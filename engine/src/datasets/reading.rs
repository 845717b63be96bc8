//! Sources to samples: rows are read one after the other, understood side by side, and handed on in
//! their order. A row that cannot be understood is handed on as a problem; the rows behind it go on.

use std::ops::ControlFlow;
use std::path::Path;

use rayon::prelude::*;
use stepladder_protocol::{DataFormat, DataOptions};

use super::conversation::{Sample, SourceLine};
use super::formats::{Detection, RowProblem};
use super::load::LoadProgress;
use super::opened::{OpenedSource, left_out};
use super::reader::DataSource;
use super::report::{DatasetReport, SkippedRow, SourceReport};
use super::row::{Fields, Row};
use crate::models::chat_template::deep_stack;
use crate::{Error, Result};

/// Rows that are worked on side by side, and between which a load can be stopped.
const CHUNK_ROWS: usize = 256;
const CHUNK_BYTES: usize = 8 << 20;

/// Reads sources.
pub(super) struct Reading<'a> {
    options: &'a DataOptions,
    sources: usize,
    threads: rayon::ThreadPool,
    so_far: LoadProgress,
}

/// What became of a row: what was made of it, or why nothing.
type Made<T> = std::result::Result<T, RowProblem>;

impl<'a> Reading<'a> {
    /// Of sources of this many bytes in all.
    pub(super) fn new(options: &'a DataOptions, sources: &[DataSource]) -> Result<Self> {
        let threads =
            deep_stack::pool().map_err(Error::io("start threads for", "the chat template"))?;
        Ok(Self {
            options,
            sources: sources.len(),
            threads,
            so_far: LoadProgress {
                rows: 0,
                bytes_read: 0,
                bytes_total: sources.iter().map(DataSource::size_bytes).sum(),
            },
        })
    }

    /// Reads sources and keeps account. `work` is done on several threads; `keep` gets what it made,
    /// with the path of its file, row by row in their order.
    pub(super) fn all<T: Send>(
        &mut self,
        sources: &[DataSource],
        report: &mut DatasetReport,
        work: impl Fn(SourceLine, Sample) -> Result<T> + Sync,
        mut keep: impl FnMut(&mut DatasetReport, (&Path, SourceLine), T) -> Result<()>,
        progress: &mut dyn FnMut(LoadProgress) -> ControlFlow<()>,
    ) -> Result<()> {
        for (index, source) in sources.iter().enumerate() {
            let path = source.path();
            let before = report.examples;
            let take = |place: SourceLine, made: Made<T>| {
                report.rows_read += 1;
                match made {
                    Ok(made) => keep(report, (path, place), made),
                    Err(problem) => {
                        let row = SkippedRow::new(path, place.line, problem);
                        report.skipped.add(row);
                        Ok(())
                    }
                }
            };
            let mut read = self.source((index, source), &work, take, progress)?;
            read.examples = report.examples - before;
            report.sources.push(read);
        }
        Ok(())
    }

    fn source<T: Send>(
        &mut self,
        (index, source): (usize, &DataSource),
        work: &(impl Fn(SourceLine, Sample) -> Result<T> + Sync),
        mut take: impl FnMut(SourceLine, Made<T>) -> Result<()>,
        progress: &mut dyn FnMut(LoadProgress) -> ControlFlow<()>,
    ) -> Result<SourceReport> {
        let mut opened = match OpenedSource::open(source, self.options) {
            Ok(opened) => opened,
            // One odd file among several does not keep the others from being read.
            Err(error) if self.sources > 1 => return Ok(left_out(source, &error)),
            Err(error) => return Err(error),
        };
        let bytes_before = self.so_far.bytes_read;
        let mut report = opened.report(source);
        loop {
            let (chunk, ended) = next_chunk(&mut opened);
            report.rows += chunk.len();
            self.so_far.rows += chunk.len();
            let places: Vec<SourceLine> = chunk
                .iter()
                .map(|row| SourceLine {
                    source: index,
                    line: row.line,
                })
                .collect();
            let is_last = chunk.is_empty() || ended.is_some();
            let rows: Vec<Made<Fields>> = self
                .threads
                .install(|| chunk.into_par_iter().map(Row::into_fields).collect());
            let detection = opened.detection.as_ref();
            let made = self.threads.install(|| {
                let make = |(place, fields): (&SourceLine, Made<Fields>)| {
                    let sample = match (detection, fields) {
                        (_, Err(problem)) => return Ok(Err(problem)),
                        (Some(detection), Ok(fields)) => detection.parse(fields),
                        (None, Ok(_)) => return Ok(Err(no_format())),
                    };
                    sample.map_or_else(
                        |problem| Ok(Err(problem)),
                        |sample| work(*place, sample).map(Ok),
                    )
                };
                let rows = places.par_iter().zip(rows.into_par_iter());
                rows.map(make).collect::<Vec<Result<Made<T>>>>()
            });
            for (place, made) in places.iter().zip(made) {
                take(*place, made?)?;
            }
            self.so_far.bytes_read = bytes_before + opened.reader.bytes_read();
            if progress(self.so_far).is_break() {
                return Err(Error::Stopped);
            }
            report.ended = ended.map(|error| error.to_string());
            if is_last {
                break;
            }
        }
        let reader = &opened.reader;
        report.notices = reader.notices().to_vec();
        report.fingerprint = reader.fingerprint();
        report.changed_while_read = reader.changed_while_read();
        report.row_index = reader.index().clone();
        Ok(report)
    }
}

/// Of a row that can be read behind thousands that cannot.
fn no_format() -> RowProblem {
    RowProblem::new(
        "none of the rows at the beginning of the file can be read, so their format is not known",
        "repair or remove the rows at the beginning",
    )
}

impl SourceReport {
    pub(super) fn describe(&mut self, found: &Detection) {
        self.format = found.format;
        self.confidence = found.confidence;
        self.reason.clone_from(&found.reason);
        let columns = found.columns.iter();
        self.columns = columns
            .map(|(field, column)| (field.name.to_owned(), column.to_owned()))
            .collect();
    }

    /// The format's name, `empty` if there was no row.
    pub fn format_name(&self) -> &'static str {
        match self.format {
            DataFormat::Auto => "empty",
            format => format.name(),
        }
    }
}

/// Some rows, and the error that ended the reading behind them.
fn next_chunk(opened: &mut OpenedSource<'_>) -> (Vec<Row>, Option<Error>) {
    let mut chunk = Vec::new();
    let mut bytes = 0;
    while chunk.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
        match opened.next_row() {
            Ok(Some(row)) => {
                bytes += row.size_bytes();
                chunk.push(row);
            }
            Ok(None) => break,
            Err(error) => return (chunk, Some(error)),
        }
    }
    (chunk, None)
}
