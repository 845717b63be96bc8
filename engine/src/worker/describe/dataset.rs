//! What `inspect` says of a dataset: its rows as they are, or as a model will see them.

use std::ops::ControlFlow;

use stepladder_protocol::{
    DatasetFile, DatasetPreview, ExamplePreview, Segment, SkippedRow, TokenLengths, TokenUse,
};

use crate::datasets::conversation::{Message, Role};
use crate::datasets::example::Example;
use crate::datasets::formats::RowProblem;
use crate::datasets::load::{Dataset, detect_in, messages, next_chunk};
use crate::datasets::reader::{DataSource, RowReader};
use crate::models::model::ModelFiles;
use crate::models::tokenizer::SpecialTokenText;
use crate::training::data_sources;
use crate::training::plan::default_context;
use crate::{Error, Result};

/// A dataset's files, lengths and first `show` examples; lengths need a model.
pub fn dataset(name: &str, model: Option<&str>, show: usize) -> Result<DatasetPreview> {
    let sources = data_sources(&[name.to_owned()]);
    match model {
        None => as_rows(&sources, show),
        Some(model) => as_tokens(&sources, &ModelFiles::open(model)?, show),
    }
}

fn as_tokens(sources: &[DataSource], files: &ModelFiles, show: usize) -> Result<DatasetPreview> {
    let context = default_context(&files.config);
    let template = files.template()?;
    let go_on = &mut |_| ControlFlow::Continue(());
    // Loaded whole, so that what will be cut off can be shown as such.
    let whole = Dataset::load(sources, &files.tokenizer, template, usize::MAX, go_on)?;
    let fits = |example: &&Example| example.targets.iter().take(context).any(|target| *target);
    let examples: Vec<&Example> = whole.examples.iter().filter(fits).collect();
    let report = &whole.report;
    let path = |example: &Example| {
        let source = report.sources.get(example.source.source);
        source
            .map(|source| source.path.display().to_string())
            .unwrap_or_default()
    };
    let mut skipped_rows: Vec<SkippedRow> = report
        .skipped
        .iter()
        .map(|row| SkippedRow {
            path: row.file.display().to_string(),
            line: row.line,
            reason: row.problem.clone(),
        })
        .collect();
    let too_long = whole.examples.iter().filter(|example| !fits(example));
    skipped_rows.extend(too_long.take(100).map(|example| SkippedRow {
        path: path(example),
        line: example.source.line,
        reason: format!("its answer begins behind the context length of {context} tokens"),
    }));
    let mut lengths: Vec<usize> = examples
        .iter()
        .map(|example| example.ids.len().min(context))
        .collect();
    lengths.sort_unstable();
    let trained = |example: &&Example| {
        example
            .targets
            .iter()
            .take(context)
            .filter(|target| **target)
            .count()
    };
    let shown = examples
        .iter()
        .take(show)
        .map(|example| {
            Ok(ExamplePreview {
                path: path(example),
                line: example.source.line,
                tokens: Some(example.ids.len()),
                segments: segments(files, example, context)?,
            })
        })
        .collect::<Result<_>>()?;
    Ok(DatasetPreview {
        files: report
            .sources
            .iter()
            .enumerate()
            .map(|(index, source)| DatasetFile {
                path: source.path.display().to_string(),
                format: source.format.to_owned(),
                examples: examples.iter().filter(|e| e.source.source == index).count(),
            })
            .collect(),
        examples: examples.len(),
        skipped: report.skipped_count + (whole.examples.len() - examples.len()),
        skipped_rows,
        lengths: Some(TokenLengths {
            shortest: lengths.first().copied().unwrap_or(0),
            median: lengths.get(lengths.len() / 2).copied().unwrap_or(0),
            longest: lengths.last().copied().unwrap_or(0),
            total: lengths.iter().sum(),
            trained: examples.iter().map(trained).sum(),
        }),
        shown,
    })
}

/// The example's text, split where the use of its tokens changes.
fn segments(files: &ModelFiles, example: &Example, context: usize) -> Result<Vec<Segment>> {
    let used = |index: usize| match (index >= context, example.targets.get(index)) {
        (true, _) => TokenUse::CutOff,
        (false, Some(true)) => TokenUse::Trained,
        (false, _) => TokenUse::Context,
    };
    let mut segments = Vec::new();
    let mut start = 0;
    for index in 1..=example.ids.len() {
        if index == example.ids.len() || used(index) != used(start) {
            let ids = &example.ids[start..index];
            let text = files.tokenizer.decode(ids, SpecialTokenText::Keep)?;
            segments.push(Segment {
                text,
                used: used(start),
            });
            start = index;
        }
    }
    Ok(segments)
}

fn as_rows(sources: &[DataSource], show: usize) -> Result<DatasetPreview> {
    let mut preview = DatasetPreview {
        files: Vec::new(),
        examples: 0,
        skipped: 0,
        skipped_rows: Vec::new(),
        lengths: None,
        shown: Vec::new(),
    };
    for source in sources {
        let mut reader = RowReader::open(source)?;
        let row_error = |line: usize, problem: RowProblem| Error::DatasetRow {
            path: source.path().to_path_buf(),
            line,
            problem: problem.problem,
            hint: problem.hint.into_owned(),
        };
        let first_rows = next_chunk(&mut reader)?;
        let detection = match first_rows.first() {
            Some(first) => {
                let found = detect_in(&first_rows);
                Some(found.map_err(|problem| row_error(first.line, problem))?)
            }
            None => None,
        };
        let mut rows = 0;
        let mut first_rows = first_rows.into_iter();
        while let Some(detection) = &detection
            && let Some(row) = match first_rows.next() {
                Some(row) => Some(row),
                None => reader.next_row()?,
            }
        {
            let line = row.line;
            let parsed = row
                .into_fields()
                .and_then(|fields| messages(detection.parse(fields)?));
            let messages = parsed.map_err(|problem| row_error(line, problem))?;
            rows += 1;
            if preview.shown.len() < show {
                preview.shown.push(ExamplePreview {
                    path: source.path().display().to_string(),
                    line,
                    tokens: None,
                    segments: messages.iter().flat_map(of_message).collect(),
                });
            }
        }
        preview.examples += rows;
        preview.files.push(DatasetFile {
            path: source.path().display().to_string(),
            format: detection
                .map_or("empty", |found| found.format.name())
                .to_owned(),
            examples: rows,
        });
    }
    Ok(preview)
}

fn of_message(message: &Message) -> Vec<Segment> {
    let used = match message.role {
        Role::Assistant => TokenUse::Trained,
        _ => TokenUse::Context,
    };
    let texts = message.reasoning.iter().chain([&message.content]);
    texts
        .map(|text| Segment {
            text: format!("{text}\n"),
            used,
        })
        .collect()
}
