//! Small JSON files of run folders, which may come from anywhere: never more than a bound is read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::words::disk::json_too_long;

/// Reads a file of at most `bound` bytes; none if there is no such file.
///
/// # Errors
/// When it is longer, or not what it should be.
pub fn read<T: DeserializeOwned>(path: &Path, bound: u64) -> io::Result<Option<T>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(bound + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bound {
        return Err(io::Error::other(json_too_long(bound)));
    }
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(io::Error::other)
}
