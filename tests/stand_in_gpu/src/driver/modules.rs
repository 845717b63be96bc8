//! Modules: their text is read when they are loaded, their variables get memory then, and a kernel
//! is compiled when it is first launched.

use super::context::{answer, ready};
use super::device::{Device, Kernel, Loaded};
use super::{Code, code, complain, device, put, text};
use crate::ptx::parser::parse;
use crate::ptx::types::{Initial, Module, Space};
use std::collections::HashMap;
use std::ffi::{c_char, c_uint, c_void};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// Dynamic shared memory that every kernel may be launched with.
pub const USUAL_SHARED: u32 = 48 << 10;

/// Gives a module's variables memory and their initial values.
fn place_variables(device: &mut Device, module: &Module) -> Result<Loaded, Code> {
    let (mut addresses, mut sizes) = (HashMap::new(), HashMap::new());
    for variable in &module.variables {
        if matches!(variable.space, Space::Global | Space::Constant) && variable.bytes > 0 {
            let address = device.allocate(variable.bytes as u64, false)?;
            addresses.insert(variable.name.clone(), address);
            sizes.insert(variable.name.clone(), variable.bytes as u64);
        }
    }
    for variable in &module.variables {
        let Some(&address) = addresses.get(&variable.name) else {
            continue;
        };
        let mut bytes = Vec::with_capacity(variable.bytes);
        for initial in &variable.initial {
            match initial {
                Initial::Bytes(value) => bytes.extend_from_slice(value),
                Initial::Address(name, offset) => {
                    let value = addresses.get(name).copied().ok_or_else(|| {
                        complain(format_args!("the address of {name} is not known"));
                        code::INVALID_PTX
                    })?;
                    bytes.extend_from_slice(&value.wrapping_add(*offset as u64).to_le_bytes());
                }
            }
        }
        bytes.resize(variable.bytes, 0);
        let to: *mut u8 = std::ptr::with_exposed_provenance_mut(address as usize);
        // SAFETY: that many bytes were just allocated there.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }
    Ok(Loaded {
        module: module.clone(),
        addresses,
        sizes,
    })
}

/// Reads and places a module.
pub fn load(device: &mut Device, source: &str) -> Result<u64, Code> {
    let module = parse(source).map_err(|why| {
        complain(format_args!("a module cannot be read: {why}"));
        code::INVALID_PTX
    })?;
    if module.target > device.settings.architecture() {
        complain(format_args!(
            "a module for sm_{} on a card of sm_{}",
            module.target,
            device.settings.architecture()
        ));
        return Err(code::NO_BINARY_FOR_GPU);
    }
    if module.version > (9, 0) {
        complain(format_args!(
            "PTX {:?} is newer than the driver's 9.0",
            module.version
        ));
        return Err(222);
    }
    let loaded = place_variables(device, &module)?;
    let handle = device.new_handle();
    device.modules.insert(handle, Arc::new(loaded));
    Ok(handle)
}

/// The handle of a kernel of a loaded module.
pub fn kernel(device: &mut Device, module: u64, name: &str) -> Result<u64, Code> {
    let loaded = device
        .modules
        .get(&module)
        .cloned()
        .ok_or(code::INVALID_HANDLE)?;
    let known = loaded.module.functions.get(name);
    if known.is_none_or(|function| !function.is_kernel) {
        return Err(code::NOT_FOUND);
    }
    let found = device
        .kernels
        .iter()
        .find(|(_, kernel)| kernel.module == module && kernel.name == name);
    if let Some((&handle, _)) = found {
        return Ok(handle);
    }
    let handle = device.new_handle();
    let kernel = Kernel {
        loaded,
        module,
        name: name.to_owned(),
        program: std::sync::OnceLock::new(),
        most_dynamic_shared: AtomicU32::new(USUAL_SHARED),
    };
    device.kernels.insert(handle, Arc::new(kernel));
    Ok(handle)
}

fn load_text(place: *mut u64, source: &str) -> Code {
    if let Err(code) = ready() {
        return code;
    }
    let loaded = load(&mut device(), source);
    loaded.map_or_else(|code| code, |handle| put(place, handle))
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleLoadData(place: *mut u64, image: *const c_void) -> Code {
    match text(image.cast()) {
        Some(source) if source.starts_with('\u{7f}') || !source.contains(".version") => {
            complain("a module that is no PTX");
            code::NO_BINARY_FOR_GPU
        }
        Some(source) => load_text(place, &source),
        None => code::INVALID_VALUE,
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleLoadDataEx(
    place: *mut u64,
    image: *const c_void,
    _count: c_uint,
    _options: *mut c_uint,
    _values: *mut *mut c_void,
) -> Code {
    cuModuleLoadData(place, image)
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleLoad(place: *mut u64, path: *const c_char) -> Code {
    match text(path).and_then(|path| std::fs::read_to_string(path).ok()) {
        Some(source) => load_text(place, &source),
        None => code::NOT_FOUND,
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleUnload(handle: u64) -> Code {
    let mut device = device();
    let Some(loaded) = device.modules.remove(&handle) else {
        return code::INVALID_HANDLE;
    };
    device.kernels.retain(|_, kernel| kernel.module != handle);
    answer(
        loaded
            .addresses
            .values()
            .try_for_each(|&address| device.free(address)),
    )
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleGetFunction(place: *mut u64, module: u64, name: *const c_char) -> Code {
    let Some(name) = text(name) else {
        return code::INVALID_VALUE;
    };
    let found = ready().and_then(|()| kernel(&mut device(), module, &name));
    found.map_or_else(|code| code, |handle| put(place, handle))
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleGetGlobal_v2(
    place: *mut u64,
    bytes: *mut usize,
    module: u64,
    name: *const c_char,
) -> Code {
    let Some(name) = text(name) else {
        return code::INVALID_VALUE;
    };
    let device = device();
    let Some(loaded) = device.modules.get(&module) else {
        return code::INVALID_HANDLE;
    };
    let Some((&address, &size)) = loaded.addresses.get(&name).zip(loaded.sizes.get(&name)) else {
        return code::NOT_FOUND;
    };
    if !bytes.is_null() {
        put(bytes, size as usize);
    }
    if place.is_null() {
        code::SUCCESS
    } else {
        put(place, address)
    }
}
