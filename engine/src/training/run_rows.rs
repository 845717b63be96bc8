//! Which rows of its dataset a run was trained on and which it held out, found again from its folder:
//! nothing but the rows themselves decides that.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use stepladder_protocol::{DataOptions, RunConfig};

use super::plan::ModelPlan;
use super::run_data::{changed, data_sources};
use super::run_folder::{CONFIG, read_document};
use crate::Result;
use crate::datasets::load::{Dataset, LoadProgress};
use crate::datasets::reader::DataSource;
use crate::datasets::recipe::ModelWords;
use crate::datasets::split::split;
use crate::models::model::ModelFiles;

/// The rows of a run, by the stable hash of what they say.
#[derive(Debug)]
pub struct RunRows {
    /// Where they are.
    pub sources: Vec<DataSource>,
    /// How they are read.
    pub options: DataOptions,
    /// Those trained on.
    pub training: HashSet<u64>,
    /// Those held out.
    pub held_out: HashSet<u64>,
    /// What is no longer as it was when the run was made.
    pub changed: Option<PathBuf>,
}

impl RunRows {
    /// Reads a run's dataset again, as the run did.
    ///
    /// # Errors
    /// When it cannot be read; [`crate::Error::Stopped`] when `progress` breaks it off.
    pub fn read(
        config: &RunConfig,
        files: &ModelFiles,
        progress: &mut dyn FnMut(LoadProgress) -> ControlFlow<()>,
    ) -> Result<Self> {
        let context = ModelPlan::resolve(config, &files.config)?.context;
        let words = ModelWords::of(files, &config.data_options)?;
        let sources = data_sources(&config.data)?.sources;
        let recipe = words.recipe(&config.data_options, context);
        let dataset = Dataset::load(&sources, &recipe, progress)?;
        let sides = split(&dataset.examples, config.held_out_fraction);
        let hashes = |side: &[usize]| -> HashSet<u64> {
            side.iter()
                .map(|index| dataset.examples.hash(*index))
                .collect()
        };
        Ok(Self {
            training: hashes(&sides.training),
            held_out: hashes(&sides.held_out),
            changed: changed(&dataset.report, &config.data_fingerprints),
            options: config.data_options.clone(),
            sources,
        })
    }
}

/// The config of the run that an adapter belongs to; none if it belongs to none. `path` is a run folder
/// or the adapter folder in it.
///
/// # Errors
/// When there is one that cannot be read.
pub fn config_of_run(path: &Path) -> Result<Option<RunConfig>> {
    let folders = [Some(path), path.parent()];
    let found = { folders.into_iter().flatten() }
        .map(|folder| folder.join(CONFIG))
        .find(|file| file.is_file());
    let Some(file) = found else {
        return Ok(None);
    };
    let hint = "mend that field, or take the adapter's folder out of the run";
    read_document(&file, hint).map(Some)
}
