//! Sources all the way to examples, with an account of every row.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

use rayon::prelude::*;
use stepladder_protocol::DataOptions;

use super::conversation::{Conversation, Message, Sample, SourceLine};
use super::example::{Built, Example, build};
use super::formats::{DETECTION_ROWS, Detection, Fields, RowProblem, detect};
use super::reader::{DataSource, RowReader};
use super::report::{DatasetReport, SourceReport};
use super::row::Row;
use crate::models::chat_template::{ChatTemplate, deep_stack};
use crate::models::tokenizer::Tokenizer;
use crate::{Error, Result};

/// Rows that are worked on side by side, and between which a load can be stopped.
const CHUNK_ROWS: usize = 256;
const CHUNK_BYTES: usize = 8 << 20;

/// How far a load has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadProgress {
    /// Rows made into examples.
    pub rows: usize,
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes to read in all.
    pub bytes_total: u64,
}

/// Examples to train on, and how they came about.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The examples in the order of the rows; never empty.
    pub examples: Vec<Example>,
    /// What became of the rows.
    pub report: DatasetReport,
}

impl Dataset {
    /// Reads, renders, encodes and masks every row. `progress` is called now and then and may break
    /// the load off, which gives [`Error::Stopped`].
    ///
    /// A row that says nothing usable is an error that names its line. A row that is in order but
    /// cannot be trained with this model and context length is skipped and reported; if no row is
    /// left, that is an error with the first reasons.
    pub fn load(
        sources: &[DataSource],
        tokenizer: &Tokenizer,
        template: &ChatTemplate,
        context: usize,
        progress: &mut dyn FnMut(LoadProgress) -> ControlFlow<()>,
    ) -> Result<Self> {
        let threads =
            deep_stack::pool().map_err(Error::io("start threads for", "the chat template"))?;
        let mut load = Load {
            threads,
            tokenizer,
            template,
            examples: Vec::new(),
            report: DatasetReport {
                context,
                ..DatasetReport::default()
            },
            seen: HashSet::new(),
            bytes_before: 0,
            bytes_total: sources.iter().map(DataSource::size_bytes).sum(),
        };
        for (index, source) in sources.iter().enumerate() {
            load.source(index, source, progress)?;
        }
        let Load {
            examples,
            mut report,
            ..
        } = load;
        report.duplicates = report.rows_read - load.seen.len();
        if examples.is_empty() {
            return Err(nothing_left(sources, &report));
        }
        Ok(Self { examples, report })
    }
}

struct Load<'a> {
    threads: rayon::ThreadPool,
    tokenizer: &'a Tokenizer,
    template: &'a ChatTemplate,
    examples: Vec<Example>,
    report: DatasetReport,
    /// Hashes of the conversations so far.
    seen: HashSet<u64>,
    bytes_before: u64,
    bytes_total: u64,
}

impl Load<'_> {
    fn source(
        &mut self,
        index: usize,
        source: &DataSource,
        progress: &mut dyn FnMut(LoadProgress) -> ControlFlow<()>,
    ) -> Result<()> {
        let path = source.path();
        let mut reader = RowReader::open(source)?;
        let mut detection = None;
        let mut rows = 0;
        loop {
            let chunk = next_chunk(&mut reader)?;
            let Some(first) = chunk.first() else {
                break;
            };
            let detection = match &detection {
                Some(detection) => detection,
                None => {
                    let found = detect_in(&chunk);
                    let found = found.map_err(|problem| row_error(path, first.line, problem))?;
                    &*detection.insert(found)
                }
            };
            rows += chunk.len();
            self.chunk(index, path, detection, &chunk)?;
            let so_far = LoadProgress {
                rows: self.report.rows_read,
                bytes_read: self.bytes_before + reader.bytes_read(),
                bytes_total: self.bytes_total,
            };
            if progress(so_far).is_break() {
                return Err(Error::Stopped);
            }
        }
        self.bytes_before += reader.bytes_read();
        let format = detection.map_or("empty", |detection| detection.format.name());
        self.report.sources.push(SourceReport {
            path: path.to_path_buf(),
            format,
            rows,
        });
        Ok(())
    }

    /// Works on rows side by side and takes the results in their order, errors included.
    fn chunk(
        &mut self,
        source: usize,
        path: &Path,
        detection: &Detection,
        rows: &[Row],
    ) -> Result<()> {
        let (tokenizer, template, context) = (self.tokenizer, self.template, self.report.context);
        let work = |row: &Row| {
            let messages = row
                .clone()
                .into_fields()
                .and_then(|fields| messages(detection.parse(fields)?))
                .map_err(|problem| row_error(path, row.line, problem))?;
            let source = SourceLine {
                source,
                line: row.line,
            };
            let conversation = Conversation { messages, source };
            let built = build(&conversation, tokenizer, template, context)?;
            Ok((conversation.stable_hash(), built))
        };
        let results: Vec<Result<(u64, Built)>> =
            self.threads.install(|| rows.par_iter().map(work).collect());
        for (row, result) in rows.iter().zip(results) {
            let (hash, built) = result?;
            self.report.rows_read += 1;
            self.seen.insert(hash);
            self.report.count(path, row.line, &built);
            self.examples
                .extend(built.fitted.into_iter().map(|fitted| fitted.example));
        }
        Ok(())
    }
}

/// The format of the first rows. Where no row can be read, the first says why.
pub(crate) fn detect_in(rows: &[Row]) -> std::result::Result<Detection, RowProblem> {
    let mut problem = None;
    let mut readable: Vec<Fields> = Vec::new();
    for row in rows.iter().take(DETECTION_ROWS) {
        match row.clone().into_fields() {
            Ok(fields) => readable.push(fields),
            Err(unreadable) => problem = problem.or(Some(unreadable)),
        }
    }
    match problem {
        Some(problem) if readable.is_empty() => Err(problem),
        _ => detect(&readable, &DataOptions::default()),
    }
}

/// The turns of a sample; texts without turns are not trained on yet.
pub(crate) fn messages(sample: Sample) -> std::result::Result<Vec<Message>, RowProblem> {
    match sample {
        Sample::Chat(chat) => Ok(chat.messages),
        Sample::Text(_) => Err(RowProblem::new(
            "the row is a text without turns",
            "write it as a conversation, with a column for the question and one for the answer",
        )),
    }
}

/// The next rows, so many as are worked on side by side; none at the end.
pub(crate) fn next_chunk(reader: &mut RowReader<'_>) -> Result<Vec<Row>> {
    let mut chunk = Vec::new();
    let mut bytes = 0;
    while chunk.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
        let Some(row) = reader.next_row()? else {
            break;
        };
        bytes += row.size_bytes();
        chunk.push(row);
    }
    Ok(chunk)
}

fn row_error(path: &Path, line: usize, problem: RowProblem) -> Error {
    Error::DatasetRow {
        path: path.to_path_buf(),
        line,
        problem: problem.problem,
        hint: problem.hint.into_owned(),
    }
}

fn nothing_left(sources: &[DataSource], report: &DatasetReport) -> Error {
    let path = sources
        .first()
        .map_or_else(|| Path::new("dataset"), DataSource::path)
        .to_path_buf();
    let empty = |problem: String, hint: String| Error::DatasetEmpty {
        path,
        problem,
        hint,
    };
    if report.rows_read == 0 {
        return empty(
            "the dataset holds no rows".to_owned(),
            "add at least one row with `messages` or `prompt` and `completion`".to_owned(),
        );
    }
    if report.too_long == report.skipped_count {
        return empty(
            format!(
                "no example fits into the context length of {} tokens; the shortest has {}",
                report.context, report.shortest_too_long_tokens
            ),
            format!("use --context {} or more", report.shortest_too_long_tokens),
        );
    }
    let reasons: Vec<String> = report
        .skipped
        .iter()
        .take(3)
        .map(|skipped| format!("line {}: {}", skipped.line, skipped.problem))
        .collect();
    empty(
        format!(
            "none of the {} rows can be trained on; {}",
            report.rows_read,
            reasons.join("; ")
        ),
        "change the rows so that the model's chat template takes them, or choose another model"
            .to_owned(),
    )
}
