//! NVIDIA's driver as CUDA sees it, asked without computing anything: its version, and, where NVML is
//! missing, the cards.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::fmt;
use std::path::Path;

use libloading::Library;

use super::card::{Card, CardMemory, ComputeCapability};
use super::loading::{in_one_line, open};

/// A version of CUDA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CudaVersion {
    /// The part before the dot.
    pub major: u32,
    /// The part after it.
    pub minor: u32,
}

/// What the kernels are built for.
pub const NEEDED_CUDA: CudaVersion = CudaVersion {
    major: 13,
    minor: 0,
};

/// The first driver that supports it.
pub const NEEDED_DRIVER: u32 = 580;

impl CudaVersion {
    /// From CUDA's own number, such as 13000.
    pub fn of(number: i32) -> Self {
        let number = u32::try_from(number).unwrap_or(0);
        Self {
            major: number / 1000,
            minor: number % 1000 / 10,
        }
    }
}

impl fmt::Display for CudaVersion {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{}", self.major, self.minor)
    }
}

type Status = c_int;
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;
const NO_DEVICE: Status = 100;

/// The version of CUDA that a driver supports.
pub(super) fn version(path: &Path) -> Result<CudaVersion, String> {
    let library = kept(path)?;
    let mut number = 0;
    // SAFETY: `int cuDriverGetVersion(int *)`, which may be called before `cuInit`.
    let status = unsafe {
        let ask = function::<unsafe extern "system" fn(*mut c_int) -> Status>(
            library,
            c"cuDriverGetVersion",
        )?;
        ask(&raw mut number)
    };
    checked("cuDriverGetVersion", status)?;
    Ok(CudaVersion::of(number))
}

/// The cards that a driver knows. How much of their memory is free is not known here.
pub(super) fn cards(path: &Path) -> Result<Vec<Card>, String> {
    let library = kept(path)?;
    let mut count = 0;
    // SAFETY: `int cuInit(unsigned)` and `int cuDeviceGetCount(int *)`.
    unsafe {
        let init = function::<unsafe extern "system" fn(c_uint) -> Status>(library, c"cuInit")?;
        match init(0) {
            NO_DEVICE => return Ok(Vec::new()),
            status => checked("cuInit", status)?,
        }
        let ask = function::<unsafe extern "system" fn(*mut c_int) -> Status>(
            library,
            c"cuDeviceGetCount",
        )?;
        checked("cuDeviceGetCount", ask(&raw mut count))?;
    }
    (0..count).map(|number| card(library, number)).collect()
}

fn card(library: &Library, number: c_int) -> Result<Card, String> {
    type Name = unsafe extern "system" fn(*mut c_char, c_int, c_int) -> Status;
    type Attribute = unsafe extern "system" fn(*mut c_int, c_int, c_int) -> Status;
    type Memory = unsafe extern "system" fn(*mut usize, c_int) -> Status;
    let mut device = 0;
    let mut name = [0; 256];
    let (mut major, mut minor, mut bytes) = (0, 0, 0_usize);
    // SAFETY: these are the signatures that the driver's interface has had since CUDA 4, and all that is
    // written to is as long as is said.
    unsafe {
        let get = function::<unsafe extern "system" fn(*mut c_int, c_int) -> Status>(
            library,
            c"cuDeviceGet",
        )?;
        checked("cuDeviceGet", get(&raw mut device, number))?;
        let named = function::<Name>(library, c"cuDeviceGetName")?;
        let length = c_int::try_from(name.len() - 1).unwrap_or(0);
        checked("cuDeviceGetName", named(name.as_mut_ptr(), length, device))?;
        let attribute = function::<Attribute>(library, c"cuDeviceGetAttribute")?;
        for (what, into) in [
            (CAPABILITY_MAJOR, &raw mut major),
            (CAPABILITY_MINOR, &raw mut minor),
        ] {
            checked("cuDeviceGetAttribute", attribute(into, what, device))?;
        }
        let memory = function::<Memory>(library, c"cuDeviceTotalMem_v2")?;
        checked("cuDeviceTotalMem", memory(&raw mut bytes, device))?;
    }
    // SAFETY: the last byte was never written to, so there is an end.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    Ok(Card {
        number: usize::try_from(number).unwrap_or(0),
        name: name.to_string_lossy().into_owned(),
        capability: ComputeCapability {
            major: u32::try_from(major).unwrap_or(0),
            minor: u32::try_from(minor).unwrap_or(0),
        },
        driver: None,
        memory: CardMemory {
            total_bytes: bytes as u64,
            free_bytes: bytes as u64,
            ..CardMemory::default()
        },
    })
}

/// The driver's library, never unloaded: it leaves threads behind.
fn kept(path: &Path) -> Result<&'static Library, String> {
    open(path)
        .map(|library| &*Box::leak(Box::new(library)))
        .map_err(|error| in_one_line(&error))
}

/// A function of the driver.
///
/// # Safety
/// It must have this signature.
unsafe fn function<F: Copy>(library: &Library, name: &CStr) -> Result<F, String> {
    // SAFETY: by the caller's promise.
    unsafe { library.get::<F>(name.to_bytes_with_nul()) }
        .map(|function| *function)
        .map_err(|error| in_one_line(&error))
}

fn checked(what: &str, status: Status) -> Result<(), String> {
    match status {
        0 => Ok(()),
        status => Err(format!("{what} answered {status}{}", meaning(status))),
    }
}

/// What people meet, in words.
fn meaning(status: Status) -> &'static str {
    match status {
        3 => ", not initialized",
        46 | 802 => ", the card is not ready",
        304 => ", the operating system refused",
        803 => ", the driver's library and its kernel module are of different versions",
        804 => ", this card needs the driver's own library",
        999 => ", an unknown error",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(CudaVersion::of(13010).to_string(), "13.1");
        assert_eq!(CudaVersion::of(12040).to_string(), "12.4");
        assert!(CudaVersion::of(12090) < NEEDED_CUDA);
        assert!(CudaVersion::of(13000) >= NEEDED_CUDA);
    }
}
