//! The driver's C functions and those of the libraries beside it, as far as programs of this
//! workspace call them. Everything is carried out at once, on the thread that asks.

mod blas;
mod context;
pub mod device;
mod errors;
mod functions;
mod management;
mod memory;
mod modules;
mod product;
mod random;
pub mod settings;

pub use product::{Operand as ProductOperand, Product, Stored, multiply};

use device::Device;
use std::io::Write;
use std::sync::{LazyLock, Mutex, MutexGuard};

/// What a function of the driver returns.
pub type Code = i32;

/// The driver's codes that occur here.
#[allow(missing_docs)]
pub mod code {
    use super::Code;
    pub const SUCCESS: Code = 0;
    pub const INVALID_VALUE: Code = 1;
    pub const OUT_OF_MEMORY: Code = 2;
    pub const NOT_INITIALIZED: Code = 3;
    pub const INVALID_DEVICE: Code = 101;
    pub const INVALID_CONTEXT: Code = 201;
    pub const NO_BINARY_FOR_GPU: Code = 209;
    pub const INVALID_PTX: Code = 218;
    pub const INVALID_HANDLE: Code = 400;
    pub const NOT_FOUND: Code = 500;
    pub const NOT_READY: Code = 600;
    pub const ILLEGAL_ADDRESS: Code = 700;
    pub const LAUNCH_OUT_OF_RESOURCES: Code = 701;
    pub const ASSERT: Code = 710;
    pub const ILLEGAL_INSTRUCTION: Code = 715;
    pub const MISALIGNED_ADDRESS: Code = 716;
    pub const LAUNCH_FAILED: Code = 719;
    pub const NOT_SUPPORTED: Code = 801;
}

static DEVICE: LazyLock<Mutex<Device>> =
    LazyLock::new(|| Mutex::new(Device::new(settings::Settings::from_environment())));

/// The device of this process.
pub fn device() -> MutexGuard<'static, Device> {
    DEVICE.lock().unwrap_or_else(|held| held.into_inner())
}

/// Says on stderr why something was refused: the codes alone seldom tell.
fn complain(what: impl std::fmt::Display) {
    // Nobody can be told when stderr is closed.
    let _ = writeln!(std::io::stderr(), "stand-in GPU: {what}");
}

/// Gives a result to the caller.
fn put<T>(place: *mut T, value: T) -> Code {
    if place.is_null() {
        return code::INVALID_VALUE;
    }
    // SAFETY: callers of the C functions promise that what they pass can be written.
    unsafe { place.write(value) };
    code::SUCCESS
}

/// The bytes of a text, cut to its room and ended with a zero.
fn put_text(place: *mut std::ffi::c_char, room: usize, text: &str) -> Code {
    if place.is_null() || room == 0 {
        return code::INVALID_VALUE;
    }
    let count = text.len().min(room - 1);
    // SAFETY: callers of the C functions promise `room` bytes, and no more are written.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), place.cast(), count);
        place.add(count).write(0);
    }
    code::SUCCESS
}

/// The text a caller gives.
fn text(place: *const std::ffi::c_char) -> Option<String> {
    if place.is_null() {
        return None;
    }
    // SAFETY: callers of the C functions promise a text that ends with a zero.
    let text = unsafe { std::ffi::CStr::from_ptr(place) };
    Some(text.to_string_lossy().into_owned())
}
