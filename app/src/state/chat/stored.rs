//! Conversations as they lie on disk: what the disk's thread is asked, and what it answers.

use std::path::PathBuf;

use super::conversation::Conversation;

/// What is asked of the disk.
#[derive(Clone, Debug, PartialEq)]
pub enum ConversationRequest {
    /// List the conversations of a folder.
    List(PathBuf),
    /// Read one.
    Read {
        /// The folder.
        folder: PathBuf,
        /// Its name there.
        id: String,
    },
    /// Keep one.
    Keep {
        /// The folder, which is made if need be.
        folder: PathBuf,
        /// Its name there.
        id: String,
        /// The conversation.
        conversation: Box<Conversation>,
    },
    /// Give one another name, whatever else is in it.
    Rename {
        /// The folder.
        folder: PathBuf,
        /// Its name there.
        id: String,
        /// What it is called; none: the first words of its first question.
        title: Option<String>,
    },
    /// Move one to the system's bin.
    Delete {
        /// The folder.
        folder: PathBuf,
        /// Its name there.
        id: String,
    },
}

/// What the disk answered.
#[derive(Clone, Debug, PartialEq)]
pub enum ConversationAnswer {
    /// What there is.
    List(Box<ConversationList>),
    /// One was read, or a sentence says why not.
    Read {
        /// Its name.
        id: String,
        /// The conversation.
        found: Result<Box<Conversation>, String>,
    },
    /// One was kept, or a sentence says why not.
    Kept {
        /// Its name.
        id: String,
        /// How it went.
        result: Result<(), String>,
    },
    /// One lies in the bin, or a sentence says why not.
    Deleted {
        /// Its name.
        id: String,
        /// How it went.
        result: Result<(), String>,
    },
}

/// The conversations of a folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConversationList {
    /// The folder.
    pub folder: PathBuf,
    /// The latest first.
    pub entries: Vec<Entry>,
    /// Conversations beyond those that are listed.
    pub left_out: usize,
    /// What the user should know: a broken file was set aside, the folder cannot be read.
    pub notices: Vec<String>,
}

/// A conversation in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name on disk.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// When it was last changed, in seconds since 1970.
    pub changed_at: f64,
}
