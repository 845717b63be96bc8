//! Allocations, copies, fills, and the memory pool. Copies outside an allocation are refused.

use super::context::{answer, ready, stream};
use super::{Code, code, complain, device, put};
use std::ffi::{c_int, c_uint, c_void};

/// The handle of the only pool.
const POOL: u64 = 0xB0;

fn allocate(place: *mut u64, bytes: usize, from_pool: bool) -> Code {
    if place.is_null() {
        return code::INVALID_VALUE;
    }
    let found = device().allocate(bytes as u64, from_pool);
    match found {
        Ok(address) => put(place, address),
        Err(code::INVALID_VALUE) => {
            complain("an allocation of no bytes");
            code::INVALID_VALUE
        }
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuMemAlloc_v2(place: *mut u64, bytes: usize) -> Code {
    ready().map_or_else(|code| code, |()| allocate(place, bytes, false))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemAllocManaged(place: *mut u64, bytes: usize, _flags: c_uint) -> Code {
    cuMemAlloc_v2(place, bytes)
}

#[unsafe(no_mangle)]
extern "C" fn cuMemAllocAsync(place: *mut u64, bytes: usize, handle: u64) -> Code {
    stream(handle).map_or_else(|code| code, |()| allocate(place, bytes, true))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemAllocFromPoolAsync(
    place: *mut u64,
    bytes: usize,
    pool: u64,
    handle: u64,
) -> Code {
    if pool != POOL {
        return code::INVALID_VALUE;
    }
    cuMemAllocAsync(place, bytes, handle)
}

fn free(address: u64) -> Code {
    let result = device().free(address);
    if result.is_err() {
        complain(format_args!(
            "{address:#x} is freed and is no live allocation"
        ));
    }
    answer(result)
}

#[unsafe(no_mangle)]
extern "C" fn cuMemFree_v2(address: u64) -> Code {
    ready().map_or_else(|code| code, |()| free(address))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemFreeAsync(address: u64, handle: u64) -> Code {
    stream(handle).map_or_else(|code| code, |()| free(address))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> Code {
    if let Err(code) = ready() {
        return code;
    }
    let (free_bytes, total_bytes) = device().memory();
    put(free, free_bytes as usize);
    put(total, total_bytes as usize)
}

/// Whether both ends of a copy that are on the card lie in an allocation.
fn checked(on_card: &[u64], bytes: usize) -> Result<(), Code> {
    let device = device();
    for &address in on_card {
        if !device.holds(address, bytes as u64) {
            complain(format_args!(
                "{bytes} bytes at {address:#x} are not inside an allocation (around it: {:?})",
                device.around(address)
            ));
            return Err(code::INVALID_VALUE);
        }
    }
    Ok(())
}

fn copy(to: u64, from: u64, bytes: usize, on_card: &[u64]) -> Code {
    if bytes == 0 {
        return code::SUCCESS;
    }
    if to == 0 || from == 0 {
        return code::INVALID_VALUE;
    }
    if let Err(code) = checked(on_card, bytes) {
        return code;
    }
    let from: *const u8 = std::ptr::with_exposed_provenance(from as usize);
    let to: *mut u8 = std::ptr::with_exposed_provenance_mut(to as usize);
    // SAFETY: ends on the card were just found inside allocations; for the others the caller of the
    // C function promises it.
    unsafe { std::ptr::copy(from, to, bytes) };
    code::SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, bytes: usize) -> Code {
    let from = from.expose_provenance() as u64;
    ready().map_or_else(|code| code, |()| copy(to, from, bytes, &[to]))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyHtoDAsync_v2(
    to: u64,
    from: *const c_void,
    bytes: usize,
    handle: u64,
) -> Code {
    stream(handle).map_or_else(|code| code, |()| cuMemcpyHtoD_v2(to, from, bytes))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, bytes: usize) -> Code {
    let to = to.expose_provenance() as u64;
    ready().map_or_else(|code| code, |()| copy(to, from, bytes, &[from]))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, handle: u64) -> Code {
    stream(handle).map_or_else(|code| code, |()| cuMemcpyDtoH_v2(to, from, bytes))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyDtoD_v2(to: u64, from: u64, bytes: usize) -> Code {
    ready().map_or_else(|code| code, |()| copy(to, from, bytes, &[to, from]))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, handle: u64) -> Code {
    stream(handle).map_or_else(|code| code, |()| cuMemcpyDtoD_v2(to, from, bytes))
}

fn fill<T: Copy>(address: u64, value: T, count: usize) -> Code {
    if count == 0 {
        return code::SUCCESS;
    }
    if !address.is_multiple_of(align_of::<T>() as u64) {
        return code::INVALID_VALUE;
    }
    if let Err(code) = ready().and_then(|()| checked(&[address], count * size_of::<T>())) {
        return code;
    }
    let first: *mut T = std::ptr::with_exposed_provenance_mut(address as usize);
    // SAFETY: the bytes lie in an allocation, and the address is aligned.
    unsafe { std::slice::from_raw_parts_mut(first.cast::<std::mem::MaybeUninit<T>>(), count) }
        .fill(std::mem::MaybeUninit::new(value));
    code::SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD8_v2(address: u64, value: u8, count: usize) -> Code {
    fill(address, value, count)
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD8Async(address: u64, value: u8, count: usize, handle: u64) -> Code {
    stream(handle).map_or_else(|code| code, |()| fill(address, value, count))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD16_v2(address: u64, value: u16, count: usize) -> Code {
    fill(address, value, count)
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD16Async(address: u64, value: u16, count: usize, handle: u64) -> Code {
    stream(handle).map_or_else(|code| code, |()| fill(address, value, count))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD32_v2(address: u64, value: u32, count: usize) -> Code {
    fill(address, value, count)
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD32Async(address: u64, value: u32, count: usize, handle: u64) -> Code {
    stream(handle).map_or_else(|code| code, |()| fill(address, value, count))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemHostAlloc(place: *mut *mut c_void, bytes: usize, _flags: c_uint) -> Code {
    if let Err(code) = ready() {
        return code;
    }
    // Sixteen bytes more, in front, hold the size.
    let Ok(layout) = std::alloc::Layout::from_size_align(bytes.saturating_add(64), 64) else {
        return code::OUT_OF_MEMORY;
    };
    // SAFETY: the layout is not empty.
    let pointer = unsafe { std::alloc::alloc(layout) };
    if pointer.is_null() {
        return code::OUT_OF_MEMORY;
    }
    // SAFETY: the 64 bytes in front belong to the allocation and are aligned.
    let given = unsafe {
        pointer.cast::<usize>().write(bytes);
        pointer.add(64)
    };
    put(place, given.cast())
}

#[unsafe(no_mangle)]
extern "C" fn cuMemFreeHost(given: *mut c_void) -> Code {
    if given.is_null() {
        return code::INVALID_VALUE;
    }
    // SAFETY: the caller promises that it comes from `cuMemHostAlloc`, which put the size in front.
    unsafe {
        let pointer = given.cast::<u8>().sub(64);
        let bytes = pointer.cast::<usize>().read();
        std::alloc::dealloc(
            pointer,
            std::alloc::Layout::from_size_align_unchecked(bytes + 64, 64),
        );
    }
    code::SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetDefaultMemPool(pool: *mut u64, ordinal: c_int) -> Code {
    if ordinal == 0 {
        put(pool, POOL)
    } else {
        code::INVALID_DEVICE
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetMemPool(pool: *mut u64, ordinal: c_int) -> Code {
    cuDeviceGetDefaultMemPool(pool, ordinal)
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceSetMemPool(_ordinal: c_int, pool: u64) -> Code {
    if pool == POOL {
        code::SUCCESS
    } else {
        code::INVALID_VALUE
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuMemPoolGetAttribute(pool: u64, attribute: c_uint, value: *mut c_void) -> Code {
    if pool != POOL {
        return code::INVALID_VALUE;
    }
    let state = device().pool;
    match attribute {
        1..=3 => put(value.cast::<c_int>(), 1),
        4 => put(value.cast(), state.threshold),
        5 => put(value.cast(), state.reserved),
        6 => put(value.cast(), state.most_reserved),
        7 => put(value.cast(), state.used),
        8 => put(value.cast(), state.most_used),
        _ => code::INVALID_VALUE,
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuMemPoolSetAttribute(pool: u64, attribute: c_uint, value: *mut c_void) -> Code {
    if pool != POOL || value.is_null() {
        return code::INVALID_VALUE;
    }
    if (1..=3).contains(&attribute) {
        return code::SUCCESS;
    }
    // SAFETY: for these attributes the caller promises a 64-bit number.
    let value = unsafe { value.cast::<u64>().read_unaligned() };
    let pool = &mut device().pool;
    match attribute {
        4 => pool.threshold = value,
        // The high marks can only be reset, to what is there now.
        6 if value == 0 => pool.most_reserved = pool.reserved,
        8 if value == 0 => pool.most_used = pool.used,
        _ => return code::INVALID_VALUE,
    }
    code::SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cuMemPoolTrimTo(pool: u64, keep: usize) -> Code {
    if pool != POOL {
        return code::INVALID_VALUE;
    }
    device().trim(keep as u64);
    code::SUCCESS
}
