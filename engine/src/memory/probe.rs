//! The real memory of a run: an allocator that counts what passes through it.
//!
//! The program installs [`CountingAllocator`] around its allocator; the engine reads the counters
//! here. For tensors on the CPU they are exact to the byte, since every tensor is one allocation.
//! Not counted are file mappings, thread stacks and the allocator's own overhead.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering};

static CURRENT: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Bytes allocated now; 0 if no counting allocator is installed.
pub fn current_bytes() -> u64 {
    CURRENT.load(Ordering::Relaxed) as u64
}

/// Most bytes allocated at once since the last [`reset_peak`]; 0 if none were counted.
pub fn peak_bytes() -> u64 {
    PEAK.load(Ordering::Relaxed) as u64
}

/// Starts a new measurement: the peak becomes what is allocated now.
pub fn reset_peak() {
    PEAK.store(CURRENT.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// Passes everything on to `A` and counts it.
#[derive(Debug, Default)]
pub struct CountingAllocator<A>(pub A);

fn grow(bytes: usize) {
    let now = CURRENT
        .fetch_add(bytes, Ordering::Relaxed)
        .wrapping_add(bytes);
    // Most allocations are far below the peak: a load is cheaper than a contended maximum.
    if now > PEAK.load(Ordering::Relaxed) {
        PEAK.fetch_max(now, Ordering::Relaxed);
    }
}

fn shrink(bytes: usize) {
    CURRENT.fetch_sub(bytes, Ordering::Relaxed);
}

// SAFETY: every method hands its arguments to `A` unchanged and returns what `A` returns, so `A`'s
// guarantees are ours; the counting neither allocates nor panics.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `GlobalAlloc`'s contract, which is also `A`'s.
        let pointer = unsafe { self.0.alloc(layout) };
        if !pointer.is_null() {
            grow(layout.size());
        }
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let pointer = unsafe { self.0.alloc_zeroed(layout) };
        if !pointer.is_null() {
            grow(layout.size());
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `A` with this layout, since we return `A`'s pointers as are.
        unsafe { self.0.dealloc(pointer, layout) };
        shrink(layout.size());
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`.
        let moved = unsafe { self.0.realloc(pointer, layout, new_size) };
        if !moved.is_null() {
            if new_size >= layout.size() {
                grow(new_size - layout.size());
            } else {
                shrink(layout.size() - new_size);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::alloc::System;

    /// The counters are the process's, so all of this is one test.
    #[test]
    fn counts_what_is_allocated_grown_and_freed() {
        let allocator = CountingAllocator(System);
        let layout = Layout::array::<u8>(1000).unwrap();
        let start = current_bytes();
        // SAFETY: the layouts are not empty, and each pointer is passed back with its own layout.
        unsafe {
            let first = allocator.alloc(layout);
            let second = allocator.alloc_zeroed(layout);
            assert_eq!(current_bytes() - start, 2000);
            let first = allocator.realloc(first, layout, 5000);
            assert_eq!(current_bytes() - start, 6000);
            allocator.dealloc(second, layout);
            let first = allocator.realloc(first, Layout::array::<u8>(5000).unwrap(), 10);
            assert_eq!(current_bytes() - start, 10);
            allocator.dealloc(first, Layout::array::<u8>(10).unwrap());
        }
        assert_eq!(current_bytes(), start);
        assert_eq!(peak_bytes() - start, 6000);
        reset_peak();
        assert_eq!(peak_bytes(), start);
    }
}
