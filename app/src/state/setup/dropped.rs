//! What was dropped on the window, once the disk has looked at it.

use std::path::PathBuf;

/// Something that was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is.
    pub kind: DroppedKind,
}

/// What a file or folder is, by its look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DroppedKind {
    /// A model.
    Model,
    /// A dataset, or several in a folder.
    Data,
    /// Neither.
    Unknown,
    /// Nothing is there.
    Missing,
}
