//! The models that lie on this machine: the one inside the program, those in Stepladder's own folder
//! and in folders that the user names, and those that other programs keep. Listings, configurations
//! and headers are read, no weights.
//!
//! The folders are foreign: how many entries are looked at and how deep, how much of a file is read
//! and how many models are told has a limit; what cannot be read becomes a notice; and no link leads
//! out of the folder that is searched.

mod builtin;
mod described;
mod hugging_face;
mod lm_studio;
mod ollama;
mod places;
mod search;
mod tree;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use stepladder_protocol::{ModelList, ModelSource};

pub use self::places::Places;
use self::search::Search;
use crate::Result;

/// Folders below a folder of the user's that are searched.
const DEPTH: usize = 4;

/// Finds the models in these places, for as long as it is told to go on.
///
/// # Errors
/// [`crate::Error::Stopped`] when it is not.
pub fn find(places: &Places, go_on: &dyn Fn() -> ControlFlow<()>) -> Result<ModelList> {
    let mut search = Search::new(go_on);
    search.add(builtin::model()?);
    if let Some(folder) = &places.own_folder {
        tree::search(&mut search, ModelSource::Stepladder, folder, DEPTH)?;
    }
    for folder in &places.folders {
        if !folder.exists() {
            search.notice(format!("there is no folder {}", folder.display()));
        }
        tree::search(&mut search, ModelSource::Folder, folder, DEPTH)?;
    }
    if let Some(cache) = &places.hugging_face {
        hugging_face::search(&mut search, cache)?;
    }
    for home in &places.lm_studio {
        lm_studio::search(&mut search, home)?;
    }
    for folder in &places.ollama {
        ollama::search(&mut search, folder)?;
    }
    Ok(search.finish())
}
