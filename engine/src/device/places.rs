//! Where CUDA may lie on this machine: the named folders that the driver, its libraries and
//! `stepladder-cuda` are looked for in, in order. Only absolute paths are ever loaded from.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Points at a `stepladder-cuda` that does not lie beside `stepladder`, by its absolute path.
pub const WORKER_VARIABLE: &str = "STEPLADDER_CUDA_WORKER";

/// A sentence that says why no card is to be used. A program whose `stepladder-cuda` did not start sets it
/// for its other workers; a user may set it to any text.
pub const REFUSED_VARIABLE: &str = "STEPLADDER_NO_CUDA";

/// Hides cards from every program that computes with CUDA.
pub(super) const VISIBLE_VARIABLE: &str = "CUDA_VISIBLE_DEVICES";

/// Where the system's linker looks beside its own folders.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";
const TOOLKITS: [&str; 2] = ["CUDA_PATH", "CUDA_HOME"];
const PROGRAM_FILES: &str = "ProgramFiles";
const SYSTEM_ROOT: &str = "SystemRoot";

const VARIABLES: [&str; 8] = [
    WORKER_VARIABLE,
    REFUSED_VARIABLE,
    VISIBLE_VARIABLE,
    LIBRARY_PATH,
    TOOLKITS[0],
    TOOLKITS[1],
    PROGRAM_FILES,
    SYSTEM_ROOT,
];

/// Names of what is looked for.
pub(super) mod names {
    /// The driver's library.
    pub const DRIVER: &str = if cfg!(windows) {
        "nvcuda.dll"
    } else {
        "libcuda.so.1"
    };
    /// NVML, which comes with the driver.
    pub const NVML: &str = if cfg!(windows) {
        "nvml.dll"
    } else {
        "libnvidia-ml.so.1"
    };
    /// cuBLASLt 13.
    pub const CUBLAS_LT: &str = if cfg!(windows) {
        "cublasLt64_13.dll"
    } else {
        "libcublasLt.so.13"
    };
    /// cuBLAS 13.
    pub const CUBLAS: &str = if cfg!(windows) {
        "cublas64_13.dll"
    } else {
        "libcublas.so.13"
    };
    /// cuRAND 10, which is CUDA 13's.
    pub const CURAND: &str = if cfg!(windows) {
        "curand64_10.dll"
    } else {
        "libcurand.so.10"
    };
    /// The worker.
    pub const WORKER: &str = if cfg!(windows) {
        "stepladder-cuda.exe"
    } else {
        "stepladder-cuda"
    };
}

#[cfg(not(windows))]
const SYSTEM_FOLDERS: [&str; 7] = [
    // Windows' own driver, seen from Linux inside it; a driver that was installed there is of no use.
    "usr/lib/wsl/lib",
    if cfg!(target_arch = "aarch64") {
        "usr/lib/aarch64-linux-gnu"
    } else {
        "usr/lib/x86_64-linux-gnu"
    },
    "usr/lib64",
    "usr/lib",
    "usr/local/nvidia/lib64",
    "run/opengl-driver/lib",
    "usr/local/lib",
];

#[cfg(not(windows))]
const IN_A_TOOLKIT: [&str; 3] = [
    "lib64",
    "lib",
    if cfg!(target_arch = "aarch64") {
        "targets/sbsa-linux/lib"
    } else {
        "targets/x86_64-linux/lib"
    },
];
#[cfg(windows)]
const IN_A_TOOLKIT: [&str; 2] = ["bin/x64", "bin"];

/// What of this machine says where CUDA may lie.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The executable beside which others lie.
    pub executable: Option<PathBuf>,
    /// Environment variables.
    pub variables: BTreeMap<String, OsString>,
    /// What the system's folders lie under.
    pub root: PathBuf,
}

impl Surroundings {
    /// Those of this process.
    pub fn here() -> Self {
        let value = |name: &str| Some((name.to_owned(), std::env::var_os(name)?));
        Self {
            executable: std::env::current_exe().ok(),
            variables: VARIABLES.into_iter().filter_map(value).collect(),
            root: PathBuf::from("/"),
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(OsString::as_os_str)
    }

    fn absolute(&self, name: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.variable(name)?);
        path.is_absolute().then_some(path)
    }

    fn beside(&self) -> Option<&Path> {
        self.executable.as_deref()?.parent()
    }

    /// Where the worker is to be.
    pub(super) fn worker(&self) -> Option<PathBuf> {
        self.absolute(WORKER_VARIABLE)
            .or_else(|| Some(self.beside()?.join(names::WORKER)))
    }

    /// Where the driver's own libraries may lie.
    pub(super) fn driver_folders(&self) -> Vec<PathBuf> {
        // First what the user names: so a newer driver's library is put before the system's.
        let mut folders = self.library_path();
        folders.extend(self.system_folders());
        distinct(folders)
    }

    /// Where CUDA's libraries may lie.
    pub(super) fn library_folders(&self) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        if let Some(beside) = self.beside() {
            folders.extend([beside.to_path_buf(), beside.join("cuda")]);
        }
        let mut toolkits: Vec<PathBuf> = { TOOLKITS.iter() }
            .filter_map(|name| self.absolute(name))
            .collect();
        toolkits.extend(self.installed_toolkits());
        for toolkit in toolkits {
            folders.extend(IN_A_TOOLKIT.map(|inside| toolkit.join(inside)));
        }
        folders.extend(self.system_folders());
        folders.extend(self.library_path());
        distinct(folders)
    }

    fn library_path(&self) -> Vec<PathBuf> {
        match self.variable(LIBRARY_PATH) {
            Some(entries) if cfg!(not(windows)) => std::env::split_paths(entries)
                .filter(|path| path.is_absolute())
                .collect(),
            _ => Vec::new(),
        }
    }

    #[cfg(not(windows))]
    fn system_folders(&self) -> Vec<PathBuf> {
        SYSTEM_FOLDERS.map(|folder| self.root.join(folder)).into()
    }

    #[cfg(windows)]
    fn system_folders(&self) -> Vec<PathBuf> {
        { self.absolute(SYSTEM_ROOT).into_iter() }
            .map(|windows| windows.join("System32"))
            .collect()
    }

    /// Toolkits where NVIDIA's installer puts them; the newest first.
    fn installed_toolkits(&self) -> Vec<PathBuf> {
        let (folder, prefix) = match cfg!(windows) {
            true => {
                let Some(programs) = self.absolute(PROGRAM_FILES) else {
                    return Vec::new();
                };
                (programs.join("NVIDIA GPU Computing Toolkit/CUDA"), "v13")
            }
            false => (self.root.join("usr/local"), "cuda"),
        };
        let Ok(entries) = std::fs::read_dir(&folder) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.starts_with(prefix))
            .collect();
        // `cuda` itself is the one that the user has chosen.
        names.sort_unstable_by_key(|name| (name != prefix, std::cmp::Reverse(name.clone())));
        names.iter().map(|name| folder.join(name)).collect()
    }
}

/// The first folder that holds a file.
pub(super) fn find(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    folders
        .iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn distinct(folders: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut kept = Vec::<PathBuf>::new();
    for folder in folders {
        if !kept.contains(&folder) {
            kept.push(folder);
        }
    }
    kept
}

#[cfg(all(test, not(windows)))]
mod tests {
    use super::*;

    fn surroundings(variables: &[(&str, &str)], root: &Path) -> Surroundings {
        Surroundings {
            executable: Some("/app/stepladder".into()),
            variables: { variables.iter() }
                .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
                .collect(),
            root: root.to_path_buf(),
        }
    }

    #[test]
    fn libraries_are_looked_for_in_named_folders_in_order() {
        let root = tempfile::tempdir().unwrap();
        for toolkit in ["cuda", "cuda-12.4", "cuda-13.0", "other"] {
            std::fs::create_dir_all(root.path().join("usr/local").join(toolkit)).unwrap();
        }
        let here = surroundings(
            &[
                ("CUDA_HOME", "/toolkit"),
                ("CUDA_PATH", "relative"),
                ("LD_LIBRARY_PATH", "/a:relative::/app:/b"),
            ],
            root.path(),
        );
        let folders = here.library_folders();
        let place = |name: &str| {
            let path = match name.strip_prefix('~') {
                Some(inside) => root.path().join(inside),
                None => PathBuf::from(name),
            };
            folders.iter().position(|folder| *folder == path)
        };
        let order = [
            "/app",
            "/app/cuda",
            "/toolkit/lib64",
            "/toolkit/lib",
            "~usr/local/cuda/lib64",
            "~usr/local/cuda-13.0/lib64",
            "~usr/local/cuda-12.4/lib64",
            "~usr/lib64",
            "/a",
            "/b",
        ];
        let places: Vec<usize> = order.iter().filter_map(|name| place(name)).collect();
        assert_eq!(places.len(), order.len(), "{folders:?}");
        assert!(places.is_sorted(), "{folders:?}");
        assert!(folders.iter().all(|folder| folder.is_absolute()));
        assert_eq!(place("~usr/local/other/lib64"), None);
        assert_eq!(folders.iter().filter(|f| f.ends_with("app")).count(), 1);

        let driver = here.driver_folders();
        assert_eq!(driver[0], Path::new("/a"));
        assert!(driver.contains(&root.path().join("usr/lib/wsl/lib")));
    }

    #[test]
    fn the_worker_lies_beside_or_where_the_variable_says() {
        let root = Path::new("/");
        let worker = |variables: &[(&str, &str)]| surroundings(variables, root).worker();
        let beside = Some(PathBuf::from("/app/stepladder-cuda"));
        assert_eq!(worker(&[]), beside);
        assert_eq!(worker(&[(WORKER_VARIABLE, "build/worker")]), beside);
        assert_eq!(
            worker(&[(WORKER_VARIABLE, "/build/worker")]),
            Some("/build/worker".into())
        );
    }
}
