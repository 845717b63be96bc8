//! A kernel that is ready to run: its steps, the registers and the memory it needs.

use crate::execute::memory::Problem;
use crate::execute::registers::{Registers, Slot};
use crate::execute::warp::Warp;
use crate::ptx::types::Width;

/// Computes in registers, for the threads of a mask.
pub type PureAction = Box<dyn Fn(&mut Registers, u32) + Send + Sync>;
/// Computes with memory as well; the last argument is the step's own number.
pub type MemoryAction =
    Box<dyn for<'l> Fn(&mut Warp<'l>, u32, usize) -> Result<(), Problem> + Send + Sync>;

/// Which threads a collective instruction waits for.
pub enum Members {
    /// The same for every thread.
    All(u32),
    /// As the register says.
    Each(Slot),
}

/// What a barrier does with a predicate of each thread.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Reduction {
    Count,
    All,
    Any,
}

/// A barrier of the block.
pub struct BarrierStep {
    /// Which of the sixteen.
    pub number: Slot,
    /// How many threads it waits for; all without it.
    pub threads: Option<Slot>,
    /// Result and predicate of a barrier that reduces.
    pub reduction: Option<(Reduction, Slot, Slot)>,
}

/// What a step does.
pub enum Action {
    /// Computes in registers.
    Pure(PureAction),
    /// Computes with memory.
    Memory(MemoryAction),
    /// Goes on elsewhere.
    Jump(u32),
    /// Goes on at one of several places.
    JumpByIndex {
        /// Which of them.
        index: Slot,
        /// The places.
        targets: Vec<u32>,
    },
    /// Goes on in a function and remembers in `back` where it came from.
    Call {
        /// Where the function begins.
        entry: u32,
        /// Where it finds the way back.
        back: Slot,
    },
    /// Goes back to where a function was called.
    Return(Slot),
    /// Ends the thread.
    Exit,
    /// Waits for other threads of the warp and does something together.
    Collective {
        /// Which threads.
        members: Members,
        /// What they do.
        carry_out: MemoryAction,
    },
    /// Waits for other threads of the block.
    Barrier(BarrierStep),
    /// Ends the launch.
    Trap(&'static str),
}

/// An instruction, ready to run.
pub struct Step {
    /// The predicate it hangs on.
    pub guard: Slot,
    /// What it does.
    pub action: Action,
    /// How it is written, for messages.
    pub opcode: String,
    /// Where it stands in the module.
    pub line: u32,
}

/// A special register that is known when a block starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Special {
    Thread(usize),
    Threads(usize),
    Block(usize),
    Blocks(usize),
    Lane,
    Warp,
    Warps,
    Processor,
    Zero,
    Equal,
    Below,
    UpTo,
    Above,
    From,
    DynamicShared,
    AllShared,
}

/// A kernel that is ready to run.
pub struct Program {
    /// Its name.
    pub name: String,
    /// Functions and kernel one after the other.
    pub steps: Vec<Step>,
    /// Where the kernel begins.
    pub entry: u32,
    /// Rows of registers.
    pub rows: u32,
    /// Predicates.
    pub predicates: u32,
    /// Registers that hold constants.
    pub constants: Vec<(Slot, Width, u64)>,
    /// Registers that say where a thread is.
    pub specials: Vec<(Special, Slot)>,
    /// Bytes of shared memory without the dynamic part.
    pub static_shared: u64,
    /// Bytes of local memory of each thread.
    pub local_bytes: u64,
}
