//! Rows as they stand in well-known datasets, format by format, and the words of every problem.

mod detecting;
mod lists;
mod mapping;
mod pairs;
mod problems;

use stepladder_protocol::{DataFormat, DataOptions};

use super::{Detection, Fields, RowProblem, detect, parse_fields};
use crate::datasets::conversation::{Chat, Message, Role, Sample};

/// Rows of JSON as fields.
fn rows(texts: &[&str]) -> Vec<Fields> {
    texts
        .iter()
        .map(|text| parse_fields(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}")))
        .collect()
}

fn options(format: DataFormat, map: &[(&str, &str)]) -> DataOptions {
    let owned = |(left, right): &(&str, &str)| ((*left).to_owned(), (*right).to_owned());
    DataOptions {
        format,
        map: map.iter().map(owned).collect(),
        ..DataOptions::default()
    }
}

fn auto(texts: &[&str]) -> Result<Detection, RowProblem> {
    detect(&rows(texts), &DataOptions::default())
}

/// The format that a row is recognized as, and what it says.
fn read(text: &str) -> (DataFormat, Result<Sample, RowProblem>) {
    let detection = auto(&[text]).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
    let sample = detection.parse(rows(&[text]).remove(0));
    (detection.format, sample)
}

fn chat(text: &str, format: DataFormat) -> Chat {
    match read(text) {
        (found, Ok(Sample::Chat(chat))) if found == format => chat,
        other => panic!("{text}: {other:?}"),
    }
}

/// What a row that cannot be used says of itself.
fn problem(text: &str) -> String {
    match read(text).1 {
        Err(problem) => problem.problem,
        Ok(sample) => panic!("{text}: {sample:?}"),
    }
}

fn told(messages: &[Message]) -> Vec<(Role, &str)> {
    messages
        .iter()
        .map(|message| (message.role, message.content.as_str()))
        .collect()
}
