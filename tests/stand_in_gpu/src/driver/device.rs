//! The card: what is allocated on it, its memory pool, whether it still works. Allocations are the
//! host's memory; a new one is full of ones, so that what is read before it is written is NaN.

use super::settings::Settings;
use super::{Code, code};
use std::alloc::Layout;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

/// Every allocation begins and is counted in multiples of this.
const GRAIN: u64 = 512;
/// The pool takes memory from the card in pieces of this size.
const POOL_PIECE: u64 = 32 << 20;

struct Allocation {
    bytes: u64,
    counted: u64,
    layout: Layout,
    from_pool: bool,
}

/// The memory pool, counted as the driver counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// What is allocated.
    pub used: u64,
    /// The most that was allocated since it was reset.
    pub most_used: u64,
    /// What the pool holds of the card's memory.
    pub reserved: u64,
    /// The most of it since it was reset.
    pub most_reserved: u64,
    /// How much of it stays when nothing uses it.
    pub threshold: u64,
}

/// A loaded module and where its variables lie.
pub struct Loaded {
    /// What it says.
    pub module: crate::ptx::types::Module,
    /// Where its variables are.
    pub addresses: HashMap<String, u64>,
    /// Sizes of its variables.
    pub sizes: HashMap<String, u64>,
}

/// A kernel of a loaded module.
pub struct Kernel {
    /// Its module.
    pub loaded: Arc<Loaded>,
    /// The module's handle.
    pub module: u64,
    /// Its name.
    pub name: String,
    /// The program, once it is first needed.
    pub program: std::sync::OnceLock<Result<crate::compile::program::Program, String>>,
    /// How much dynamic shared memory it may be launched with.
    pub most_dynamic_shared: std::sync::atomic::AtomicU32,
}

/// The card.
pub struct Device {
    /// What it pretends to be.
    pub settings: Settings,
    /// Whether `cuInit` was called.
    pub is_initialized: bool,
    /// How often the primary context is held.
    pub contexts: u32,
    /// The code every call returns once a kernel has done what breaks a context.
    pub broken: Code,
    /// Its pool.
    pub pool: Pool,
    /// Streams that were made.
    pub streams: HashMap<u64, ()>,
    /// Events, and when they were last recorded.
    pub events: HashMap<u64, Option<Instant>>,
    /// Loaded modules.
    pub modules: HashMap<u64, Arc<Loaded>>,
    /// Kernels that were asked for.
    pub kernels: HashMap<u64, Arc<Kernel>>,
    allocations: BTreeMap<u64, Allocation>,
    /// How often memory was taken.
    allocated: u64,
    apart_bytes: u64,
    snapshot: Option<Arc<Vec<(u64, u64)>>>,
    last_handle: u64,
}

impl Device {
    /// A card with nothing on it.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            is_initialized: false,
            contexts: 0,
            broken: code::SUCCESS,
            pool: Pool::default(),
            streams: HashMap::new(),
            events: HashMap::new(),
            modules: HashMap::new(),
            kernels: HashMap::new(),
            allocations: BTreeMap::new(),
            allocated: 0,
            apart_bytes: 0,
            snapshot: None,
            last_handle: 0x1000,
        }
    }

    /// A handle that was never given before.
    pub fn new_handle(&mut self) -> u64 {
        self.last_handle += 16;
        self.last_handle
    }

    /// What contexts and other programs take.
    fn context_bytes(&self) -> u64 {
        let others = { self.settings.others_later }
            .filter(|(after, _)| self.allocated >= *after)
            .map_or(0, |(_, bytes)| bytes);
        let own = match self.contexts {
            0 => 0,
            _ => self.settings.context_bytes,
        };
        own + others
    }

    /// Free and total bytes.
    pub fn memory(&self) -> (u64, u64) {
        let held = self.pool.reserved + self.apart_bytes + self.context_bytes();
        (
            self.settings.memory_bytes.saturating_sub(held),
            self.settings.memory_bytes,
        )
    }

    /// Takes memory, from the pool or apart from it.
    pub fn allocate(&mut self, bytes: u64, from_pool: bool) -> Result<u64, Code> {
        if bytes == 0 {
            return Err(code::INVALID_VALUE);
        }
        self.allocated += 1;
        let counted = bytes
            .checked_next_multiple_of(GRAIN)
            .ok_or(code::OUT_OF_MEMORY)?;
        let others = self.apart_bytes + self.context_bytes();
        let room = self.settings.memory_bytes.saturating_sub(others);
        // Memory the pool holds without need is given back before anything else fails.
        let wanted = self
            .pool
            .used
            .checked_add(counted)
            .ok_or(code::OUT_OF_MEMORY)?;
        if wanted > room {
            return Err(code::OUT_OF_MEMORY);
        }
        // A gap behind each, so that what goes beyond one does not end in the next.
        let layout = Layout::from_size_align((counted + GRAIN) as usize, GRAIN as usize)
            .map_err(|_| code::OUT_OF_MEMORY)?;
        // SAFETY: the layout is not empty.
        let pointer = unsafe { std::alloc::alloc(layout) };
        if pointer.is_null() {
            return Err(code::OUT_OF_MEMORY);
        }
        // SAFETY: that many bytes were just allocated.
        unsafe { pointer.write_bytes(0xFF, counted as usize) };
        let address = pointer.expose_provenance() as u64;
        if from_pool {
            let pool = &mut self.pool;
            pool.used = wanted;
            pool.most_used = pool.most_used.max(pool.used);
            if pool.used > pool.reserved {
                pool.reserved = pool.used.next_multiple_of(POOL_PIECE).min(room);
            }
            pool.most_reserved = pool.most_reserved.max(pool.reserved);
        } else {
            self.apart_bytes += counted;
            let room = self
                .settings
                .memory_bytes
                .saturating_sub(self.apart_bytes + self.context_bytes());
            self.pool.reserved = self.pool.reserved.min(room);
        }
        self.allocations.insert(
            address,
            Allocation {
                bytes,
                counted,
                layout,
                from_pool,
            },
        );
        self.snapshot = None;
        Ok(address)
    }

    /// Gives memory back.
    pub fn free(&mut self, address: u64) -> Result<(), Code> {
        if address == 0 {
            return Ok(());
        }
        let allocation = self
            .allocations
            .remove(&address)
            .ok_or(code::INVALID_VALUE)?;
        if allocation.from_pool {
            self.pool.used -= allocation.counted;
        } else {
            self.apart_bytes -= allocation.counted;
        }
        self.snapshot = None;
        let pointer = std::ptr::with_exposed_provenance_mut(address as usize);
        // SAFETY: it was allocated with this layout and is in the list no more.
        unsafe { std::alloc::dealloc(pointer, allocation.layout) };
        Ok(())
    }

    /// What a synchronization does to the pool: what it holds beyond its threshold goes back.
    pub fn settle(&mut self) {
        let needed = self
            .pool
            .used
            .next_multiple_of(POOL_PIECE)
            .min(self.pool.reserved);
        self.pool.reserved = needed.max(self.pool.reserved.min(self.pool.threshold));
    }

    /// Gives back what the pool holds beyond `keep`.
    pub fn trim(&mut self, keep: u64) {
        let needed = self
            .pool
            .used
            .next_multiple_of(POOL_PIECE)
            .min(self.pool.reserved);
        self.pool.reserved = needed.max(self.pool.reserved.min(keep));
    }

    /// Live allocations in order: first address and the one behind the last.
    pub fn live(&mut self) -> Arc<Vec<(u64, u64)>> {
        let allocations = &self.allocations;
        let snapshot = self.snapshot.get_or_insert_with(|| {
            Arc::new(
                allocations
                    .iter()
                    .map(|(&at, one)| (at, at + one.bytes))
                    .collect(),
            )
        });
        Arc::clone(snapshot)
    }

    /// Whether these bytes lie in one allocation.
    pub fn holds(&self, address: u64, bytes: u64) -> bool {
        bytes == 0
            || self
                .allocations
                .range(..=address)
                .next_back()
                .is_some_and(|(&first, one)| {
                    address - first < one.bytes && one.bytes - (address - first) >= bytes
                })
    }

    /// Start and size of the allocation an address lies in.
    pub fn around(&self, address: u64) -> Option<(u64, u64)> {
        let (&first, one) = self.allocations.range(..=address).next_back()?;
        (address - first < one.bytes).then_some((first, one.bytes))
    }
}
