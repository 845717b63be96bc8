//! The comparisons on disk: their list, and what is opened, saved and deleted of it.

use std::path::PathBuf;

use super::found::Comparison;
use super::stored::{CompareAnswer, CompareRequest, Entry};
use super::view::View;
use super::{Compare, Shown, ask};
use crate::state::Effect;
use crate::state::settings::Settings;

/// What the user did in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptAction {
    /// Set up another.
    New,
    /// Look at the one that the worker is at, or was last.
    AtWork,
    /// Open one.
    Open(PathBuf),
    /// Ask whether this one should go to the system's bin.
    AskToDelete(PathBuf),
    /// Move the one that was asked about to the bin.
    Delete,
    /// Leave it where it is.
    KeepInPlace,
    /// Read the list anew.
    Reread,
}

/// The list.
#[derive(Debug, Default)]
pub struct Kept {
    /// What there is, the latest first.
    pub entries: Vec<Entry>,
    /// Comparisons beyond those.
    pub left_out: usize,
    /// Why the folder cannot be read.
    pub problem: Option<String>,
    /// Whether the folder was read.
    pub listed: bool,
    /// The one that is being read.
    pub reading: Option<PathBuf>,
    /// The one that the user is asked about before it goes to the bin.
    pub deleting: Option<PathBuf>,
    /// The one that a file is saved of.
    pub saving: Option<PathBuf>,
    /// Where a file was saved last.
    pub saved: Option<PathBuf>,
    folder: Option<PathBuf>,
}

impl Kept {
    /// Nothing is read yet.
    pub fn new(settings: &Settings) -> Self {
        let folder = { settings.data_folder.as_ref() }.map(|data| data.join("comparisons"));
        Self {
            listed: folder.is_none(),
            folder,
            ..Self::default()
        }
    }
}

impl Compare {
    /// Asks the disk for the list.
    pub(super) fn list(&mut self, effects: &mut Vec<Effect>) {
        if let Some(folder) = self.kept.folder.clone() {
            let ours = { self.at_work.as_ref() }
                .filter(|found| found.is_on())
                .and_then(|found| found.folder.clone());
            effects.push(ask(CompareRequest::List { folder, ours }));
        }
    }

    /// Takes what the user did in the list.
    pub(super) fn in_list(&mut self, action: KeptAction, effects: &mut Vec<Effect>) {
        match action {
            KeptAction::New => {
                self.shown = Shown::Asking;
                self.kept.reading = None;
                self.kept.saved = None;
            }
            KeptAction::AtWork => self.look_at_work(),
            KeptAction::Open(folder) => {
                let is_it = |found: &Option<Comparison>| {
                    found.as_ref().and_then(|f| f.folder.as_ref()) == Some(&folder)
                };
                if is_it(&self.at_work) {
                    return self.look_at_work();
                }
                if self.shown == Shown::Opened && is_it(&self.opened) {
                    return;
                }
                self.kept.reading = Some(folder.clone());
                effects.push(ask(CompareRequest::Read(folder)));
            }
            KeptAction::AskToDelete(folder) => self.kept.deleting = Some(folder),
            KeptAction::KeepInPlace => self.kept.deleting = None,
            KeptAction::Delete => {
                if let (Some(comparison), Some(folder)) =
                    (self.kept.deleting.take(), self.kept.folder.clone())
                {
                    effects.push(ask(CompareRequest::Delete { comparison, folder }));
                }
            }
            KeptAction::Reread => self.list(effects),
        }
    }

    fn look_at_work(&mut self) {
        if self.shown != Shown::AtWork && self.at_work.is_some() {
            self.shown = Shown::AtWork;
            self.view = View::default();
            self.kept.reading = None;
            self.kept.saved = None;
        }
    }

    /// Takes an answer of the disk; gives what the user should know.
    pub fn disk(&mut self, answer: CompareAnswer, effects: &mut Vec<Effect>) -> Option<String> {
        match answer {
            CompareAnswer::List(list) => {
                if self.kept.folder.as_ref() == Some(&list.folder) {
                    self.kept.listed = true;
                    self.kept.entries = list.entries;
                    self.kept.left_out = list.left_out;
                    self.kept.problem = list.problem;
                }
            }
            CompareAnswer::Read { folder, found } => {
                if self.kept.reading.as_ref() != Some(&folder) {
                    return None;
                }
                self.kept.reading = None;
                match found {
                    Ok(opened) => {
                        self.opened = Some(Comparison::opened(&folder, *opened));
                        self.shown = Shown::Opened;
                        self.view = View::default();
                        self.kept.saved = None;
                    }
                    Err(problem) => {
                        self.list(effects);
                        return Some(problem);
                    }
                }
            }
            CompareAnswer::Remembered(result) => return result.err(),
            CompareAnswer::Saved(Ok(path)) => self.kept.saved = Some(path),
            CompareAnswer::Saved(Err(problem)) => {
                self.kept.saved = None;
                return Some(problem);
            }
            CompareAnswer::Deleted { comparison, result } => {
                self.list(effects);
                if let Err(problem) = result {
                    return Some(problem);
                }
                let is_it = |found: &Comparison| found.folder.as_ref() == Some(&comparison);
                if self.comparison().is_some_and(is_it) {
                    self.shown = Shown::Asking;
                }
                for place in [&mut self.at_work, &mut self.opened] {
                    if place.as_ref().is_some_and(is_it) {
                        *place = None;
                    }
                }
                self.kept.entries.retain(|entry| entry.folder != comparison);
            }
        }
        None
    }
}
