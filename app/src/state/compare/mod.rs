//! The Compare page: several variants of a model answer the same questions, and what that says of how
//! long each reasons and how often it is right.
//!
//! What is asked is set up here ([`asking::Asking`]); a comparison under way and one that was opened
//! from disk are both a [`found::Comparison`], so that figures look alike while they grow and when they
//! are done. One worker of its own makes one comparison at a time, and ends with it.

pub mod asking;
pub mod figures;
pub mod found;
pub mod matched;
pub mod stored;
pub mod table;
pub mod view;

mod hearing;
mod kept;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use stepladder_protocol::{Command, CompareCommand, JobId, JobRef};

pub use self::kept::KeptAction;

use self::asking::{Asking, AskingAction, Ready};
use self::found::{Comparison, Standing};
use self::kept::Kept;
use self::stored::{CompareRequest, SavedAs};
use self::view::{View, ViewAction};
use super::chat::Beside;
use super::runs::{DiskRequest, Runs};
use super::settings::Settings;
use super::{Desk, Effect, Picker};

/// What the names of its jobs begin with.
pub const JOBS: &str = "compare";

/// What the user did on the Compare page.
#[derive(Clone, Debug, PartialEq)]
pub enum CompareAction {
    /// Set something up.
    Asking(AskingAction),
    /// Pressed the primary button.
    Start,
    /// Wants no more answers now; those that were given are kept.
    Stop,
    /// Ends the worker at once: it takes too long to stop.
    EndNow,
    /// Goes on with the comparison that is shown.
    GoOn,
    /// Looks at something else.
    View(ViewAction),
    /// Asked for a file of what was found.
    Save(SavedAs),
    /// In the list of comparisons.
    Kept(KeptAction),
}

/// Which of them is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// A new one is set up.
    #[default]
    Asking,
    /// The one that the worker is at, or was last.
    AtWork,
    /// One that was opened from disk.
    Opened,
}

/// The Compare page.
#[derive(Debug)]
pub struct Compare {
    /// What is set up.
    pub asking: Asking,
    /// The one that the worker is at, or was last.
    pub at_work: Option<Comparison>,
    /// One that was opened from disk.
    pub opened: Option<Comparison>,
    /// Which of them is shown.
    pub shown: Shown,
    /// How it is looked at.
    pub view: View,
    /// The comparisons on disk.
    pub kept: Kept,
    /// What a run that trains means for it.
    pub beside: Beside,
    device: String,
    jobs: usize,
}

impl Compare {
    /// Nothing is compared yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            asking: Asking::default(),
            at_work: None,
            opened: None,
            shown: Shown::default(),
            view: View::default(),
            kept: Kept::new(settings),
            beside: Beside::Nothing,
            device: settings.device.clone(),
            jobs: 0,
        }
    }

    /// The page was opened: what other programs did in the meantime is shown.
    pub fn opened(&mut self, runs: &Runs, effects: &mut Vec<Effect>) {
        self.asking.runs_changed(&runs.runs);
        self.list(effects);
    }

    /// Another device computes from the next comparison on.
    pub fn settings_changed(&mut self, settings: &Settings) {
        self.device.clone_from(&settings.device);
    }

    /// The comparison that is shown; none while one is set up.
    pub fn comparison(&self) -> Option<&Comparison> {
        match self.shown {
            Shown::Asking => None,
            Shown::AtWork => self.at_work.as_ref(),
            Shown::Opened => self.opened.as_ref(),
        }
    }

    /// Whether the worker is at a comparison.
    pub fn is_on(&self) -> bool {
        self.at_work.as_ref().is_some_and(Comparison::is_on)
    }

    /// What the primary button will do.
    ///
    /// # Errors
    /// What is missing.
    pub fn ready(&self) -> Result<Ready, asking::Missing> {
        if self.is_on() {
            return Err(asking::Missing::AnotherIsOn);
        }
        if self.beside == Beside::NotNow {
            return Err(asking::Missing::NotNow);
        }
        self.asking.ready()
    }

    /// Whether the comparison that is shown can go on now.
    pub fn can_go_on(&self) -> bool {
        let waits = |found: &Comparison| !found.is_on() && found.can_go_on();
        self.comparison().is_some_and(waits) && !self.is_on() && self.beside != Beside::NotNow
    }

    /// What a run that trains means for it has changed: one that needs the device's memory gets it, and
    /// the comparison keeps its answers.
    pub fn beside(&mut self, beside: Beside, effects: &mut Vec<Effect>) {
        let comes = self.beside != beside && beside == Beside::NotNow;
        self.beside = beside;
        if comes && self.is_on() {
            if let Some(found) = &mut self.at_work {
                found.made_way = true;
            }
            self.stop(effects);
        }
    }

    /// Does what is due: figures are made of what has come in since the last time.
    pub fn tick(&mut self) {
        for found in [&mut self.at_work, &mut self.opened].into_iter().flatten() {
            found.refresh();
        }
        let found = match self.shown {
            Shown::Asking => None,
            Shown::AtWork => self.at_work.as_ref(),
            Shown::Opened => self.opened.as_ref(),
        };
        if let Some(found) = found {
            self.view.refresh(found);
        }
    }

    /// Takes what the user did.
    pub fn act(&mut self, action: CompareAction, runs: &Runs, effects: &mut Vec<Effect>) {
        match action {
            CompareAction::Asking(action) => self.asking.act(action, &runs.runs, effects),
            CompareAction::Start => {
                if self.ready().is_ok() {
                    let job = self.new_job();
                    let command = self.asking.command(job, &self.device);
                    self.begin(command, None, effects);
                }
            }
            CompareAction::Stop => self.stop(effects),
            CompareAction::EndNow => {
                if self.is_on() {
                    effects.push(Effect::KillWorker(Desk::Comparing));
                }
            }
            CompareAction::GoOn => self.go_on(effects),
            CompareAction::View(action) => self.view.act(action),
            CompareAction::Save(kind) => {
                if let Some(found) = self.comparison().filter(|found| found.can_save(kind)) {
                    self.kept.saving = found.folder.clone();
                    effects.push(Effect::Pick(Picker::SaveComparison(kind)));
                }
            }
            CompareAction::Kept(action) => self.in_list(action, effects),
        }
    }

    fn new_job(&mut self) -> JobId {
        self.jobs += 1;
        JobId::new(format!("{JOBS}/{}", self.jobs))
    }

    fn begin(
        &mut self,
        command: CompareCommand,
        go_on: Option<PathBuf>,
        effects: &mut Vec<Effect>,
    ) {
        let mut found = Comparison::asked(command.clone());
        if let Some(folder) = &go_on {
            found.lies_in(folder.clone());
        }
        self.at_work = Some(found);
        self.opened = None;
        self.shown = Shown::AtWork;
        self.view = View::default();
        effects.push(Effect::Compare {
            command: Box::new(command),
            go_on,
        });
    }

    fn go_on(&mut self, effects: &mut Vec<Effect>) {
        if !self.can_go_on() {
            return;
        }
        let Some((Some(folder), Some(asked))) =
            { self.comparison() }.map(|found| (found.folder.clone(), found.asked.clone()))
        else {
            return;
        };
        let command = CompareCommand {
            job: self.new_job(),
            device: self.device.clone(),
            ..*asked
        };
        self.begin(command, Some(folder), effects);
    }

    fn stop(&mut self, effects: &mut Vec<Effect>) {
        if let Some(found) = self.at_work.as_mut().filter(|found| found.is_on()) {
            found.standing = Standing::Stopping;
            let stop = Command::Stop(JobRef {
                job: found.job.clone(),
            });
            effects.push(Effect::Send(Desk::Comparing, Box::new(stop)));
        }
    }

    /// A comparison has its folder.
    pub fn comparing_in(&mut self, job: &JobId, folder: PathBuf) {
        if let Some(found) = self.at_work.as_mut().filter(|found| found.job == *job) {
            found.lies_in(folder);
        }
    }

    /// Files were chosen, or a place to save to.
    pub fn picked(&mut self, picker: Picker, paths: Vec<PathBuf>, effects: &mut Vec<Effect>) {
        match (picker, paths.into_iter().next()) {
            (Picker::SaveComparison(kind), Some(to)) => self.save(kind, to, effects),
            (Picker::Questions, Some(path)) => self.asking.questions_from(&path),
            (Picker::MatchedData, Some(path)) => self.asking.matched.train_on(&path),
            _ => {}
        }
    }

    fn save(&mut self, kind: SavedAs, to: PathBuf, effects: &mut Vec<Effect>) {
        let from = self.kept.saving.take();
        let there = [&self.at_work, &self.opened].into_iter().flatten();
        let found = { there }.find(|found| found.folder.is_some() && found.folder == from);
        let (Some(folder), Some(found)) = (from.clone(), found) else {
            return;
        };
        match kind.file() {
            Some(name) => effects.push(ask(CompareRequest::Copy {
                from: folder.join(name),
                to,
            })),
            None => effects.push(Effect::SaveCharts {
                charts: Box::new(found.charts(self.view.against)),
                to,
            }),
        }
    }

    /// Whether what is dropped on the window is for this page.
    pub fn takes_files(&self) -> bool {
        self.shown == Shown::Asking
    }
}

fn ask(request: CompareRequest) -> Effect {
    Effect::Disk(DiskRequest::Comparisons(request))
}
