//! Where a run's memory is counted: in RAM by the allocator, on a card by the pool that every tensor
//! there comes from.

use candle_core::Device;

use super::probe;
use crate::Result;

/// Counts the bytes that tensors take on a device.
#[derive(Clone, Debug)]
pub enum Meter {
    /// The allocator of this process.
    Ram,
    /// The pool of a card.
    #[cfg(feature = "cuda")]
    Card(crate::ops::cuda::pool::Pool),
}

impl Meter {
    /// Of what lies on this device.
    ///
    /// # Errors
    /// When the driver tells nothing of its pool.
    pub fn of(device: &Device) -> Result<Self> {
        match device {
            #[cfg(feature = "cuda")]
            Device::Cuda(card) => Ok(Self::Card(crate::ops::cuda::pool::Pool::of(card)?)),
            _ => Ok(Self::Ram),
        }
    }

    /// Bytes in use now; 0 where they are not counted.
    pub fn current_bytes(&self) -> u64 {
        match self {
            Self::Ram => probe::current_bytes(),
            #[cfg(feature = "cuda")]
            Self::Card(pool) => pool.used_bytes(),
        }
    }

    /// Most bytes in use at once since the last [`Self::reset_peak`].
    pub fn peak_bytes(&self) -> u64 {
        match self {
            Self::Ram => probe::peak_bytes(),
            #[cfg(feature = "cuda")]
            Self::Card(pool) => pool.highest_used_bytes(),
        }
    }

    /// Starts a new measurement: the peak becomes what is in use now.
    pub fn reset_peak(&self) {
        match self {
            Self::Ram => probe::reset_peak(),
            #[cfg(feature = "cuda")]
            Self::Card(pool) => pool.reset_highest(),
        }
    }

    /// Most bytes that a card's pool took of the card since the last [`Self::reset_peak`].
    pub fn reserved_peak_bytes(&self) -> Option<u64> {
        match self {
            Self::Ram => None,
            #[cfg(feature = "cuda")]
            Self::Card(pool) => Some(pool.highest_reserved_bytes()),
        }
    }

    /// Gives back to the card what no tensor holds.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn trim(&self) -> Result<()> {
        match self {
            Self::Ram => Ok(()),
            #[cfg(feature = "cuda")]
            Self::Card(pool) => Ok(pool.trim()?),
        }
    }
}
