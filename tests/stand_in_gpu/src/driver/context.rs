//! Initialization, devices, contexts, streams and events. One context stands for all; what is
//! asked for without one is refused, as the driver would.

use super::{Code, code, complain, device, put, put_text};
use std::cell::Cell;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::time::Instant;

/// The handle of the only context.
const CONTEXT: u64 = 0xC0;

thread_local! {
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

/// Whether work can be done: initialized, with a context on this thread, and unbroken.
pub(super) fn ready() -> Result<(), Code> {
    let device = device();
    if !device.is_initialized {
        return Err(code::NOT_INITIALIZED);
    }
    if CURRENT.get() != CONTEXT || device.contexts == 0 {
        complain("a call without a context on this thread");
        return Err(code::INVALID_CONTEXT);
    }
    if device.broken != code::SUCCESS {
        Err(device.broken)
    } else {
        Ok(())
    }
}

pub(super) fn answer(result: Result<(), Code>) -> Code {
    result.err().unwrap_or(code::SUCCESS)
}

/// Whether a stream is one of the default ones or was made.
pub(super) fn stream(handle: u64) -> Result<(), Code> {
    ready()?;
    if handle <= 2 || device().streams.contains_key(&handle) {
        return Ok(());
    }
    complain(format_args!("the stream {handle:#x} does not exist"));
    Err(code::INVALID_HANDLE)
}

#[unsafe(no_mangle)]
extern "C" fn cuInit(_flags: c_uint) -> Code {
    device().is_initialized = true;
    code::SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cuDriverGetVersion(version: *mut c_int) -> Code {
    put(version, 13000)
}

fn only_device(ordinal: c_int) -> Result<(), Code> {
    if !device().is_initialized {
        return Err(code::NOT_INITIALIZED);
    }
    if ordinal == 0 {
        Ok(())
    } else {
        Err(code::INVALID_DEVICE)
    }
}

fn for_device(ordinal: c_int, then: impl FnOnce() -> Code) -> Code {
    match only_device(ordinal) {
        Ok(()) => then(),
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGet(place: *mut c_int, ordinal: c_int) -> Code {
    for_device(ordinal, || put(place, 0))
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetCount(count: *mut c_int) -> Code {
    for_device(0, || put(count, 1))
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetName(name: *mut c_char, room: c_int, ordinal: c_int) -> Code {
    for_device(ordinal, || {
        put_text(name, room.max(0) as usize, &device().settings.name)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, ordinal: c_int) -> Code {
    for_device(ordinal, || {
        put(bytes, device().settings.memory_bytes as usize)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetUuid(uuid: *mut [u8; 16], ordinal: c_int) -> Code {
    for_device(ordinal, || put(uuid, *b"stand-in-gpu-one"))
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetUuid_v2(uuid: *mut [u8; 16], ordinal: c_int) -> Code {
    cuDeviceGetUuid(uuid, ordinal)
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceComputeCapability(
    major: *mut c_int,
    minor: *mut c_int,
    ordinal: c_int,
) -> Code {
    let capability = device().settings.capability;
    for_device(ordinal, || {
        put(major, capability.0 as c_int);
        put(minor, capability.1 as c_int)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_uint, ordinal: c_int) -> Code {
    let (capability, most_shared) = {
        let device = device();
        (
            device.settings.capability,
            device.settings.most_shared_bytes(),
        )
    };
    let found = match attribute {
        1..=3 => 1024,           // threads per block, its x and y
        4 => 64,                 // its z
        5 => c_int::MAX,         // blocks in x
        6 | 7 => 65535,          // in y and z
        8 => 48 << 10,           // shared memory per block
        9 => 64 << 10,           // constant memory
        10 => 32,                // threads per warp
        11 => c_int::MAX,        // pitch
        12 | 82 => 65536,        // registers per block and multiprocessor
        13 => 1_000_000,         // clock in kHz
        16 => 16,                // multiprocessors
        19 | 31 | 41 | 115 => 1, // host memory, concurrent kernels, one address space, pools
        36 => 1_000_000,         // memory clock in kHz
        37 => 128,               // width of the memory's bus
        38 => 4 << 20,           // second-level cache
        39 => 1536,              // threads per multiprocessor
        40 => 1,                 // copy engines
        75 => capability.0 as c_int,
        76 => capability.1 as c_int,
        81 => most_shared as c_int + 1024, // shared memory per multiprocessor
        97 => most_shared as c_int,        // shared memory per block on request
        106 => 16,                         // blocks per multiprocessor
        111 => 1024,                       // reserved shared memory per block
        _ => 0,
    };
    for_device(ordinal, || put(value, found))
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxRetain(context: *mut u64, ordinal: c_int) -> Code {
    for_device(ordinal, || {
        device().contexts += 1;
        put(context, CONTEXT)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxRelease_v2(ordinal: c_int) -> Code {
    for_device(ordinal, || {
        let mut device = device();
        if device.contexts == 0 {
            return code::INVALID_CONTEXT;
        }
        device.contexts -= 1;
        code::SUCCESS
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxGetState(
    ordinal: c_int,
    flags: *mut c_uint,
    active: *mut c_int,
) -> Code {
    for_device(ordinal, || {
        put(flags, 0);
        put(active, c_int::from(device().contexts > 0))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxSetFlags_v2(ordinal: c_int, _flags: c_uint) -> Code {
    for_device(ordinal, || code::SUCCESS)
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSetCurrent(context: u64) -> Code {
    if context != 0 && context != CONTEXT {
        return code::INVALID_CONTEXT;
    }
    CURRENT.set(context);
    code::SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxGetCurrent(context: *mut u64) -> Code {
    put(context, CURRENT.get())
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxGetDevice(place: *mut c_int) -> Code {
    if CURRENT.get() == CONTEXT {
        put(place, 0)
    } else {
        code::INVALID_CONTEXT
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSetFlags(_flags: c_uint) -> Code {
    answer(ready())
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxGetLimit(value: *mut usize, _limit: c_uint) -> Code {
    put(value, 8 << 20)
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSetLimit(_limit: c_uint, _value: usize) -> Code {
    answer(ready())
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxGetStreamPriorityRange(least: *mut c_int, greatest: *mut c_int) -> Code {
    put(least, 0);
    put(greatest, -5)
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSynchronize() -> Code {
    answer(ready().map(|()| device().settle()))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamCreate(place: *mut u64, _flags: c_uint) -> Code {
    if let Err(code) = ready() {
        return code;
    }
    let mut device = device();
    let handle = device.new_handle();
    device.streams.insert(handle, ());
    put(place, handle)
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamCreateWithPriority(place: *mut u64, flags: c_uint, _priority: c_int) -> Code {
    cuStreamCreate(place, flags)
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamDestroy_v2(handle: u64) -> Code {
    match device().streams.remove(&handle) {
        Some(()) => code::SUCCESS,
        None => code::INVALID_HANDLE,
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamSynchronize(handle: u64) -> Code {
    answer(stream(handle).map(|()| device().settle()))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamQuery(handle: u64) -> Code {
    answer(stream(handle))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamGetCtx(handle: u64, context: *mut u64) -> Code {
    stream(handle).map_or_else(|code| code, |()| put(context, CONTEXT))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamIsCapturing(handle: u64, status: *mut c_uint) -> Code {
    stream(handle).map_or_else(|code| code, |()| put(status, 0))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamBeginCapture_v2(_stream: u64, _mode: c_uint) -> Code {
    complain("graphs cannot be captured");
    code::NOT_SUPPORTED
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamWaitEvent(handle: u64, event: u64, _flags: c_uint) -> Code {
    let known = device().events.contains_key(&event);
    answer(stream(handle).and(if known {
        Ok(())
    } else {
        Err(code::INVALID_HANDLE)
    }))
}

#[unsafe(no_mangle)]
extern "C" fn cuLaunchHostFunc(
    handle: u64,
    function: Option<extern "C" fn(*mut c_void)>,
    data: *mut c_void,
) -> Code {
    match (stream(handle), function) {
        (Err(code), _) => code,
        (_, None) => code::INVALID_VALUE,
        (_, Some(function)) => {
            function(data);
            code::SUCCESS
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuEventCreate(place: *mut u64, _flags: c_uint) -> Code {
    if let Err(code) = ready() {
        return code;
    }
    let mut device = device();
    let handle = device.new_handle();
    device.events.insert(handle, None);
    put(place, handle)
}

#[unsafe(no_mangle)]
extern "C" fn cuEventDestroy_v2(event: u64) -> Code {
    match device().events.remove(&event) {
        Some(_) => code::SUCCESS,
        None => code::INVALID_HANDLE,
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuEventRecord(event: u64, handle: u64) -> Code {
    if let Err(code) = stream(handle) {
        return code;
    }
    match device().events.get_mut(&event) {
        Some(when) => {
            *when = Some(Instant::now());
            code::SUCCESS
        }
        None => code::INVALID_HANDLE,
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuEventSynchronize(event: u64) -> Code {
    cuEventQuery(event)
}

#[unsafe(no_mangle)]
extern "C" fn cuEventQuery(event: u64) -> Code {
    let known = device().events.contains_key(&event);
    answer(ready().and(if known {
        Ok(())
    } else {
        Err(code::INVALID_HANDLE)
    }))
}

#[unsafe(no_mangle)]
extern "C" fn cuEventElapsedTime(milliseconds: *mut f32, start: u64, end: u64) -> Code {
    let device = device();
    match (device.events.get(&start), device.events.get(&end)) {
        (Some(Some(start)), Some(Some(end))) => put(
            milliseconds,
            end.saturating_duration_since(*start).as_secs_f32() * 1e3,
        ),
        _ => code::INVALID_HANDLE,
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuEventElapsedTime_v2(milliseconds: *mut f32, start: u64, end: u64) -> Code {
    cuEventElapsedTime(milliseconds, start, end)
}

#[unsafe(no_mangle)]
extern "C" fn cuProfilerStart() -> Code {
    code::SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cuProfilerStop() -> Code {
    code::SUCCESS
}
