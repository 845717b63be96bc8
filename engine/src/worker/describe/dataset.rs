//! What `inspect` says of a dataset: its rows as they are, or as a model will see them. A first look
//! comes as soon as the first rows are read, the account of all of them at the end.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use stepladder_protocol::{
    DatasetFile, DatasetPreview, HeldOut, InspectCommand, LengthRange, ReadingProgress,
    ReasonCount, SkippedRow, TokenLengths, TraceCounts,
};

use crate::datasets::first_look::FirstLook;
use crate::datasets::load::{Dataset, LoadProgress};
use crate::datasets::near_duplicates::near_duplicates;
use crate::datasets::reader::FoundSources;
use crate::datasets::report::{DatasetReport, SourceReport};
use crate::datasets::survey::survey;
use crate::datasets::{Recipe, SourceLine, split};
use crate::models::model::ModelFiles;
use crate::training::data_sources;
use crate::training::plan::default_context;
use crate::{Error, Result};

use super::examples::shown;
use crate::worker::run_progress::reading_progress;

/// Examples shown where nobody says how many.
const DEFAULT_SHOWN: usize = 3;
/// Bars of the histogram of lengths.
const BINS: usize = 32;
/// Held-out part of a run that says nothing else.
const HELD_OUT_FRACTION: f64 = 0.05;

/// What is told while a dataset is read.
pub enum Told {
    /// A first look.
    Preview(Box<DatasetPreview>),
    /// How far the reading has come.
    Progress(ReadingProgress),
}

/// Reads a dataset whole and says what is in it.
pub fn dataset(
    command: &InspectCommand,
    told: &mut dyn FnMut(Told) -> ControlFlow<()>,
) -> Result<DatasetPreview> {
    let options = command.data_options.clone().unwrap_or_default();
    let found = data_sources(std::slice::from_ref(&command.target))?;
    let files = command.model.as_deref().map(ModelFiles::open).transpose()?;
    let chosen = match &files {
        Some(files) => match files.template_for(&options.template) {
            // Text without turns needs none, and rows that do will say so.
            Err(Error::ChatTemplateMissing { .. }) => None,
            other => Some(other?),
        },
        None => None,
    };
    let stops = chosen
        .as_ref()
        .map_or(&[][..], |chosen| &chosen.stop_tokens);
    let tokenizer = { files.as_ref() }.map(|files| files.tokenizer.stopping_also_at(stops));
    let recipe = match (&files, &tokenizer) {
        (Some(files), Some(tokenizer)) => Some(Recipe {
            tokenizer,
            template: chosen.as_ref().map(|chosen| &chosen.template),
            options: &options,
            context: command
                .context
                .unwrap_or_else(|| default_context(&files.config)),
        }),
        _ => None,
    };

    let look = FirstLook {
        from: command.from.unwrap_or(1).max(1),
        rows: command.show.unwrap_or(DEFAULT_SHOWN),
    };
    let look = look.at(&found.sources, &options, recipe.as_ref())?;
    let mut preview = DatasetPreview {
        files: look.sources.iter().map(file).collect(),
        ignored: found
            .ignored
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
        rows: look.sources.iter().map(|source| source.rows).sum(),
        shown: shown(&look, recipe.as_ref())?,
        ..DatasetPreview::default()
    };
    if let (Some(chosen), Some(files)) = (&chosen, &files) {
        preview.notices = chosen.notices(&files.tokenizer);
    }
    if told(Told::Preview(Box::new(preview.clone()))).is_break() {
        return Err(Error::Stopped);
    }

    let progress = &mut telling_progress(told);
    match &recipe {
        None => fill(&mut preview, &survey(&found.sources, &options, progress)?),
        Some(recipe) => tokenized(&mut preview, &found, recipe, progress)?,
    }
    preview.complete = true;
    Ok(preview)
}

fn telling_progress(
    told: &mut dyn FnMut(Told) -> ControlFlow<()>,
) -> impl FnMut(LoadProgress) -> ControlFlow<()> {
    let started = Instant::now();
    move |so_far| told(Told::Progress(reading_progress(&so_far, started.elapsed())))
}

fn tokenized(
    preview: &mut DatasetPreview,
    found: &FoundSources,
    recipe: &Recipe<'_>,
    progress: &mut dyn FnMut(LoadProgress) -> ControlFlow<()>,
) -> Result<()> {
    let Dataset { examples, report } = Dataset::load(&found.sources, recipe, progress)?;
    fill(preview, &report);
    let sides = split(&examples, HELD_OUT_FRACTION);
    let near = near_duplicates(&examples, &sides);
    let place = |place: SourceLine| {
        let source = report.sources.get(place.source);
        let path = source.map_or(Path::new(""), |source| &source.path);
        format!("{}:{}", path.display(), place.line)
    };
    preview.held_out = Some(HeldOut {
        examples: sides.held_out.len(),
        near_duplicates: near.held_out,
        first_near_duplicate: near.first.map(|(one, other)| (place(one), place(other))),
    });
    let lengths = &report.full_lengths;
    preview.lengths = Some(TokenLengths {
        context: report.context,
        shortest: lengths.shortest(),
        median: lengths.percentile(50),
        p90: lengths.percentile(90),
        p95: lengths.percentile(95),
        p99: lengths.percentile(99),
        longest: lengths.longest(),
        total: report.tokens,
        trained: report.target_tokens,
        cut: report.cut,
        split: report.split,
        too_long: report.too_long,
        histogram: { lengths.histogram(BINS).into_iter() }
            .map(|bin| LengthRange {
                from: bin.from,
                to: bin.to,
                examples: bin.examples,
            })
            .collect(),
    });
    let traces = report.turns.traces;
    preview.traces = Some(TraceCounts {
        answers: traces.answers,
        with_trace: traces.with_trace,
        empty: traces.empty,
        unclosed: traces.unclosed,
        model_thinks: report.model_thinks,
    });
    Ok(())
}

/// The account of the rows.
fn fill(preview: &mut DatasetPreview, report: &DatasetReport) {
    preview.files = report.sources.iter().map(file).collect();
    preview.rows = report.rows_read;
    preview.examples = report.examples;
    preview.skipped = report.skipped.count;
    preview.duplicates = report.duplicates.rows;
    preview.notices.extend(report.notices());
    preview.skipped_rows = { report.skipped.first.iter() }
        .map(|row| SkippedRow {
            path: row.file.display().to_string(),
            line: row.line,
            reason: row.problem.clone(),
            hint: row.hint.clone(),
        })
        .collect();
    preview.skipped_reasons = { report.skipped.reasons.iter() }
        .map(|(reason, rows)| ReasonCount {
            reason: reason.clone(),
            rows: *rows,
        })
        .collect();
    preview
        .skipped_reasons
        .sort_by_key(|reason| std::cmp::Reverse(reason.rows));
}

fn file(source: &SourceReport) -> DatasetFile {
    DatasetFile {
        path: source.path.display().to_string(),
        container: source.container.to_owned(),
        format: source.format,
        confidence: source.confidence,
        reason: source.reason.clone(),
        columns: source.columns.iter().cloned().collect::<BTreeMap<_, _>>(),
        rows: source.rows,
        examples: source.examples,
        fingerprint: source.fingerprint.clone(),
        ended: source.ended.clone(),
    }
}
