//! The executables of an installation, which lie beside each other: `stepladder` (command line and
//! worker) and `stepladder-desktop` (the window with what belongs to an installed program).

use std::io;
use std::path::{Path, PathBuf};

const DESKTOP: &str = "stepladder-desktop";
const COMMAND_LINE: &str = "stepladder";

/// The executable that is the worker: this one, or the command line beside the desktop program.
///
/// # Errors
/// When this executable cannot be found, or has no command line beside it.
pub fn worker() -> io::Result<PathBuf> {
    worker_of(&std::env::current_exe()?)
}

/// The desktop program beside this executable, if there is one.
pub fn desktop() -> Option<PathBuf> {
    desktop_of(&std::env::current_exe().ok()?)
}

fn worker_of(this: &Path) -> io::Result<PathBuf> {
    if !is_named(this, DESKTOP) {
        return Ok(this.to_path_buf());
    }
    let beside = sibling(this, COMMAND_LINE);
    match beside.is_file() {
        true => Ok(beside),
        false => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("{} is missing", beside.display()),
        )),
    }
}

fn desktop_of(this: &Path) -> Option<PathBuf> {
    let beside = sibling(this, DESKTOP);
    (is_named(this, COMMAND_LINE) && beside.is_file()).then_some(beside)
}

fn is_named(path: &Path, name: &str) -> bool {
    path.file_stem().is_some_and(|stem| stem == name)
}

fn sibling(path: &Path, name: &str) -> PathBuf {
    path.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finds_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| {
            folder
                .path()
                .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
        };
        let (line, desktop) = (path(COMMAND_LINE), path(DESKTOP));
        assert_eq!(worker_of(&line).unwrap(), line);
        assert_eq!(desktop_of(&line), None);
        let missing = worker_of(&desktop).unwrap_err();
        assert!(missing.to_string().contains("is missing"), "{missing}");
        std::fs::write(&line, "").unwrap();
        std::fs::write(&desktop, "").unwrap();
        assert_eq!(worker_of(&desktop).unwrap(), line);
        assert_eq!(desktop_of(&line), Some(desktop.clone()));
        assert_eq!(
            desktop_of(&desktop),
            None,
            "it would start itself without end"
        );
        // A test or an example is its own worker.
        let other = folder.path().join("bench");
        assert_eq!(worker_of(&other).unwrap(), other);
    }
}
