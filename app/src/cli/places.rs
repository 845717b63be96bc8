//! Folders that a verb writes to.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use stepladder_protocol::ErrorReport;

use super::failure::Failure;
use crate::data_folder;

/// A path as it is from anywhere.
pub fn absolute_path(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| {
        let message = format!("the path {} cannot be used: {error}", path.display());
        Failure::from(ErrorReport::new("io", message, "give another path"))
    })
}

/// A folder that is not there yet, among others of its kind in the user's data folder.
pub fn new_folder(kind: &str, name: &str) -> Result<PathBuf, Failure> {
    let folder = data_folder::data_folder().ok_or_else(|| {
        Failure::usage(
            "this system names no data folder",
            "give --out, or set STEPLADDER_HOME",
        )
    })?;
    let now = SystemTime::now();
    Ok(data_folder::new_run_in(&folder.join(kind), name, now))
}
