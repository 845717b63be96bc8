//! CSV and its relatives: a header, then a row per record. Values stay texts, whatever they look like.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use memchr::memchr2;
use serde_json::Value;

use super::encoding::SAMPLE_BYTES;
use super::json_lines::{broken, newlines};
use super::stop::Stop;
use super::stream::TextStream;
use super::{Cutter, MAX_ROW_BYTES};
use crate::datasets::row::{Fields, Row, RowContent, RowProblem};
use crate::foreign_text::visible_excerpt;

/// Delimiters that are looked for; of equally good ones, the first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Records of the sample that are counted.
const SAMPLE_RECORDS: usize = 100;
/// A table has no more columns.
const MAX_COLUMNS: usize = 4096;
/// How often a reading starts over behind a quotation mark that is not closed. Each time, the text may
/// be read to its end.
const MAX_STARTS_OVER: usize = 16;

/// Cuts records into rows with the header's names.
pub(super) struct Csv {
    reader: Reader,
    names: Vec<String>,
    record: Record,
    /// The record as it stands in the text.
    raw: Vec<u8>,
    starts_over: usize,
}

/// The record that was read last.
struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    fields: usize,
    line: usize,
    too_long: bool,
    /// Whether the text ended within its quotation marks.
    unclosed: bool,
}

impl Csv {
    /// Reads the header. `usual` is the delimiter that the file's name promises.
    pub(super) fn open(stream: &mut TextStream<'_>, usual: u8) -> Result<Option<Self>, Stop> {
        let sample = stream.look_ahead(SAMPLE_BYTES);
        let delimiter = sniff(sample, usual);
        if delimiter != usual {
            let shown = char::from(delimiter).escape_default();
            stream
                .notices
                .push(format!("values are separated by `{shown}`"));
        }
        let mut csv = Self {
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            names: Vec::new(),
            record: Record {
                bytes: vec![0; 4096],
                ends: vec![0; 64],
                fields: 0,
                line: 1,
                too_long: false,
                unclosed: false,
            },
            raw: Vec::new(),
            starts_over: 0,
        };
        if !csv.read_record(stream)? {
            return Ok(None);
        }
        csv.names = csv.header()?;
        Ok(Some(csv))
    }

    fn header(&self) -> Result<Vec<String>, Stop> {
        let hint = "the first line names the columns, like `prompt,completion`";
        if self.record.unclosed {
            return Err(Stop::new(
                "a quotation mark in the header is not closed",
                hint,
            ));
        }
        let values = self.record.values().ok();
        let Some(values) = values.filter(|_| !self.record.too_long) else {
            return Err(Stop::new("the header is too long or no UTF-8 text", hint));
        };
        if values
            .iter()
            .all(|value| value.trim().parse::<f64>().is_ok())
        {
            return Err(Stop::new(
                "the first line holds numbers and no header",
                hint,
            ));
        }
        let mut names: Vec<String> = Vec::new();
        for (index, value) in values.into_iter().enumerate() {
            // pandas leaves the index column without a name.
            let name = match value.trim() {
                "" => format!("column {}", index + 1),
                name => name.to_owned(),
            };
            if names.contains(&name) {
                return Err(Stop::new(
                    format!("the header names `{}` twice", visible_excerpt(&name, 40)),
                    "give every column a name of its own",
                ));
            }
            names.push(name);
        }
        Ok(names)
    }

    /// Reads a record into `self.record`; `false` at the end.
    fn read_record(&mut self, stream: &mut TextStream<'_>) -> Result<bool, Stop> {
        if !to_next_record(stream)? {
            return Ok(false);
        }
        let record = &mut self.record;
        record.line = stream.line;
        (record.too_long, record.unclosed) = (false, false);
        self.raw.clear();
        let (mut written, mut ended) = (0, 0);
        let mut seen = 0_usize;
        loop {
            let at_end = !stream.refill()?;
            // A line break ends every record but one with a quotation mark that is not closed.
            let window = if at_end { b"\n" } else { stream.window() };
            let (result, read, wrote, ends) = self.reader.read_record(
                window,
                &mut record.bytes[written..],
                &mut record.ends[ended..],
            );
            if !at_end {
                let lines = newlines(&window[..read]);
                if !record.too_long {
                    self.raw.extend_from_slice(&window[..read]);
                }
                stream.take(read);
                stream.line += lines;
            }
            seen = seen.saturating_add(read);
            written += wrote;
            ended += ends;
            if seen > MAX_ROW_BYTES || ended > MAX_COLUMNS {
                // Read to its end, and not kept.
                record.too_long = true;
                (written, ended) = (0, 0);
                self.raw = Vec::new();
            }
            match result {
                ReadRecordResult::InputEmpty if at_end => {
                    record.unclosed = true;
                    self.reader.reset();
                    break;
                }
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => grow(&mut record.bytes, written),
                ReadRecordResult::OutputEndsFull => grow(&mut record.ends, ended),
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(false),
            }
        }
        record.fields = ended;
        Ok(true)
    }

    /// Gives back what a quotation mark that is not closed has swallowed: all but its first line.
    fn start_over(&mut self, stream: &mut TextStream<'_>) {
        let Some(first_line) = memchr2(b'\n', b'\r', &self.raw) else {
            return;
        };
        if self.starts_over < MAX_STARTS_OVER {
            self.starts_over += 1;
            let swallowed = self.raw.split_off(first_line + 1);
            stream.line = self.record.line + newlines(&self.raw);
            stream.put_back(swallowed);
        }
    }

    fn row(&self) -> Row {
        let record = &self.record;
        let line = record.line;
        if record.too_long {
            return broken(
                line,
                RowProblem::new(
                    "the row is longer than 32 MiB or has more than 4096 values",
                    "check that no quotation mark is missing; a quotation mark inside a value is written twice",
                ),
            );
        }
        if record.unclosed {
            return broken(
                line,
                RowProblem::new(
                    "a quotation mark is not closed",
                    "close it behind the value; a quotation mark inside a value is written twice",
                ),
            );
        }
        if record.fields != self.names.len() {
            return broken(
                line,
                RowProblem::new(
                    format!(
                        "the row has {}, but the header names {}",
                        counted(record.fields, "value"),
                        counted(self.names.len(), "column")
                    ),
                    "put values that hold a delimiter, a quotation mark or a line break in quotation marks",
                ),
            );
        }
        match record.values() {
            Ok(values) => {
                let values = values
                    .into_iter()
                    .map(|text| Value::String(text.to_owned()));
                let fields: Fields = self.names.iter().cloned().zip(values).collect();
                Row {
                    line,
                    content: RowContent::Fields(fields),
                }
            }
            Err((column, at)) => {
                let name = self.names.get(column).map_or("", String::as_str);
                let name = visible_excerpt(name, 40);
                broken(
                    line,
                    RowProblem::new(
                        format!("`{name}` is not UTF-8 text at byte {at} of the value"),
                        "save the file as UTF-8, or repair or remove the row",
                    ),
                )
            }
        }
    }
}

impl Cutter for Csv {
    fn next_row(&mut self, stream: &mut TextStream<'_>) -> Result<Option<Row>, Stop> {
        if !self.read_record(stream)? {
            return Ok(None);
        }
        if self.record.unclosed {
            self.start_over(stream);
        }
        Ok(Some(self.row()))
    }
}

impl Record {
    /// Its values, or the column and the byte of it that is no UTF-8.
    fn values(&self) -> Result<Vec<&str>, (usize, usize)> {
        let mut start = 0;
        let ends = self.ends[..self.fields].iter().enumerate();
        ends.map(|(column, end)| {
            let bytes = &self.bytes[start..*end];
            start = *end;
            str::from_utf8(bytes).map_err(|error| (column, error.valid_up_to() + 1))
        })
        .collect()
    }
}

/// Passes over blank lines; `false` at the end of the text.
fn to_next_record(stream: &mut TextStream<'_>) -> Result<bool, Stop> {
    while stream.refill()? {
        let window = stream.window();
        let blank = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let count = window.iter().take_while(blank).count();
        let more = count < window.len();
        let lines = newlines(&window[..count]);
        stream.take(count);
        stream.line += lines;
        if more {
            return Ok(true);
        }
    }
    Ok(false)
}

fn grow<T: Clone + Default>(buffer: &mut Vec<T>, used: usize) {
    if used == buffer.len() || used * 2 > buffer.len() {
        buffer.resize(buffer.len() * 2, T::default());
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The delimiter that cuts the sample into records of the most equal lengths.
fn sniff(sample: &[u8], usual: u8) -> u8 {
    let agreeing = |delimiter: u8| {
        let lengths = record_lengths(sample, delimiter);
        match lengths.first() {
            None | Some(1) => 0,
            Some(first) => lengths.iter().filter(|length| *length == first).count(),
        }
    };
    let mut best = (usual, agreeing(usual));
    for delimiter in DELIMITERS {
        let count = agreeing(delimiter);
        if count > best.1 {
            best = (delimiter, count);
        }
    }
    best.0
}

/// Numbers of values of the first records.
fn record_lengths(mut sample: &[u8], delimiter: u8) -> Vec<usize> {
    let mut reader = ReaderBuilder::new().delimiter(delimiter).build();
    let (mut bytes, mut ends) = ([0; 1024], [0; 64]);
    let (mut lengths, mut values) = (Vec::new(), 0);
    while lengths.len() < SAMPLE_RECORDS {
        let (result, read, _, ended) = reader.read_record(sample, &mut bytes, &mut ends);
        sample = &sample[read..];
        values += ended;
        match result {
            ReadRecordResult::Record => {
                lengths.push(values);
                values = 0;
            }
            // The last record of a sample may be cut; of a single one nothing else is known.
            ReadRecordResult::InputEmpty if lengths.is_empty() => {
                lengths.push(values + 1);
                break;
            }
            ReadRecordResult::InputEmpty | ReadRecordResult::End => break,
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
        }
    }
    lengths
}
