//! Sources all the way to examples, with an account of every row.

use std::ops::ControlFlow;
use std::path::Path;

use super::conversation::{Sample, SourceLine};
use super::example::{Built, build};
use super::reader::DataSource;
use super::reading::Reading;
use super::recipe::Recipe;
use super::report::DatasetReport;
use super::store::{ExampleStore, StoreWriter};
use crate::{Error, Result};

/// How far a load has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadProgress {
    /// Rows read.
    pub rows: usize,
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes to read in all.
    pub bytes_total: u64,
}

/// Examples to train on, and how they came about.
#[derive(Debug)]
pub struct Dataset {
    /// The examples in the order of the rows; never empty.
    pub examples: ExampleStore,
    /// What became of the rows.
    pub report: DatasetReport,
}

impl Dataset {
    /// Reads, renders, encodes and masks every row. `progress` is called now and then and may break
    /// the load off, which gives [`Error::Stopped`].
    ///
    /// A row that cannot be read, understood or trained is skipped and reported; if no row is left,
    /// that is an error with the first reasons. A file whose rows have no known format is an error
    /// that says which columns it has.
    pub fn load(
        sources: &[DataSource],
        recipe: &Recipe<'_>,
        progress: &mut dyn FnMut(LoadProgress) -> ControlFlow<()>,
    ) -> Result<Self> {
        let mut reading = Reading::new(recipe.options, sources)?;
        let mut examples = StoreWriter::default();
        let traits = recipe.template.map(|template| template.traits());
        let mut report = DatasetReport {
            context: recipe.context,
            model_thinks: traits.is_some_and(|traits| traits.thinks),
            has_empty_trace: traits.is_some_and(|traits| traits.empty_trace.is_some()),
            traces_wish: recipe.options.traces,
            ..DatasetReport::default()
        };
        let work = |place: SourceLine, sample: Sample| build(&sample, place, recipe);
        let keep =
            |report: &mut DatasetReport, (path, place): (&Path, SourceLine), built: Built| {
                report.count(path, place.line, &built);
                let mut made = built.examples.iter();
                made.try_for_each(|example| examples.push(example))
            };
        reading.all(sources, &mut report, work, keep, progress)?;
        let examples = examples.finish()?;
        report.duplicates = examples.duplicates()?;
        if examples.is_empty() {
            return Err(nothing_left(sources, &report));
        }
        Ok(Self { examples, report })
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
    let ended = report
        .sources
        .iter()
        .find_map(|source| source.ended.clone());
    if report.rows_read == 0 {
        return empty(
            ended.unwrap_or_else(|| "the dataset holds no rows".to_owned()),
            "add at least one row with `messages` or `prompt` and `completion`".to_owned(),
        );
    }
    if report.too_long > 0 && report.too_long == report.skipped.count {
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
        .first
        .iter()
        .take(3)
        .map(|skipped| format!("line {}: {}", skipped.line, skipped.problem))
        .collect();
    let hints = report.skipped.first.iter().map(|skipped| &skipped.hint);
    let hint = { hints }.find(|hint| !hint.is_empty()).cloned();
    empty(
        format!(
            "none of the {} rows can be trained on; {}",
            report.rows_read,
            reasons.join("; ")
        ),
        hint.unwrap_or_else(|| {
            "change the rows so that the model's chat template takes them, or choose another model"
                .to_owned()
        }),
    )
}
