//! The models of this machine, as a worker found them.

use std::path::PathBuf;

use stepladder_protocol::{
    Command, ErrorReport, Event, Finished, FoundModel, JobId, ModelList, ModelSource, ModelsCommand,
};

use super::runs::DiskRequest;
use super::settings::Settings;
use super::{Desk, Effect};

/// What the names of its jobs begin with.
pub const JOBS: &str = "models";

/// What the user did in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelsAction {
    /// Look again.
    Search,
    /// Take this one to the Fine-tune page.
    Use(String),
    /// Ask whether one of ours should go to the system's bin.
    AskToDelete(String),
    /// Move the one that was asked about to the bin.
    Delete,
    /// Leave it where it is.
    KeepInPlace,
}

/// The list.
#[derive(Debug, Default)]
pub struct Models {
    /// What was found last.
    pub found: ModelList,
    /// Whether a search is under way.
    pub searching: bool,
    /// Why the last search failed.
    pub problem: Option<ErrorReport>,
    /// The model that the user is asked about before it goes to the bin.
    pub deleting: Option<FoundModel>,
    searches: usize,
    folders: Vec<PathBuf>,
    own_folder: Option<PathBuf>,
}

impl Models {
    /// Searches.
    pub fn new(settings: &Settings, effects: &mut Vec<Effect>) -> Self {
        let mut models = Self {
            folders: settings.models_folders.clone(),
            own_folder: settings.own_models_folder(),
            ..Self::default()
        };
        models.search(effects);
        models
    }

    /// Searches again if other folders are named.
    pub fn settings_changed(&mut self, settings: &Settings, effects: &mut Vec<Effect>) {
        if self.folders != settings.models_folders {
            self.folders.clone_from(&settings.models_folders);
            self.search(effects);
        }
    }

    /// Takes what the user did.
    pub fn act(&mut self, action: ModelsAction, effects: &mut Vec<Effect>) {
        match action {
            ModelsAction::Search => self.search(effects),
            ModelsAction::AskToDelete(target) => {
                let is_it = |model: &&FoundModel| {
                    model.source == ModelSource::Stepladder && model.target == target
                };
                self.deleting = self.found.models.iter().find(is_it).cloned();
            }
            ModelsAction::Delete => {
                if let (Some(model), Some(folder)) = (self.deleting.take(), &self.own_folder) {
                    effects.push(Effect::Disk(DiskRequest::DeleteModel {
                        model: model.target.into(),
                        folder: folder.clone(),
                    }));
                }
            }
            ModelsAction::KeepInPlace => self.deleting = None,
            // The page before this one takes it.
            ModelsAction::Use(_) => {}
        }
    }

    /// A model lies in the bin, or not; gives what the user should know.
    pub fn deleted(
        &mut self,
        result: Result<(), String>,
        effects: &mut Vec<Effect>,
    ) -> Option<String> {
        // Also when it failed: a part may be gone.
        self.search(effects);
        result.err()
    }

    fn search(&mut self, effects: &mut Vec<Effect>) {
        self.searches += 1;
        self.searching = true;
        let command = ModelsCommand {
            job: self.job(),
            own_folder: self.own_folder.clone(),
            folders: self.folders.clone(),
        };
        effects.push(Effect::Send(
            Desk::Looking,
            Box::new(Command::Models(command)),
        ));
    }

    fn job(&self) -> JobId {
        JobId::new(format!("{JOBS}/{}", self.searches))
    }

    /// Takes an answer; those of earlier searches are old.
    pub fn hear(&mut self, job: &JobId, event: Event) {
        if *job != self.job() {
            return;
        }
        match event {
            Event::Finished(Finished::Models(found)) => {
                let is_there = |asked: &FoundModel| found.models.contains(asked);
                self.deleting = self.deleting.take().filter(is_there);
                self.found = found;
                self.problem = None;
                self.searching = false;
            }
            Event::Failed(problem) | Event::Rejected(problem) => {
                self.problem = Some(problem);
                self.searching = false;
            }
            Event::Stopped { .. } => self.searching = false,
            _ => {}
        }
    }
}
