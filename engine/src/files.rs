//! Writing files so that a crash, a kill or a full disk never leaves half of one: a temporary file
//! in the same folder, flushed to disk, then renamed over the target.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{Error, Result};

/// Ending of files that are not finished; whoever finds one may delete it.
pub const TEMPORARY: &str = "part";

/// Replaces `path` by a file with these bytes, whole or not at all.
///
/// # Errors
/// When the folder cannot be written to or the disk is full; the old file is then still there.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    create_atomically(path, |temporary| File::create(temporary)?.write_all(bytes))
}

/// Replaces `path` by a file that holds `content` as JSON for people, whole or not at all.
///
/// # Errors
/// When the folder cannot be written to or the disk is full; the old file is then still there.
pub fn write_json_atomically(path: &Path, content: &impl Serialize) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(content)
        .map_err(|error| Error::io("write", path)(std::io::Error::other(error)))?;
    bytes.push(b'\n');
    write_atomically(path, &bytes)
}

/// The bytes of a file that must not be longer than this.
///
/// # Errors
/// When it cannot be read, is no file, or is longer.
pub fn read_at_most(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    // Asked before it is opened: a pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(std::io::Error::other(format!(
            "is longer than {limit} bytes"
        ))),
        false => Ok(bytes),
    }
}

/// Replaces `path` by what `write` puts into the file it is given, whole or not at all.
///
/// # Errors
/// When the folder cannot be written to or the disk is full; the old file is then still there.
pub fn create_atomically(
    path: &Path,
    write: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<()> {
    let temporary = temporary_name(path);
    let written = write(&temporary).and_then(|()| {
        // Open for writing: only so can Windows flush it.
        File::options().write(true).open(&temporary)?.sync_all()
    });
    if let Err(error) = written {
        // Nothing is lost if this fails too: the next writer replaces the temporary file.
        let _ = std::fs::remove_file(&temporary);
        return Err(Error::io("write", path)(error));
    }
    std::fs::rename(&temporary, path).map_err(Error::io("rename", path))?;
    sync_folder(path)
}

/// A writer that tells how many bytes went through it, and ends where it is told to.
pub struct Watched<'a, W> {
    to: W,
    told: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
    bytes: u64,
}

impl<'a, W: Write> Watched<'a, W> {
    /// Around a writer.
    pub fn new(to: W, told: &'a mut dyn FnMut(u64) -> ControlFlow<()>) -> Self {
        Self { to, told, bytes: 0 }
    }
}

impl<W: Write> Write for Watched<'_, W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if (self.told)(self.bytes).is_break() {
            return Err(io::Error::other("stopped on request"));
        }
        let written = self.to.write(buffer)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The name of what is being made at `path`, beside it.
pub fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(TEMPORARY);
    path.with_file_name(name)
}

/// Makes a rename in this file's folder durable, where the system can.
///
/// # Errors
/// When the folder cannot be opened.
pub fn sync_folder(path: &Path) -> Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        let folder_file = File::open(folder).map_err(Error::io("read", folder))?;
        folder_file.sync_all().map_err(Error::io("write", folder))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Deletes the unfinished files of a folder that nobody else writes.
///
/// # Errors
/// When one of them cannot be deleted.
pub fn remove_temporary_files(folder: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let unfinished = path
            .extension()
            .is_some_and(|extension| extension == TEMPORARY);
        if unfinished && path.is_file() {
            std::fs::remove_file(&path).map_err(Error::io("delete", &path))?;
        }
    }
    Ok(())
}
