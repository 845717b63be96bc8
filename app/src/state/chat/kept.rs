//! The conversations on disk: their list, and the one of it that is open.

use std::path::PathBuf;

use super::Chat;
use super::conversation::Conversation;
use super::sampling::Sampling;
use super::stored::{ConversationAnswer, ConversationRequest, Entry};
use crate::state::Effect;
use crate::state::runs::DiskRequest;
use crate::state::settings::Settings;

/// Longer titles are cut.
const MOST_OF_TITLE: usize = 120;

/// What the user did in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptAction {
    /// Begin a conversation.
    New,
    /// Open one.
    Open(String),
    /// Give one another name.
    Rename(String),
    /// Typed in it.
    Typed(String),
    /// Done typing.
    Done,
    /// The old name is good.
    Never,
    /// Ask whether this one should go to the system's bin.
    AskToDelete(String),
    /// Move the one that was asked about to the bin.
    Delete,
    /// Leave it where it is.
    KeepInPlace,
    /// Read the list anew.
    Reread,
}

/// A name that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// The conversation.
    pub id: String,
    /// What was typed so far.
    pub text: String,
}

/// The list.
#[derive(Debug, Default)]
pub struct Kept {
    /// What there is, the latest first.
    pub entries: Vec<Entry>,
    /// Conversations beyond those.
    pub left_out: usize,
    /// Whether the folder was read.
    pub listed: bool,
    /// The name of the one that is open; none: it is not kept yet.
    pub open: Option<String>,
    /// The one that is being read.
    pub reading: Option<String>,
    /// The name that is being typed.
    pub naming: Option<Naming>,
    /// The one that the user is asked about before it goes to the bin.
    pub deleting: Option<String>,
    folder: Option<PathBuf>,
    /// Whether it was said that nothing can be kept.
    said: bool,
}

impl Kept {
    /// Nothing is read yet.
    pub fn new(settings: &Settings) -> Self {
        let folder = { settings.data_folder.as_ref() }.map(|data| data.join("conversations"));
        Self {
            listed: folder.is_none(),
            folder,
            ..Self::default()
        }
    }

    /// What one is called.
    pub fn title(&self, id: &str) -> &str {
        { self.entries.iter().find(|entry| entry.id == id) }.map_or("", |entry| &entry.title)
    }

    /// Asks the disk for the list.
    pub fn list(&mut self, effects: &mut Vec<Effect>) {
        if let Some(folder) = self.folder.clone() {
            ask(ConversationRequest::List(folder), effects);
        }
    }

    /// A name that no other has: the time in milliseconds.
    fn new_id(&self, now: f64) -> String {
        let mut number = (now * 1000.0).max(0.0) as u64;
        while self
            .entries
            .iter()
            .any(|entry| entry.id == number.to_string())
        {
            number += 1;
        }
        number.to_string()
    }

    /// The open one was changed: it is the first of the list.
    fn put_first(&mut self, id: &str, title: String, now: f64) {
        self.entries.retain(|entry| entry.id != id);
        let entry = Entry {
            id: id.to_owned(),
            title,
            changed_at: now,
        };
        self.entries.insert(0, entry);
    }
}

fn ask(request: ConversationRequest, effects: &mut Vec<Effect>) {
    effects.push(Effect::Disk(DiskRequest::Conversations(request)));
}

impl Chat {
    /// Keeps the open conversation, if there is anything in it.
    pub(super) fn keep(&mut self, now: f64, effects: &mut Vec<Effect>) {
        if self.conversation.exchanges.is_empty() {
            return;
        }
        self.conversation.changed_at = now;
        let id = { self.kept.open.clone() }.unwrap_or_else(|| self.kept.new_id(now));
        self.kept.open = Some(id.clone());
        let title = self.conversation.title();
        self.kept.put_first(&id, title, now);
        if let Some(folder) = self.kept.folder.clone() {
            let conversation = Box::new(self.conversation.clone());
            let keep = ConversationRequest::Keep {
                folder,
                id,
                conversation,
            };
            ask(keep, effects);
        }
    }

    /// Takes what the user did in the list.
    pub(super) fn in_list(&mut self, action: KeptAction, now: f64, effects: &mut Vec<Effect>) {
        match action {
            KeptAction::New => {
                self.leave_replies(now, effects);
                self.begin();
            }
            KeptAction::Open(id) => {
                if self.kept.open.as_ref() == Some(&id) {
                    return;
                }
                self.leave_replies(now, effects);
                if let Some(folder) = self.kept.folder.clone() {
                    self.kept.reading = Some(id.clone());
                    ask(ConversationRequest::Read { folder, id }, effects);
                }
            }
            KeptAction::Rename(id) => {
                let text = self.kept.title(&id).to_owned();
                self.kept.naming = Some(Naming { id, text });
            }
            KeptAction::Typed(text) => {
                if let Some(naming) = &mut self.kept.naming {
                    naming.text = text;
                }
            }
            KeptAction::Never => self.kept.naming = None,
            KeptAction::Done => {
                if let Some(Naming { id, text }) = self.kept.naming.take() {
                    self.rename(id, &text, now, effects);
                }
            }
            KeptAction::AskToDelete(id) => self.kept.deleting = Some(id),
            KeptAction::KeepInPlace => self.kept.deleting = None,
            KeptAction::Delete => self.delete(now, effects),
            KeptAction::Reread => self.kept.list(effects),
        }
    }

    /// Gives a conversation another name: the open one here, any other on the disk.
    fn rename(&mut self, id: String, text: &str, now: f64, effects: &mut Vec<Effect>) {
        let name: String = text.trim().chars().take(MOST_OF_TITLE).collect();
        if name == self.kept.title(&id) {
            return;
        }
        // Without a name of its own it has its first words again.
        let title = Some(name).filter(|name| !name.is_empty());
        if self.kept.open.as_ref() == Some(&id) {
            self.conversation.title = title;
            return self.keep(now, effects);
        }
        let Some(folder) = self.kept.folder.clone() else {
            return;
        };
        let entry = { self.kept.entries.iter_mut() }.find(|entry| entry.id == id);
        if let (Some(entry), Some(title)) = (entry, &title) {
            entry.title.clone_from(title);
        }
        let was_cleared = title.is_none();
        let rename = ConversationRequest::Rename {
            folder: folder.clone(),
            id: id.clone(),
            title,
        };
        ask(rename, effects);
        // What is on its way has the old name.
        if self.kept.reading.as_ref() == Some(&id) {
            ask(ConversationRequest::Read { folder, id }, effects);
        }
        if was_cleared {
            self.kept.list(effects);
        }
    }

    /// An empty conversation; instructions and sampler stay as they are.
    fn begin(&mut self) {
        self.put(
            None,
            Conversation {
                model: self.model.clone(),
                system: self.conversation.system.clone(),
                ..Conversation::default()
            },
        );
    }

    fn put(&mut self, id: Option<String>, conversation: Conversation) {
        self.conversation = conversation;
        self.kept.open = id;
        self.kept.reading = None;
        self.kept.naming = None;
        self.editing = None;
        self.unfolded.clear();
    }

    fn delete(&mut self, now: f64, effects: &mut Vec<Effect>) {
        let Some(id) = self.kept.deleting.take() else {
            return;
        };
        if self.kept.open.as_ref() == Some(&id) {
            self.leave_replies(now, effects);
            self.begin();
        }
        self.kept.entries.retain(|entry| entry.id != id);
        if let Some(folder) = self.kept.folder.clone() {
            ask(ConversationRequest::Delete { folder, id }, effects);
        }
    }

    /// Takes an answer of the disk; gives what the user should know.
    pub fn disk(&mut self, answer: ConversationAnswer, effects: &mut Vec<Effect>) -> Vec<String> {
        match answer {
            ConversationAnswer::List(list) => {
                if self.kept.folder.as_ref() != Some(&list.folder) {
                    return Vec::new();
                }
                self.kept.listed = true;
                self.kept.left_out = list.left_out;
                // The open one may be on its way to the disk.
                let open = { self.kept.open.as_ref() }
                    .filter(|open| list.entries.iter().all(|entry| entry.id != **open))
                    .and_then(|open| {
                        self.kept
                            .entries
                            .iter()
                            .find(|entry| entry.id == *open)
                            .cloned()
                    });
                self.kept.entries = open.into_iter().chain(list.entries).collect();
                list.notices
            }
            ConversationAnswer::Read { id, found } => {
                if self.kept.reading.as_ref() != Some(&id) {
                    return Vec::new();
                }
                self.kept.reading = None;
                match found {
                    Ok(conversation) => {
                        self.sampling = Sampling::of(&conversation.settings);
                        self.put(Some(id), *conversation);
                        Vec::new()
                    }
                    Err(problem) => {
                        self.kept.list(effects);
                        vec![problem]
                    }
                }
            }
            ConversationAnswer::Kept { result, .. } => match result {
                // Said once, and again after it has worked in between.
                Err(problem) if !self.kept.said => {
                    self.kept.said = true;
                    // The list shows what is there.
                    self.kept.list(effects);
                    vec![problem]
                }
                Err(_) => Vec::new(),
                Ok(()) => {
                    self.kept.said = false;
                    Vec::new()
                }
            },
            ConversationAnswer::Deleted { result, .. } => {
                let problem = result.err();
                if problem.is_some() {
                    self.kept.list(effects);
                }
                problem.into_iter().collect()
            }
        }
    }
}
