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
use crate::datasets::opened::left_out;
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
    let targets = [
        std::slice::from_ref(&command.target),
        command.more.as_slice(),
    ]
    .concat();
    let found = data_sources(&targets)?;
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
    let look = look.at(&found.sources, &options, recipe.as_ref(), &known.lock());
    let look = look.inspect_err(|error| tell_columns(error, &found, told))?;
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
        Some(recipe) => {
            let held_out = command.held_out_fraction;
            let held_out = held_out.unwrap_or(RunConfig::default().held_out_fraction);
            tokenized(&found, recipe, held_out, known, progress)?
        }
    };
    preview.notices.extend(account.notices);
    Ok(DatasetPreview {
        ignored: preview.ignored,
        shown: preview.shown,
        notices: preview.notices,
        ..account
    })
}

/// Of a file whose format is not known the columns are told, for whoever maps them by hand.
fn tell_columns(
    error: &Error,
    found: &FoundSources,
    told: &mut dyn FnMut(Told) -> ControlFlow<()>,
) {
    if let (Error::DatasetRow { .. }, [source]) = (error, found.sources.as_slice()) {
        let preview = DatasetPreview {
            files: vec![file(&left_out(source, error))],
            ..DatasetPreview::default()
        };
        // The error is told next, whether or not anybody listens.
        let _ = told(Told::Preview(Box::new(preview)));
    }
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
    held_out_fraction: f64,
    known: &Mutex<KnownRows>,
    progress: &mut dyn FnMut(LoadProgress) -> ControlFlow<()>,
) -> Result<DatasetPreview> {
    let mut read = LoadProgress::default();
    let loaded = Dataset::load(&found.sources, recipe, &mut |so_far| {
        read = so_far;
        progress(so_far)
    })?;
    let Dataset { examples, report } = loaded;
    known.lock().remember(&report);
    let sides = split(&examples, held_out_fraction);
    let near = near_duplicates(&examples, &sides, &mut || progress(read))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use stepladder_protocol::JobId;

    fn asked(files: &[&Path]) -> InspectCommand {
        let mut names = files.iter().map(|path| path.display().to_string());
        InspectCommand {
            job: JobId::new("j"),
            target: names.next().unwrap(),
            more: names.collect(),
            model: Some("builtin".to_owned()),
            show: Some(2),
            from: None,
            context: None,
            data_options: None,
            held_out_fraction: Some(0.5),
            hash: false,
        }
    }

    fn look(command: &InspectCommand) -> (Vec<DatasetPreview>, Result<DatasetPreview>) {
        let mut previews = Vec::new();
        let known = Mutex::new(KnownRows::default());
        let end = dataset(command, &known, &mut |told| {
            if let Told::Preview(preview) = told {
                previews.push(*preview);
            }
            ControlFlow::Continue(())
        });
        (previews, end)
    }

    #[test]
    fn columns_are_told_before_a_format_is_found_missing() {
        let folder = tempfile::tempdir().unwrap();
        let strange = folder.path().join("strange.jsonl");
        let row = |n: usize| format!("{{\"wat\":\"w{n}\",\"dit\":\"d{n}\"}}\n");
        std::fs::write(&strange, (0..9).map(row).collect::<String>()).unwrap();
        let (previews, end) = look(&asked(&[&strange]));
        assert!(matches!(end, Err(Error::DatasetRow { .. })));
        assert_eq!(previews.len(), 1);
        assert_eq!(previews[0].files[0].found_columns, ["wat", "dit"]);
        assert!(previews[0].files[0].ended.is_some());

        // Beside another file it is left out, and its columns are still told.
        let known = folder.path().join("known.jsonl");
        let row = |n: usize| format!("{{\"prompt\":\"p{n}\",\"completion\":\"c{n}\"}}\n");
        std::fs::write(&known, (0..40).map(row).collect::<String>()).unwrap();
        let (previews, end) = look(&asked(&[&strange, &known]));
        let end = end.unwrap();
        assert_eq!(previews[0].files[0].found_columns, ["wat", "dit"]);
        assert!(previews[0].shown[0].path.ends_with("known.jsonl"));
        assert_eq!(previews[0].shown[0].row, 1);
        assert_eq!(end.files[0].found_columns, ["wat", "dit"]);
        assert_eq!(end.files[1].found_columns, ["prompt", "completion"]);
        assert_eq!(end.examples, 40);
        let held_out = end.held_out.unwrap().examples;
        assert!((10..=30).contains(&held_out), "half, not {held_out}");
    }
}
