//! The Runs page: runs that go on now and runs that lie on disk.
//!
//! A [`Run`] is both: what was last read of its folder, and what a worker of this window tells
//! of it. The list is read anew when something has changed on disk; figures are read for the runs that
//! are looked at, and grow with the events of those that are on.

pub mod answers;
pub mod columns;
pub mod comparison;
pub mod course;
pub mod curve;
pub mod export;
pub mod figures;
pub mod live;
pub mod run;
pub mod stored;
pub mod view;

mod hearing;
mod list;
mod orders;
mod queue;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;

use stepladder_protocol::{JobId, RunConfig};

pub use self::stored::{DiskAnswer, DiskRequest};

use self::answers::{Answers, FileRead};
use self::comparison::ConfigTables;
use self::course::Course;
use self::export::{Export, ExportAction, ExportStage};
use self::run::{Loaded, Offer, Run, RunKey, Standing};
use self::view::{View, ViewAction};
use super::Effect;
use super::settings::Settings;

/// What the names of its jobs begin with.
pub const JOBS: &str = "run";

/// Seconds between looks at runs that another program is at.
const LOOK_EVERY_SECS: f64 = 4.0;

/// What the user did on the Runs page.
#[derive(Clone, Debug, PartialEq)]
pub enum RunsAction {
    /// Pause every run that goes on.
    PauseAll,
    /// Take a run's config to the Fine-tune page.
    AgainWithChanges(Box<RunConfig>),
    /// Do what a run offers.
    Do(RunKey, Offer),
    /// Look at something else.
    View(ViewAction),
    /// About the name that is being typed.
    Naming(NamingAction),
    /// Move the run that was asked about to the bin.
    Delete,
    /// Leave it where it is.
    KeepInPlace,
    /// In the dialog about exports.
    Export(ExportAction),
    /// Read the list anew.
    Reread,
}

/// About a name that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamingAction {
    /// Typed.
    Typed(String),
    /// Done typing.
    Done,
    /// The old name is good.
    Never,
}

/// A name that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// The run.
    pub key: RunKey,
    /// What was typed so far.
    pub text: String,
    /// Why it cannot be its name.
    pub problem: Option<String>,
}

/// The Runs page.
#[derive(Debug, Default)]
pub struct Runs {
    /// The runs, in the order of the list.
    pub runs: Vec<Run>,
    /// What of them is looked at.
    pub view: View,
    /// The configs of that, in words.
    pub tables: ConfigTables,
    /// The name that is being typed.
    pub naming: Option<Naming>,
    /// The run that the user is asked about before it goes to the bin.
    pub deleting: Option<RunKey>,
    /// The dialog about exports.
    pub export: Option<Export>,
    /// Folders that look like runs and cannot be read: name and reason.
    pub unreadable: Vec<(String, String)>,
    /// Runs beyond those that are listed.
    pub left_out: usize,
    /// Why the folder of runs cannot be read.
    pub problem: Option<String>,
    /// Whether the folder was read.
    pub listed: bool,
    folder: Option<PathBuf>,
    /// Runs that wait, in their order.
    queue: VecDeque<RunKey>,
    /// The run that the training worker is at.
    at_work: Option<RunKey>,
    /// Runs that were asked to pause together.
    paused_together: Vec<RunKey>,
    courses: HashMap<RunKey, Course>,
    jobs: usize,
    exports: usize,
    keys: u64,
    now: f64,
    looked: f64,
}

impl Runs {
    /// Asks the disk what runs there are.
    pub fn new(settings: &Settings, effects: &mut Vec<Effect>) -> Self {
        let mut runs = Self {
            folder: settings.runs_folder(),
            ..Self::default()
        };
        runs.list(effects);
        runs
    }

    /// Looks elsewhere if the folder of runs has changed.
    pub fn settings_changed(&mut self, settings: &Settings, effects: &mut Vec<Effect>) {
        let folder = settings.runs_folder();
        if self.folder != folder {
            self.folder = folder;
            self.listed = false;
            self.list(effects);
        }
    }

    /// The page was opened: what other programs did in the meantime is shown.
    pub fn opened(&mut self, effects: &mut Vec<Effect>) {
        self.list(effects);
    }

    /// A run.
    pub fn run(&self, key: RunKey) -> Option<&Run> {
        self.runs.iter().find(|run| run.key == key)
    }

    /// The run that is looked at.
    pub fn chosen(&self) -> Option<&Run> {
        self.run(self.view.chosen?)
    }

    /// The runs that lie over each other, in the order they were ticked.
    pub fn ticked(&self) -> Vec<&Run> {
        { self.view.ticked.iter() }
            .filter_map(|key| self.run(*key))
            .collect()
    }

    /// Runs whose names contain what was typed.
    pub fn found(&self) -> impl Iterator<Item = &Run> {
        let filter = self.view.filter.trim().to_lowercase();
        { self.runs.iter() }.filter(move |run| {
            filter.is_empty()
                || run.name.to_lowercase().contains(&filter)
                || run.config.method.title().to_lowercase().contains(&filter)
        })
    }

    /// Whether a run is on, or waits.
    pub fn is_training(&self) -> bool {
        self.runs.iter().any(Run::is_on)
    }

    /// Whether a run that was asked to pause with all others could not be saved.
    pub fn could_not_pause(&self) -> bool {
        { self.paused_together.iter() }
            .filter_map(|key| self.run(*key))
            .any(|run| run.standing() == Standing::Failed)
    }

    fn run_mut(&mut self, key: RunKey) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.key == key)
    }

    fn run_of(&mut self, job: &JobId) -> Option<&mut Run> {
        { self.runs.iter_mut() }.find(|run| run.live.as_ref().is_some_and(|live| live.job == *job))
    }

    fn new_key(&mut self) -> RunKey {
        self.keys += 1;
        RunKey(self.keys)
    }

    /// Seconds until [`Self::tick`] has something to do.
    pub fn next_tick_secs(&self, now: f64) -> f64 {
        let elsewhere = |run: &Run| run.standing() == Standing::Elsewhere;
        match self.runs.iter().any(elsewhere) {
            true => (self.looked + LOOK_EVERY_SECS - now).clamp(0.0, LOOK_EVERY_SECS),
            false => f64::INFINITY,
        }
    }

    /// Does what is due: runs that another program is at are looked at again and again.
    pub fn tick(&mut self, now: f64, effects: &mut Vec<Effect>) {
        self.now = now;
        self.tell_configs();
        if (self.looked..self.looked + LOOK_EVERY_SECS).contains(&now) {
            return;
        }
        self.looked = now;
        let elsewhere = |run: &&Run| run.standing() == Standing::Elsewhere;
        if self.runs.iter().any(|run| elsewhere(&run)) {
            self.list(effects);
            let view = &self.view;
            let looked_at = { self.runs.iter() }
                .filter(elsewhere)
                .filter(|run| matches!(run.figures, Loaded::Yes(_)));
            for run in looked_at {
                if let Some(folder) = &run.folder {
                    effects.push(Effect::Disk(DiskRequest::ReadFigures {
                        run: folder.clone(),
                        from: run.read_to,
                    }));
                    if view.shows_answers_of(run.key) && run.answers.file == FileRead::Yes {
                        effects.push(Effect::Disk(DiskRequest::ReadAnswers {
                            run: folder.clone(),
                            from: run.answers.read_to,
                        }));
                    }
                }
            }
        }
    }

    /// Takes what the user did.
    pub fn act(&mut self, action: RunsAction, effects: &mut Vec<Effect>) {
        match action {
            RunsAction::PauseAll => self.pause_all(effects),
            // The window takes it to another page.
            RunsAction::AgainWithChanges(_) => {}
            RunsAction::Do(key, offer) => self.take_up(key, offer, effects),
            RunsAction::View(action) => self.look(action, effects),
            RunsAction::Naming(action) => self.name(action, effects),
            RunsAction::Delete => self.delete(effects),
            RunsAction::KeepInPlace => self.deleting = None,
            RunsAction::Export(action) => self.export(action, effects),
            RunsAction::Reread => self.list(effects),
        }
    }

    fn look(&mut self, action: ViewAction, effects: &mut Vec<Effect>) {
        self.view.act(action);
        self.load_what_is_shown(effects);
    }

    fn load_what_is_shown(&mut self, effects: &mut Vec<Effect>) {
        let view = &self.view;
        for run in &mut self.runs {
            if !view.shows(run.key) {
                // Figures of a run that is on exist nowhere else in this order.
                if !run.is_on() {
                    run.figures = Loaded::No;
                    run.answers = Answers::default();
                    run.details = None;
                }
                continue;
            }
            if let (true, FileRead::No, Some(folder)) = (
                view.shows_answers_of(run.key),
                &run.answers.file,
                &run.folder,
            ) {
                run.answers.file = FileRead::Reading;
                effects.push(Effect::Disk(DiskRequest::ReadAnswers {
                    run: folder.clone(),
                    from: 0,
                }));
            }
            match (&mut run.figures, &run.folder) {
                (Loaded::Yes(figures), _) => figures.look(view.window),
                (Loaded::No, Some(folder)) => {
                    run.figures = Loaded::Reading;
                    effects.push(Effect::Disk(DiskRequest::ReadFigures {
                        run: folder.clone(),
                        from: 0,
                    }));
                    effects.push(Effect::Disk(DiskRequest::ReadDetails(folder.clone())));
                }
                _ => {}
            }
        }
    }

    fn export(&mut self, action: ExportAction, effects: &mut Vec<Effect>) {
        let Some(export) = &mut self.export else {
            return;
        };
        let run = self.runs.iter().find(|run| run.key == export.key);
        self.exports += 1;
        let open = run.is_some_and(|run| export.act(action, run, self.exports, effects));
        if !open {
            self.export = None;
        }
    }

    /// A folder to export to was chosen.
    pub fn picked(&mut self, paths: Vec<PathBuf>, _effects: &mut Vec<Effect>) {
        let asks = |export: &&mut Export| !matches!(export.stage, ExportStage::Writing(..));
        if let Some(export) = self.export.as_mut().filter(asks) {
            export.folder = paths.into_iter().next();
            export.stage = ExportStage::Asking;
        }
    }
}
