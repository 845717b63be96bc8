//! The data of a run: where they are, whether they are still what they were, and what the split makes
//! of them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::datasets::builtin;
use crate::datasets::near_duplicates::near_duplicates;
use crate::datasets::reader::{FoundSources, find_sources};
use crate::datasets::report::{DatasetReport, SourceReport};
use crate::datasets::split::Split;
use crate::datasets::store::ExampleStore;
use crate::{Error, Result};

/// `builtin`, files or folders.
pub(crate) fn data_sources(names: &[String]) -> Result<FoundSources> {
    let mut found = FoundSources::default();
    for name in names {
        match name.as_str() {
            "builtin" => found.sources.push(builtin::dataset()),
            path => {
                let at_path = find_sources(&[path])?;
                found.sources.extend(at_path.sources);
                found.ignored.extend(at_path.ignored);
            }
        }
    }
    Ok(found)
}

/// Recognizes the content of each source, as far as it was read.
pub(super) fn fingerprints(report: &DatasetReport) -> Vec<String> {
    let of = |source: &SourceReport| match (&source.fingerprint, &source.ended) {
        (Some(fingerprint), None) => fingerprint.clone(),
        (_, ended) => format!(
            "{} rows, then: {}",
            source.rows,
            ended.as_deref().unwrap_or("the file changed")
        ),
    };
    report.sources.iter().map(of).collect()
}

/// What is no longer as it was when the fingerprints were taken, if they were: a file, or the number
/// of files.
pub(super) fn changed(report: &DatasetReport, expected: &[String]) -> Option<PathBuf> {
    let found = fingerprints(report);
    if expected.is_empty() || found == expected {
        return None;
    }
    if found.len() != expected.len() {
        let now = format!(
            "the data, now {} files instead of {},",
            found.len(),
            expected.len()
        );
        return Some(PathBuf::from(now));
    }
    let place = { found.iter().zip(expected) }.position(|(a, b)| a != b)?;
    report.sources.get(place).map(|source| source.path.clone())
}

pub(super) fn changed_since_begun(run: &Path, data: &Path) -> Error {
    Error::DatasetChanged {
        path: data.to_path_buf(),
        problem: "has changed since this run began",
        hint: format!(
            "put the old file back, or start a new run on the new one: train --config {} \
             --accept-changed-data",
            run.display()
        ),
    }
}

pub(super) fn changed_since_configured(data: &Path) -> Error {
    Error::DatasetChanged {
        path: data.to_path_buf(),
        problem: "is not the file that this config was made with",
        hint: "put the old file back, or train on the new one with --accept-changed-data"
            .to_owned(),
    }
}

/// Other examples came of the data, though the files are the same as far as is known.
pub(super) fn examples_changed(run: &Path) -> Error {
    Error::RunInvalid {
        path: run.to_path_buf(),
        problem: "the examples are no longer those that this run began with".to_owned(),
        hint: "use the model files and the version of Stepladder that it began with, or start a new run"
            .to_owned(),
    }
}

/// A word on held-out examples that nearly repeat what is trained on; [`Error::Stopped`] where it is
/// told not to go on.
pub(super) fn near_duplicates_in_words(
    examples: &ExampleStore,
    report: &DatasetReport,
    split: &Split,
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<Option<String>> {
    let near = near_duplicates(examples, split, go_on)?;
    let Some((one, other)) = near.first else {
        return Ok(None);
    };
    let number = near.held_out;
    let words = match number {
        1 => "held-out example nearly repeats",
        _ => "held-out examples nearly repeat",
    };
    Ok(Some(format!(
        "{number} {words} one that is trained on, the first is {}, like {}; the evaluation will look \
         better than it is",
        report.place(one),
        report.place(other)
    )))
}
