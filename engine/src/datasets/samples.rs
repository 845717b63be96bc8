//! What rows say, without making tokens of it: for whoever asks a dataset's questions.

use std::ops::ControlFlow;
use std::path::Path;

use stepladder_protocol::DataOptions;

use super::conversation::{Sample, SourceLine};
use super::load::LoadProgress;
use super::reader::DataSource;
use super::reading::Reading;
use super::report::DatasetReport;
use crate::Result;

/// Hands on every row that can be understood, in their order; the others are counted in the report.
///
/// # Errors
/// When a source cannot be opened or its rows have no known format; [`crate::Error::Stopped`] when
/// `progress` breaks it off.
pub fn samples(
    sources: &[DataSource],
    options: &DataOptions,
    take: &mut dyn FnMut(Sample),
    progress: &mut dyn FnMut(LoadProgress) -> ControlFlow<()>,
) -> Result<DatasetReport> {
    let mut reading = Reading::new(options, sources)?;
    let mut report = DatasetReport::default();
    let keep = |report: &mut DatasetReport, _: (&Path, SourceLine), sample: Sample| {
        report.examples += 1;
        take(sample);
        Ok(())
    };
    reading.all(sources, &mut report, |_, sample| Ok(sample), keep, progress)?;
    Ok(report)
}
