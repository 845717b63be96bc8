//! Loading of libraries that are not ours, by their absolute paths alone.
//!
//! cudarc looks for cuBLAS, cuRAND and the driver by bare names. What a process has loaded by its
//! absolute path is what it gets for the bare name too: on Linux by the name that the library gives
//! itself, on Windows by that of its file. So the worker loads them here, before anything else.

use std::path::Path;

use libloading::Library;

use super::presence::{Cuda, Missing};

/// Loads the driver and CUDA's libraries for the rest of this process's life.
///
/// # Errors
/// When one of them cannot be loaded.
pub fn load(cuda: &Cuda) -> Result<(), Missing> {
    only_system_folders();
    let libraries = &cuda.libraries;
    // cuBLAS needs cuBLASLt, and finds it where it is loaded already.
    for path in [
        &cuda.driver,
        &libraries.cublas_lt,
        &libraries.cublas,
        &libraries.curand,
    ] {
        let library = open(path).map_err(|error| Missing::LibraryBroken {
            path: path.clone(),
            problem: in_one_line(&error),
        })?;
        // Never unloaded: whoever asks by name later gets this one.
        std::mem::forget(library);
    }
    Ok(())
}

/// Loads a library by its absolute path; what it needs itself is looked for beside it and in the
/// system's folders.
pub(super) fn open(path: &Path) -> Result<Library, libloading::Error> {
    #[cfg(windows)]
    {
        use libloading::os::windows::{
            LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR, LOAD_LIBRARY_SEARCH_SYSTEM32, Library as Dll,
        };
        let flags = LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32;
        // SAFETY: it is NVIDIA's library by the folder it lies in; what it does when it is loaded is
        // what it does in every program that uses the card.
        unsafe { Dll::load_with_flags(path, flags) }.map(Library::from)
    }
    #[cfg(not(windows))]
    {
        // SAFETY: as above.
        unsafe { Library::new(path) }
    }
}

/// From now on a bare name is looked for among loaded libraries and in the system's folder, never in
/// the current folder or in those of `PATH`.
#[cfg(windows)]
fn only_system_folders() {
    use windows::Win32::System::LibraryLoader::{
        LOAD_LIBRARY_SEARCH_SYSTEM32, SetDefaultDllDirectories,
    };
    // SAFETY: it changes how this process finds libraries, and nothing else.
    let _ = unsafe { SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32) };
}

#[cfg(not(windows))]
fn only_system_folders() {}

/// An error and its causes.
pub(super) fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text.replace(['\n', '\r'], " ")
}
