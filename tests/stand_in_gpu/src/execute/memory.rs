//! The memory a warp sees. Global memory is the host's own, checked against the live allocations;
//! shared and local memory and parameters have windows of their own among generic addresses.

use crate::ptx::types::Space;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Where shared memory begins among generic addresses.
pub const SHARED_WINDOW: u64 = 0x7100_0000_0000_0000;
/// Where a thread's local memory begins among generic addresses.
pub const LOCAL_WINDOW: u64 = 0x7200_0000_0000_0000;
/// Where a kernel's parameters begin among generic addresses.
pub const PARAMETER_WINDOW: u64 = 0x7300_0000_0000_0000;
const WINDOW: u64 = 0x0100_0000_0000_0000;
/// The first address of shared memory: not zero, so that a forgotten address is found out.
pub const SHARED_START: u64 = 1024;
/// The first address of local memory.
pub const LOCAL_START: u64 = 64;

/// What an access does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Not inside anything that is allocated.
    OutOfBounds,
    /// Not a multiple of its own size.
    Misaligned,
    /// A write to what can only be read.
    ReadOnly,
    /// The kernel has asked to be ended.
    Trapped(&'static str),
}

/// An access that cannot be carried out, with the thread that has tried.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// The thread within its warp.
    pub lane: usize,
    /// The space as the instruction says it.
    pub space: Space,
    /// The address.
    pub address: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What is wrong.
    pub wrong: Wrong,
}

/// Memory in whole lines, so that everything in it is aligned.
#[repr(C, align(128))]
#[derive(Clone, Copy)]
pub struct Line([u8; 128]);

/// At least `bytes` of memory, filled with ones: what is read before it is written shows.
pub fn lines(bytes: usize) -> Vec<Line> {
    vec![Line([0xFF; 128]); bytes.div_ceil(128)]
}

/// What a warp can reach.
pub struct Memory<'l> {
    /// Live allocations: first address and the one behind the last, in order.
    pub allocations: &'l [(u64, u64)],
    /// The parameters of the launch.
    pub parameters: &'l [u8],
    /// The block's shared memory, which its warps see one after the other.
    pub shared: *mut u8,
    /// Its size.
    pub shared_bytes: u64,
    local: Vec<Line>,
    local_bytes: u64,
    /// For each instruction the allocation that it found last.
    found: Vec<(u64, u64)>,
}

impl<'l> Memory<'l> {
    /// The memory of a warp whose program has `sites` instructions.
    pub fn new(
        allocations: &'l [(u64, u64)],
        parameters: &'l [u8],
        shared: *mut u8,
        shared_bytes: u64,
        local_bytes: u64,
        sites: usize,
    ) -> Self {
        let local_bytes = local_bytes.next_multiple_of(16);
        Self {
            allocations,
            parameters,
            shared,
            shared_bytes,
            local: lines(local_bytes as usize * super::registers::LANES),
            local_bytes,
            found: vec![(1, 0); sites],
        }
    }

    /// Where the bytes of an access lie, if it is allowed.
    #[inline]
    pub fn resolve(
        &mut self,
        space: Space,
        lane: usize,
        address: u64,
        bytes: u64,
        site: usize,
    ) -> Result<*mut u8, Problem> {
        let problem = |wrong| {
            Err(Problem {
                lane,
                space,
                address,
                bytes,
                wrong,
            })
        };
        if address & (bytes - 1) != 0 {
            return problem(Wrong::Misaligned);
        }
        let inside = |offset: u64, size: u64| offset < size && size - offset >= bytes;
        let (space, address) = match (space, address & !(WINDOW - 1)) {
            (Space::Generic, SHARED_WINDOW) => (Space::Shared, address - SHARED_WINDOW),
            (Space::Generic, LOCAL_WINDOW) => (Space::Local, address - LOCAL_WINDOW),
            (Space::Generic, PARAMETER_WINDOW) => (Space::Parameter, address - PARAMETER_WINDOW),
            _ => (space, address),
        };
        match space {
            Space::Global | Space::Constant | Space::Generic => {
                let (first, end) = self.found[site];
                if first <= address && address < end && end - address >= bytes {
                    return Ok(std::ptr::with_exposed_provenance_mut(address as usize));
                }
                let at = self
                    .allocations
                    .partition_point(|&(first, _)| first <= address);
                match at.checked_sub(1).map(|at| self.allocations[at]) {
                    Some((first, end)) if address < end && end - address >= bytes => {
                        self.found[site] = (first, end);
                        Ok(std::ptr::with_exposed_provenance_mut(address as usize))
                    }
                    _ => problem(Wrong::OutOfBounds),
                }
            }
            Space::Shared => {
                let offset = address.wrapping_sub(SHARED_START);
                if !inside(offset, self.shared_bytes) {
                    return problem(Wrong::OutOfBounds);
                }
                // SAFETY: the offset is inside the block's shared memory.
                Ok(unsafe { self.shared.add(offset as usize) })
            }
            Space::Local => {
                let offset = address.wrapping_sub(LOCAL_START);
                if !inside(offset, self.local_bytes) {
                    return problem(Wrong::OutOfBounds);
                }
                let at = lane as u64 * self.local_bytes + offset;
                // SAFETY: each of the 32 threads has `local_bytes`, and the offset is inside them.
                Ok(unsafe { self.local.as_mut_ptr().cast::<u8>().add(at as usize) })
            }
            Space::Parameter => {
                if !inside(address, self.parameters.len() as u64) {
                    return problem(Wrong::OutOfBounds);
                }
                // Nothing writes through it: stores to parameters are refused before they come here.
                Ok(self.parameters[address as usize..].as_ptr().cast_mut())
            }
        }
    }
}

/// Reads `bytes` (1, 2, 4 or 8) as other threads may write them.
///
/// # Safety
/// The bytes exist, and the pointer is a multiple of their number.
#[inline]
pub unsafe fn read(pointer: *mut u8, bytes: usize) -> u64 {
    let relaxed = Ordering::Relaxed;
    // SAFETY: by the caller's promise.
    unsafe {
        match bytes {
            1 => u64::from(AtomicU8::from_ptr(pointer).load(relaxed)),
            2 => u64::from(AtomicU16::from_ptr(pointer.cast()).load(relaxed)),
            4 => u64::from(AtomicU32::from_ptr(pointer.cast()).load(relaxed)),
            _ => AtomicU64::from_ptr(pointer.cast()).load(relaxed),
        }
    }
}

/// Writes `bytes` (1, 2, 4 or 8) as other threads may read them.
///
/// # Safety
/// The bytes exist, and the pointer is a multiple of their number.
#[inline]
pub unsafe fn write(pointer: *mut u8, bytes: usize, value: u64) {
    let relaxed = Ordering::Relaxed;
    // SAFETY: by the caller's promise.
    unsafe {
        match bytes {
            1 => AtomicU8::from_ptr(pointer).store(value as u8, relaxed),
            2 => AtomicU16::from_ptr(pointer.cast()).store(value as u16, relaxed),
            4 => AtomicU32::from_ptr(pointer.cast()).store(value as u32, relaxed),
            _ => AtomicU64::from_ptr(pointer.cast()).store(value, relaxed),
        }
    }
}

/// Replaces a value by what `change` makes of it, at once; returns what was there.
///
/// # Safety
/// The bytes exist, and the pointer is a multiple of their number.
pub unsafe fn update(pointer: *mut u8, bytes: usize, change: impl Fn(u64) -> u64) -> u64 {
    let order = Ordering::SeqCst;
    macro_rules! exchange {
        ($kind:ty, $number:ty) => {{
            // SAFETY: by the caller's promise.
            let cell = unsafe { <$kind>::from_ptr(pointer.cast()) };
            let mut old = cell.load(order);
            loop {
                let new = change(u64::from(old)) as $number;
                match cell.compare_exchange_weak(old, new, order, order) {
                    Ok(_) => break u64::from(old),
                    Err(now) => old = now,
                }
            }
        }};
    }
    match bytes {
        2 => exchange!(AtomicU16, u16),
        4 => exchange!(AtomicU32, u32),
        _ => exchange!(AtomicU64, u64),
    }
}
