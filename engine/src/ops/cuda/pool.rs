//! The driver's memory pool, which every tensor on a card comes from: what is in use, the most there
//! was, and what is kept back from other programs for the next tensor.

use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::{result, sys};
use candle_core::{Error, Result};

use sys::CUmemPool_attribute as Attribute;

/// The default pool of a card.
#[derive(Clone)]
pub struct Pool {
    device: CudaDevice,
    pool: sys::CUmemoryPool,
}

// SAFETY: the pool is the device's own and lives as long as the process; the driver's calls on it may
// come from any thread.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool of {:?}", self.device)
    }
}

impl Pool {
    /// The pool that a card's tensors come from.
    ///
    /// # Errors
    /// When the driver has none.
    pub fn of(device: &CudaDevice) -> Result<Self> {
        let stream = device.cuda_stream();
        let ordinal = i32::try_from(stream.context().ordinal()).map_err(Error::wrap)?;
        let card = result::device::get(ordinal).map_err(Error::wrap)?;
        // SAFETY: `card` is a device that the driver has just named.
        let pool = unsafe { result::device::get_default_mem_pool(card) }.map_err(Error::wrap)?;
        Ok(Self {
            device: device.clone(),
            pool,
        })
    }

    /// Keeps what tensors give back for the tensors after them, instead of returning it to the driver at
    /// every synchronization.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn keep_what_is_given_back(&self) -> Result<()> {
        self.set(Attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, u64::MAX)
    }

    /// Bytes of the tensors there are.
    pub fn used_bytes(&self) -> u64 {
        self.get(Attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)
    }

    /// Most bytes of tensors at once.
    pub fn highest_used_bytes(&self) -> u64 {
        self.get(Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)
    }

    /// Bytes that the pool has of the card now.
    pub fn reserved_bytes(&self) -> u64 {
        self.get(Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)
    }

    /// Most bytes that the pool took of the card.
    pub fn highest_reserved_bytes(&self) -> u64 {
        self.get(Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH)
    }

    /// From here on the highest is counted anew.
    pub fn reset_highest(&self) {
        self.settle();
        // What cannot be reset stays as it was, and is then told as too much rather than too little.
        let _ = self.set(Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH, 0);
        let _ = self.set(Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH, 0);
    }

    /// Gives everything that no tensor holds back to the driver.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn trim(&self) -> Result<()> {
        self.settle();
        // SAFETY: the pool lives as long as the process.
        unsafe { sys::cuMemPoolTrimTo(self.pool, 0) }
            .result()
            .map_err(Error::wrap)
    }

    /// Waits until everything that was started is done, and with it everything given back.
    fn settle(&self) {
        // A failure here is one of an earlier kernel, which its own reader is told.
        let _ = self.device.cuda_stream().synchronize();
    }

    fn get(&self, attribute: Attribute) -> u64 {
        self.settle();
        let mut value = 0u64;
        // SAFETY: these attributes are 64-bit numbers.
        let answer = unsafe {
            sys::cuMemPoolGetAttribute(self.pool, attribute, std::ptr::from_mut(&mut value).cast())
        };
        match answer.result() {
            Ok(()) => value,
            Err(_) => 0,
        }
    }

    fn set(&self, attribute: Attribute, value: u64) -> Result<()> {
        let mut value = value;
        // SAFETY: as above.
        unsafe {
            sys::cuMemPoolSetAttribute(self.pool, attribute, std::ptr::from_mut(&mut value).cast())
        }
        .result()
        .map_err(Error::wrap)
    }
}
