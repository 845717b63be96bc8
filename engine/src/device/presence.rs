//! Whether this machine can compute on a card: a driver that is new enough, a card, `stepladder-cuda`, and
//! CUDA's libraries. If not, what is missing is one sentence.
//!
//! To find out, the driver is asked for its version and NVML for the cards; CUDA's libraries are looked
//! for and not loaded.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::card::{Card, ComputeCapability, NEEDED_CAPABILITY};
use super::driver::{self, CudaVersion, NEEDED_CUDA, NEEDED_DRIVER};
use super::nvml;
use super::places::{REFUSED_VARIABLE, Surroundings, VISIBLE_VARIABLE, find, names};

/// All that computing on a card takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cuda {
    /// The driver's library.
    pub driver: PathBuf,
    /// The version of CUDA that the driver supports.
    pub version: CudaVersion,
    /// The cards that our kernels run on, by CUDA's numbers.
    pub cards: Vec<Card>,
    /// The executable that computes on them.
    pub worker: PathBuf,
    /// CUDA's libraries.
    pub libraries: Libraries,
}

/// CUDA's libraries, by absolute paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Libraries {
    /// cuBLASLt.
    pub cublas_lt: PathBuf,
    /// cuBLAS, from the same folder.
    pub cublas: PathBuf,
    /// cuRAND.
    pub curand: PathBuf,
}

/// Why nothing can be computed on a card; each is one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Somebody has said so.
    #[error("{0}")]
    Refused(String),
    /// There is no driver.
    #[error("there is no NVIDIA driver here: {name} is in none of {}", listed(.folders))]
    NoDriver {
        /// The library that was looked for.
        name: &'static str,
        /// Where.
        folders: Vec<PathBuf>,
    },
    /// The driver is too old.
    #[error(
        "the NVIDIA driver is too old: it supports CUDA {has}, and CUDA {NEEDED_CUDA} is needed, which \
         driver {NEEDED_DRIVER} and newer ones support"
    )]
    DriverTooOld {
        /// What it supports.
        has: CudaVersion,
    },
    /// The driver cannot be used.
    #[error("the NVIDIA driver ({}) does not work: {problem}", .path.display())]
    DriverBroken {
        /// Its library.
        path: PathBuf,
        /// What it answered.
        problem: String,
    },
    /// There is no card.
    #[error("the NVIDIA driver finds no card")]
    NoCard,
    /// There are cards, and none of them is to be seen.
    #[error("CUDA_VISIBLE_DEVICES is \"{0}\", which leaves no card")]
    NoneVisible(String),
    /// All cards are too old.
    #[error(
        "{name} has compute capability {has}, and {} is needed, which cards since the RTX 20 series have",
        NEEDED_CAPABILITY
    )]
    CardTooOld {
        /// The newest of them.
        name: String,
        /// What it can.
        has: ComputeCapability,
    },
    /// The executable is not there.
    #[error("{} is missing, which computes on NVIDIA cards", .0.display())]
    NoWorker(PathBuf),
    /// A library is not there.
    #[error("{title} was not found: {name} is in none of {}", listed(.folders))]
    NoLibrary {
        /// What people call it.
        title: &'static str,
        /// Its file.
        name: &'static str,
        /// Where it was looked for.
        folders: Vec<PathBuf>,
    },
    /// A library cannot be loaded.
    #[error("{} cannot be loaded: {problem}", .path.display())]
    LibraryBroken {
        /// The library.
        path: PathBuf,
        /// What the system answered.
        problem: String,
    },
}

impl Missing {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Refused(_) => {
                format!("see `stepladder devices`, or unset {REFUSED_VARIABLE} if you have set it")
            }
            Self::NoDriver { .. } => format!(
                "with an NVIDIA card, install its driver, version {NEEDED_DRIVER} or newer; \
                 --device cpu works without one"
            ),
            Self::DriverTooOld { .. } => {
                format!("install NVIDIA driver {NEEDED_DRIVER} or newer, and restart")
            }
            Self::DriverBroken { .. } => {
                "see whether nvidia-smi works; after an update of the driver, restart".to_owned()
            }
            Self::NoCard => "see whether nvidia-smi shows the card".to_owned(),
            Self::NoneVisible(_) => "unset CUDA_VISIBLE_DEVICES, or name a card in it".to_owned(),
            Self::CardTooOld { .. } => "use --device cpu".to_owned(),
            Self::NoWorker(_) => {
                "install the version of Stepladder for NVIDIA cards, or use --device cpu".to_owned()
            }
            Self::NoLibrary { .. } => {
                "install the version of Stepladder that brings CUDA's libraries, or a CUDA 13 toolkit, \
                 and point CUDA_PATH at it if it lies elsewhere"
                    .to_owned()
            }
            Self::LibraryBroken { .. } => {
                "install CUDA's libraries again; they must be those of CUDA 13 for this system"
                    .to_owned()
            }
        }
    }

    /// Said where something is computed on the processor instead.
    pub fn notice(&self) -> String {
        match self {
            // Most who read this have no such card, and need not know where it was looked for.
            Self::NoDriver { .. } => {
                "Computing on the processor: there is no NVIDIA driver here.".to_owned()
            }
            _ => format!("Computing on the processor: {self}."),
        }
    }
}

/// Folders as people read them: those that are here, or what would have been looked into.
fn listed(folders: &[PathBuf]) -> String {
    let here: Vec<_> = folders.iter().filter(|folder| folder.is_dir()).collect();
    let named = match here.is_empty() {
        true => folders.iter().collect(),
        false => here,
    };
    let named: Vec<_> = named
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    match named.is_empty() {
        true => "the system's folders".to_owned(),
        false => named.join(", "),
    }
}

/// What this machine has, found out once in a process's life.
pub fn here() -> &'static Result<Cuda, Missing> {
    static HERE: OnceLock<Result<Cuda, Missing>> = OnceLock::new();
    HERE.get_or_init(|| look(&Surroundings::here(), &Nvidia))
}

/// The same for another executable than this one: what lies beside it counts.
pub fn beside(executable: &Path) -> Result<Cuda, Missing> {
    let here = Surroundings::here();
    if here.executable.as_deref() == Some(executable) {
        return self::here().clone();
    }
    let surroundings = Surroundings {
        executable: Some(executable.to_path_buf()),
        ..here
    };
    look(&surroundings, &Nvidia)
}

/// The cards as they are now; none where they cannot be asked.
pub(super) fn cards_now(cuda: &Cuda) -> Vec<Card> {
    match nvml::cards(&Surroundings::here()) {
        Some(Ok(cards)) => cards.into_iter().filter(Card::is_usable).collect(),
        _ => cuda.cards.clone(),
    }
}

/// What is asked of NVIDIA's own libraries.
trait Hardware {
    fn version(&self, driver: &Path) -> Result<CudaVersion, String>;
    fn cards(&self, surroundings: &Surroundings, driver: &Path) -> Result<Vec<Card>, String>;
}

struct Nvidia;

impl Hardware for Nvidia {
    fn version(&self, driver: &Path) -> Result<CudaVersion, String> {
        driver::version(driver)
    }

    fn cards(&self, surroundings: &Surroundings, driver: &Path) -> Result<Vec<Card>, String> {
        match nvml::cards(surroundings) {
            Some(Ok(cards)) => Ok(cards),
            _ => driver::cards(driver),
        }
    }
}

fn look(surroundings: &Surroundings, hardware: &dyn Hardware) -> Result<Cuda, Missing> {
    let said = |name: &str| {
        let value = surroundings.variable(name)?.to_string_lossy().into_owned();
        Some(value)
    };
    if let Some(reason) = said(REFUSED_VARIABLE).filter(|reason| !reason.is_empty()) {
        return Err(Missing::Refused(reason));
    }
    let folders = surroundings.driver_folders();
    let Some(driver) = find(&folders, names::DRIVER) else {
        return Err(Missing::NoDriver {
            name: names::DRIVER,
            folders,
        });
    };
    let broken = |problem| Missing::DriverBroken {
        path: driver.clone(),
        problem,
    };
    let version = hardware.version(&driver).map_err(broken)?;
    if version < NEEDED_CUDA {
        return Err(Missing::DriverTooOld { has: version });
    }
    let all = { hardware.cards(surroundings, &driver) }.map_err(broken)?;
    let Some(newest) = all.iter().max_by_key(|card| card.capability).cloned() else {
        return Err(match said(VISIBLE_VARIABLE) {
            Some(value) => Missing::NoneVisible(value),
            None => Missing::NoCard,
        });
    };
    let cards: Vec<Card> = all.into_iter().filter(Card::is_usable).collect();
    if cards.is_empty() {
        return Err(Missing::CardTooOld {
            name: newest.name,
            has: newest.capability,
        });
    }
    let worker = surroundings.worker();
    let Some(worker) = worker.clone().filter(|worker| worker.is_file()) else {
        return Err(Missing::NoWorker(
            worker.unwrap_or_else(|| names::WORKER.into()),
        ));
    };
    Ok(Cuda {
        libraries: libraries(surroundings.library_folders())?,
        driver,
        version,
        cards,
        worker,
    })
}

/// Finds CUDA's libraries. cuBLAS and cuBLASLt are one library in two files: of different versions they
/// do not work, so they come from the same folder.
fn libraries(folders: Vec<PathBuf>) -> Result<Libraries, Missing> {
    let lacking = |title, name, folders: Vec<PathBuf>| Missing::NoLibrary {
        title,
        name,
        folders,
    };
    let with_lt = |folder: &&PathBuf| folder.join(names::CUBLAS_LT).is_file();
    let with_cublas = |folder: &&PathBuf| folder.join(names::CUBLAS).is_file();
    let Some(folder) = { folders.iter() }.find(|folder| with_lt(folder) && with_cublas(folder))
    else {
        let some: Vec<PathBuf> = folders.iter().filter(with_cublas).cloned().collect();
        return Err(match some.is_empty() {
            true => lacking("cuBLAS 13", names::CUBLAS, folders),
            false => lacking("cuBLASLt 13", names::CUBLAS_LT, some),
        });
    };
    let Some(curand) = find(&folders, names::CURAND) else {
        return Err(lacking("cuRAND 10", names::CURAND, folders));
    };
    Ok(Libraries {
        cublas_lt: folder.join(names::CUBLAS_LT),
        cublas: folder.join(names::CUBLAS),
        curand,
    })
}

#[cfg(test)]
#[cfg(not(windows))]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::device::card::CardMemory;

    struct Fake {
        version: i32,
        cards: Result<Vec<Card>, String>,
    }

    impl Hardware for Fake {
        fn version(&self, _: &Path) -> Result<CudaVersion, String> {
            Ok(CudaVersion::of(self.version))
        }

        fn cards(&self, _: &Surroundings, _: &Path) -> Result<Vec<Card>, String> {
            self.cards.clone()
        }
    }

    fn card(name: &str, major: u32, minor: u32) -> Card {
        Card {
            number: 0,
            name: name.to_owned(),
            capability: ComputeCapability { major, minor },
            driver: None,
            memory: CardMemory::default(),
        }
    }

    fn rtx() -> Fake {
        Fake {
            version: 13000,
            cards: Ok(vec![card("RTX 4070", 8, 9)]),
        }
    }

    /// A machine with everything, in a folder.
    struct Machine {
        folder: tempfile::TempDir,
        here: Surroundings,
    }

    impl Machine {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let here = Surroundings {
                executable: Some(folder.path().join("app/stepladder")),
                variables: Default::default(),
                root: folder.path().to_path_buf(),
            };
            let machine = Self { folder, here };
            machine.put("usr/lib64/libcuda.so.1");
            machine.put("app/stepladder-cuda");
            for library in [names::CUBLAS, names::CUBLAS_LT, names::CURAND] {
                machine.put(&format!("app/cuda/{library}"));
            }
            machine
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn put(&self, name: &str) {
            let path = self.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }

        fn without(self, name: &str) -> Self {
            std::fs::remove_file(self.path(name)).unwrap();
            self
        }

        fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
            self.here.variables.insert(name.to_owned(), value.into());
            self
        }

        fn missing(&self, hardware: &Fake) -> String {
            let missing = look(&self.here, hardware).unwrap_err();
            assert!(!missing.hint().is_empty());
            let sentence = missing.to_string();
            assert!(!sentence.contains('\n') && !sentence.ends_with('.'));
            sentence
        }
    }

    #[test]
    fn a_machine_with_everything_has_it_all_by_absolute_paths() {
        let machine = Machine::new();
        let cuda = look(&machine.here, &rtx()).unwrap();
        assert_eq!(cuda.driver, machine.path("usr/lib64/libcuda.so.1"));
        assert_eq!(cuda.worker, machine.path("app/stepladder-cuda"));
        let library = |name: &str| machine.path("app/cuda").join(name);
        assert_eq!(
            cuda.libraries,
            Libraries {
                cublas_lt: library(names::CUBLAS_LT),
                cublas: library(names::CUBLAS),
                curand: library(names::CURAND),
            }
        );
    }

    #[test]
    fn what_is_missing_is_one_sentence_that_says_where() {
        let no_driver = Machine::new().without("usr/lib64/libcuda.so.1");
        let sentence = no_driver.missing(&rtx());
        assert!(
            sentence.starts_with("there is no NVIDIA driver here: libcuda.so.1 is in none of ")
        );
        assert!(sentence.contains(&no_driver.path("usr/lib64").display().to_string()));

        let old = Fake {
            version: 12040,
            ..rtx()
        };
        assert_eq!(
            Machine::new().missing(&old),
            "the NVIDIA driver is too old: it supports CUDA 12.4, and CUDA 13.0 is needed, which driver 580 \
             and newer ones support"
        );

        let fails = Fake {
            cards: Err("cuInit answered 999".to_owned()),
            ..rtx()
        };
        let sentence = Machine::new().missing(&fails);
        assert!(
            sentence.ends_with("does not work: cuInit answered 999"),
            "{sentence}"
        );

        let none = Fake {
            cards: Ok(Vec::new()),
            ..rtx()
        };
        assert_eq!(
            Machine::new().missing(&none),
            "the NVIDIA driver finds no card"
        );
        let hidden = Machine::new().with(VISIBLE_VARIABLE, "-1");
        assert_eq!(
            hidden.missing(&none),
            "CUDA_VISIBLE_DEVICES is \"-1\", which leaves no card"
        );

        let gtx = Fake {
            cards: Ok(vec![card("GTX 960", 5, 2), card("GTX 1080", 6, 1)]),
            ..rtx()
        };
        let sentence = Machine::new().missing(&gtx);
        assert!(
            sentence.starts_with("GTX 1080 has compute capability 6.1, and 7.5 is needed"),
            "{sentence}"
        );

        let no_worker = Machine::new().without("app/stepladder-cuda");
        let path = no_worker.path("app/stepladder-cuda").display().to_string();
        assert!(no_worker.missing(&rtx()).starts_with(&path));

        let no_blas = Machine::new().without("app/cuda/libcublas.so.13");
        let sentence = no_blas.missing(&rtx());
        assert!(
            sentence.starts_with("cuBLAS 13 was not found: libcublas.so.13 is in none of "),
            "{sentence}"
        );
        let folder = no_blas.path("app/cuda").display().to_string();
        assert!(sentence.contains(&folder), "{sentence}");

        let sentence = Machine::new()
            .without("app/cuda/libcublasLt.so.13")
            .missing(&rtx());
        assert!(
            sentence.starts_with("cuBLASLt 13 was not found"),
            "{sentence}"
        );
        let sentence = Machine::new()
            .without("app/cuda/libcurand.so.10")
            .missing(&rtx());
        assert!(
            sentence.starts_with("cuRAND 10 was not found"),
            "{sentence}"
        );
    }

    #[test]
    fn old_cards_beside_new_ones_are_left_out_and_keep_their_number() {
        let new = Card {
            number: 1,
            ..card("RTX 3060", 8, 6)
        };
        let both = Fake {
            cards: Ok(vec![card("GTX 1080", 6, 1), new.clone()]),
            ..rtx()
        };
        let cuda = look(&Machine::new().here, &both).unwrap();
        assert_eq!(cuda.cards, [new]);
    }

    #[test]
    fn a_sentence_in_the_environment_is_the_reason() {
        let refused = Machine::new().with(REFUSED_VARIABLE, "the worker did not start");
        assert_eq!(refused.missing(&rtx()), "the worker did not start");
    }

    #[test]
    fn a_toolkit_and_another_worker_can_be_named() {
        let machine = Machine::new()
            .without("app/stepladder-cuda")
            .without("app/cuda/libcurand.so.10");
        machine.put("toolkit/targets/x86_64-linux/lib/libcurand.so.10");
        machine.put("toolkit/lib/libcurand.so.10");
        machine.put("build/worker");
        let toolkit = machine.path("toolkit");
        let worker = machine.path("build/worker");
        let machine = machine
            .with("CUDA_HOME", toolkit)
            .with("STEPLADDER_CUDA_WORKER", worker.clone());
        let cuda = look(&machine.here, &rtx()).unwrap();
        assert_eq!(cuda.worker, worker);
        let curand = machine.path("toolkit/lib/libcurand.so.10");
        assert_eq!(cuda.libraries.curand, curand);
    }
}
