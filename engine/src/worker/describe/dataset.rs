//! What `inspect` says of a dataset: its rows as they are, or as a model will see them. A first look
//! comes as soon as the first rows are read, the account of all of them at the end.

use std::ops::ControlFlow;
use std::time::Instant;

use parking_lot::Mutex;
use stepladder_protocol::{DatasetPreview, HeldOut, InspectCommand, ReadingProgress, RunConfig};

use super::examples::shown;
use crate::datasets::account::{account, file};
use crate::datasets::first_look::FirstLook;
use crate::datasets::known_rows::KnownRows;
use crate::datasets::load::{Dataset, LoadProgress};
use crate::datasets::near_duplicates::near_duplicates;
use crate::datasets::reader::FoundSources;
use crate::datasets::recipe::ModelWords;
use crate::datasets::survey::survey;
use crate::datasets::{Recipe, split};
use crate::models::model::ModelFiles;
use crate::training::data_sources;
use crate::training::plan::default_context;
use crate::worker::run_progress::reading_progress;
use crate::{Error, Result};

/// Examples shown where nobody says how many.
const DEFAULT_SHOWN: usize = 3;
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
    known: &Mutex<KnownRows>,
    told: &mut dyn FnMut(Told) -> ControlFlow<()>,
) -> Result<DatasetPreview> {
    let options = command.data_options.clone().unwrap_or_default();
    let found = data_sources(std::slice::from_ref(&command.target))?;
    let model = match &command.model {
        Some(model) => {
            let files = ModelFiles::open(model)?;
            let context = command.context;
            let context = context.unwrap_or_else(|| default_context(&files.config));
            Some((ModelWords::of(&files, &options)?, context))
        }
        None => None,
    };
    let recipe = { model.as_ref() }.map(|(words, context)| words.recipe(&options, *context));

    let look = FirstLook {
        from: command.from.unwrap_or(1).max(1),
        rows: command.show.unwrap_or(DEFAULT_SHOWN),
    };
    let look = look.at(&found.sources, &options, recipe.as_ref(), &known.lock())?;
    let mut preview = DatasetPreview {
        files: look.sources.iter().map(file).collect(),
        ignored: found
            .ignored
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
        rows: look.sources.iter().map(|source| source.rows).sum(),
        shown: shown(&look, recipe.as_ref())?,
        notices: model
            .as_ref()
            .map_or_else(Vec::new, |(words, _)| words.notices.clone()),
        ..DatasetPreview::default()
    };
    if told(Told::Preview(Box::new(preview.clone()))).is_break() {
        return Err(Error::Stopped);
    }

    let progress = &mut telling_progress(told);
    let account = match &recipe {
        None => {
            let report = survey(&found.sources, &options, progress)?;
            known.lock().remember(&report);
            account(&report)
        }
        Some(recipe) => tokenized(&found, recipe, known, progress)?,
    };
    preview.notices.extend(account.notices);
    Ok(DatasetPreview {
        ignored: preview.ignored,
        shown: preview.shown,
        notices: preview.notices,
        ..account
    })
}

fn telling_progress(
    told: &mut dyn FnMut(Told) -> ControlFlow<()>,
) -> impl FnMut(LoadProgress) -> ControlFlow<()> {
    let started = Instant::now();
    move |so_far| told(Told::Progress(reading_progress(&so_far, started.elapsed())))
}

fn tokenized(
    found: &FoundSources,
    recipe: &Recipe<'_>,
    known: &Mutex<KnownRows>,
    progress: &mut dyn FnMut(LoadProgress) -> ControlFlow<()>,
) -> Result<DatasetPreview> {
    let Dataset { examples, report } = Dataset::load(&found.sources, recipe, progress)?;
    known.lock().remember(&report);
    let sides = split(&examples, RunConfig::default().held_out_fraction);
    let near = near_duplicates(&examples, &sides);
    Ok(DatasetPreview {
        held_out: Some(HeldOut {
            examples: sides.held_out.len(),
            near_duplicates: near.held_out,
            first_near_duplicate: { near.first }
                .map(|(one, other)| (report.place(one), report.place(other))),
        }),
        ..account(&report)
    })
}
