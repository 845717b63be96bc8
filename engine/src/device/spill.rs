//! What this process holds of a card's own memory, and what of the RAM that a card can reach.
//!
//! Under Windows the system, not the driver, shares a card's memory out. A program that asks for more
//! than its budget gets RAM without being told, and becomes many times slower.

/// What this process holds, as Windows counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// What it may have of the cards' own memory at present.
    pub budget_bytes: u64,
    /// What it has of that.
    pub dedicated_bytes: u64,
    /// What it has of RAM in its place.
    pub shared_bytes: u64,
}

impl Held {
    /// What lies in RAM though it was meant for the card. Everything that uses a card has a little
    /// there: buffers that both sides read.
    pub fn spilled_bytes(&self) -> u64 {
        self.shared_bytes.saturating_sub(USUAL_SHARED)
    }
}

/// What a process shares with a card that it merely uses: a context's own buffers, with room.
const USUAL_SHARED: u64 = 256 << 20;

/// What this process holds of NVIDIA's cards together; none where the system does not tell, as anywhere
/// but under Windows, where nothing spills either.
#[cfg(not(windows))]
pub fn this_process() -> Option<Held> {
    None
}

/// What this process holds of NVIDIA's cards together; none where the system does not tell.
#[cfg(windows)]
pub fn this_process() -> Option<Held> {
    dxgi::this_process().ok()
}

#[cfg(windows)]
mod dxgi {
    use windows::Win32::Graphics::Dxgi::{
        CreateDXGIFactory1, DXGI_MEMORY_SEGMENT_GROUP, DXGI_MEMORY_SEGMENT_GROUP_LOCAL,
        DXGI_MEMORY_SEGMENT_GROUP_NON_LOCAL, DXGI_QUERY_VIDEO_MEMORY_INFO, IDXGIAdapter3,
        IDXGIFactory1,
    };
    use windows::core::{Interface, Result};

    use super::Held;

    const NVIDIA: u32 = 0x10de;

    pub(super) fn this_process() -> Result<Held> {
        let mut held = Held::default();
        // SAFETY: a factory is made and asked; COM objects are released when they are dropped.
        let factory: IDXGIFactory1 = unsafe { CreateDXGIFactory1() }?;
        for index in 0.. {
            // SAFETY: as above; the enumeration ends with an error.
            let Ok(adapter) = (unsafe { factory.EnumAdapters1(index) }) else {
                break;
            };
            // SAFETY: as above.
            let described = unsafe { adapter.GetDesc1() }?;
            if described.VendorId != NVIDIA {
                continue;
            }
            let adapter: IDXGIAdapter3 = adapter.cast()?;
            let dedicated = of_segment(&adapter, DXGI_MEMORY_SEGMENT_GROUP_LOCAL)?;
            let shared = of_segment(&adapter, DXGI_MEMORY_SEGMENT_GROUP_NON_LOCAL)?;
            held.budget_bytes += dedicated.Budget;
            held.dedicated_bytes += dedicated.CurrentUsage;
            held.shared_bytes += shared.CurrentUsage;
        }
        Ok(held)
    }

    fn of_segment(
        adapter: &IDXGIAdapter3,
        segment: DXGI_MEMORY_SEGMENT_GROUP,
    ) -> Result<DXGI_QUERY_VIDEO_MEMORY_INFO> {
        let mut info = DXGI_QUERY_VIDEO_MEMORY_INFO::default();
        // SAFETY: the first node is always there, and `info` outlives the call.
        unsafe { adapter.QueryVideoMemoryInfo(0, segment, &raw mut info) }?;
        Ok(info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_shared_memory_is_no_spill() {
        let held = |shared_bytes| Held {
            shared_bytes,
            ..Held::default()
        };
        assert_eq!(held(100 << 20).spilled_bytes(), 0);
        assert_eq!(held(1 << 30).spilled_bytes(), (1 << 30) - USUAL_SHARED);
    }
}
