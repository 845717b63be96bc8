//! NVML, as far as one asks it for names, memory and processes. It knows this process alone.

use super::{code, device, put, put_text};
use std::ffi::{c_char, c_int, c_uint, c_ulonglong};

type Status = c_int;
const SUCCESS: Status = 0;
const INVALID_ARGUMENT: Status = 2;
const INSUFFICIENT_SIZE: Status = 7;
/// The handle of the only device.
const DEVICE: u64 = 0xD0;

#[repr(C)]
struct Memory {
    total: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

#[repr(C)]
struct MemoryWithReserve {
    version: c_uint,
    total: c_ulonglong,
    reserved: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

#[repr(C)]
struct Process {
    process: c_uint,
    memory_bytes: c_ulonglong,
    instance: c_uint,
    compute_instance: c_uint,
}

#[repr(C)]
struct Utilization {
    gpu: c_uint,
    memory: c_uint,
}

#[repr(C)]
struct PciInfo {
    short_bus_id: [u8; 16],
    domain: c_uint,
    bus: c_uint,
    device: c_uint,
    device_id: c_uint,
    subsystem_id: c_uint,
    bus_id: [u8; 32],
}

fn given(answer: i32) -> Status {
    if answer == code::SUCCESS {
        SUCCESS
    } else {
        INVALID_ARGUMENT
    }
}

fn of_device(handle: u64, then: impl FnOnce() -> Status) -> Status {
    if handle == DEVICE {
        then()
    } else {
        INVALID_ARGUMENT
    }
}

fn used_memory() -> (u64, u64) {
    let (free, total) = device().memory();
    (total - free, total)
}

#[unsafe(no_mangle)]
extern "C" fn nvmlInit_v2() -> Status {
    SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> Status {
    SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn nvmlShutdown() -> Status {
    SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn nvmlErrorString(status: Status) -> *const c_char {
    let text = if status == SUCCESS {
        c"The operation was successful"
    } else {
        c"The operation failed"
    };
    text.as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn nvmlSystemGetDriverVersion(place: *mut c_char, room: c_uint) -> Status {
    given(put_text(place, room as usize, "580.00"))
}

#[unsafe(no_mangle)]
extern "C" fn nvmlSystemGetNVMLVersion(place: *mut c_char, room: c_uint) -> Status {
    given(put_text(place, room as usize, "13.580.00"))
}

#[unsafe(no_mangle)]
extern "C" fn nvmlSystemGetCudaDriverVersion(version: *mut c_int) -> Status {
    given(put(version, 13000))
}

#[unsafe(no_mangle)]
extern "C" fn nvmlSystemGetCudaDriverVersion_v2(version: *mut c_int) -> Status {
    given(put(version, 13000))
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> Status {
    given(put(count, 1))
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, handle: *mut u64) -> Status {
    if index == 0 {
        given(put(handle, DEVICE))
    } else {
        INVALID_ARGUMENT
    }
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetIndex(handle: u64, index: *mut c_uint) -> Status {
    of_device(handle, || given(put(index, 0)))
}

/// In the first slot; the device's number is that of no card.
fn slot(handle: u64, place: *mut PciInfo) -> Status {
    fn padded<const ROOM: usize>(text: &str) -> [u8; ROOM] {
        std::array::from_fn(|at| text.as_bytes().get(at).copied().unwrap_or(0))
    }
    of_device(handle, || {
        given(put(
            place,
            PciInfo {
                short_bus_id: padded("0000:01:00.0"),
                domain: 0,
                bus: 1,
                device: 0,
                device_id: 0xFFFF_10DE,
                subsystem_id: 0,
                bus_id: padded("00000000:01:00.0"),
            },
        ))
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetPciInfo_v3(handle: u64, place: *mut PciInfo) -> Status {
    slot(handle, place)
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetPciInfo_v2(handle: u64, place: *mut PciInfo) -> Status {
    slot(handle, place)
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetName(handle: u64, name: *mut c_char, room: c_uint) -> Status {
    of_device(handle, || {
        given(put_text(name, room as usize, &device().settings.name))
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetUUID(handle: u64, place: *mut c_char, room: c_uint) -> Status {
    of_device(handle, || {
        given(put_text(
            place,
            room as usize,
            "GPU-7374616e-642d-696e-2d67-70752d6f6e65",
        ))
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetMemoryInfo(handle: u64, place: *mut Memory) -> Status {
    of_device(handle, || {
        let (used, total) = used_memory();
        given(put(
            place,
            Memory {
                total,
                free: total - used,
                used,
            },
        ))
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetMemoryInfo_v2(handle: u64, place: *mut MemoryWithReserve) -> Status {
    of_device(handle, || {
        let (used, total) = used_memory();
        let version = size_of::<MemoryWithReserve>() as u32 | 2 << 24;
        given(put(
            place,
            MemoryWithReserve {
                version,
                total,
                reserved: 0,
                free: total - used,
                used,
            },
        ))
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetCudaComputeCapability(
    handle: u64,
    major: *mut c_int,
    minor: *mut c_int,
) -> Status {
    of_device(handle, || {
        let capability = device().settings.capability;
        put(major, capability.0 as c_int);
        given(put(minor, capability.1 as c_int))
    })
}

fn processes(handle: u64, count: *mut c_uint, place: *mut Process) -> Status {
    of_device(handle, || {
        if count.is_null() {
            return INVALID_ARGUMENT;
        }
        let here = u32::from(device().contexts > 0);
        // SAFETY: the caller promises that the count can be read and written.
        let room = unsafe { count.read() };
        put(count, here);
        if here > room {
            return INSUFFICIENT_SIZE;
        }
        if here == 0 {
            return SUCCESS;
        }
        let memory_bytes = used_memory().0;
        let process = std::process::id();
        given(put(
            place,
            Process {
                process,
                memory_bytes,
                instance: u32::MAX,
                compute_instance: u32::MAX,
            },
        ))
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetComputeRunningProcesses_v3(
    handle: u64,
    count: *mut c_uint,
    place: *mut Process,
) -> Status {
    processes(handle, count, place)
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetGraphicsRunningProcesses_v3(
    handle: u64,
    count: *mut c_uint,
    _place: *mut Process,
) -> Status {
    of_device(handle, || given(put(count, 0)))
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetUtilizationRates(handle: u64, place: *mut Utilization) -> Status {
    of_device(handle, || {
        given(put(place, Utilization { gpu: 0, memory: 0 }))
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetTemperature(handle: u64, _sensor: c_uint, place: *mut c_uint) -> Status {
    of_device(handle, || given(put(place, 40)))
}
