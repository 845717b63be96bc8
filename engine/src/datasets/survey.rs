//! A dataset's account without a model: every row is read and understood, none is made into tokens.

use std::ops::ControlFlow;
use std::path::Path;

use stepladder_protocol::DataOptions;

use super::conversation::{Sample, SourceLine};
use super::example::Example;
use super::load::LoadProgress;
use super::reader::DataSource;
use super::reading::Reading;
use super::report::DatasetReport;
use super::store::StoreWriter;
use crate::Result;

/// Reads everything.
///
/// # Errors
/// When a source cannot be opened or its rows have no known format; [`crate::Error::Stopped`] when
/// `progress` breaks it off.
pub fn survey(
    sources: &[DataSource],
    options: &DataOptions,
    progress: &mut dyn FnMut(LoadProgress) -> ControlFlow<()>,
) -> Result<DatasetReport> {
    let mut reading = Reading::new(options, sources)?;
    let mut report = DatasetReport::default();
    // Examples without tokens: only which rows say the same is asked of them.
    let mut seen = StoreWriter::default();
    let work = |source: SourceLine, sample: Sample| {
        Ok(Example {
            ids: Vec::new(),
            targets: Vec::new(),
            source,
            hash: sample.stable_hash(),
        })
    };
    let keep = |report: &mut DatasetReport, _: (&Path, SourceLine), example: Example| {
        report.examples += 1;
        seen.push(&example)
    };
    reading.all(sources, &mut report, work, keep, progress)?;
    report.duplicates = seen.finish()?.duplicates()?;
    Ok(report)
}
