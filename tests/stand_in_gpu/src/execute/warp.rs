//! A warp: 32 threads that carry out an instruction together as long as they stand at the same
//! place. Of several places the first in the program comes first, so that threads that have parted meet
//! again behind the branch.

use super::memory::{LOCAL_START, Memory, Problem, Wrong};
use super::registers::{LANES, Lane, Registers, Slot, lanes};
use crate::compile::program::{Action, Members, Program};
use crate::ptx::types::Space;

/// A copy to shared memory that is under way.
#[derive(Clone, Copy)]
pub struct Pending {
    /// The thread that has asked for it.
    pub lane: usize,
    /// The thread's group of copies.
    pub group: u32,
    /// From where.
    pub from: *const u8,
    /// To where.
    pub to: *mut u8,
    /// How many bytes are copied.
    pub bytes: usize,
    /// How many zeros follow.
    pub zeros: usize,
}

/// How many jumps back a group makes while others wait before it is their turn.
const PATIENCE: u32 = 100_000;

/// A warp and where its threads stand.
pub struct Warp<'l> {
    /// Its registers.
    pub registers: Registers,
    /// What it can reach.
    pub memory: Memory<'l>,
    /// Copies to shared memory under way.
    pub pending: Vec<Pending>,
    /// The group of copies that each thread fills.
    pub copy_group: [u32; LANES],
    /// Where each thread stands.
    pub places: [u32; LANES],
    /// Threads that have not ended.
    pub live: u32,
    /// Threads that wait at a barrier of the block.
    pub at_barrier: u32,
    /// Threads that wait for others of their warp.
    waiting: u32,
    /// The group that ran last, when it has had its share.
    tired: u32,
}

impl<'l> Warp<'l> {
    /// A warp that has not started.
    pub fn new(registers: Registers, memory: Memory<'l>) -> Self {
        Self {
            registers,
            memory,
            pending: Vec::new(),
            copy_group: [0; LANES],
            places: [0; LANES],
            live: 0,
            at_barrier: 0,
            waiting: 0,
            tired: 0,
        }
    }

    /// Puts the threads of `mask` at the beginning.
    pub fn start(&mut self, mask: u32, entry: u32) {
        self.places = [entry; LANES];
        self.live = mask;
        self.at_barrier = 0;
        self.waiting = 0;
        self.tired = 0;
        self.pending.clear();
        self.copy_group = [0; LANES];
    }

    /// Whether threads wait for others of their warp that never come.
    pub fn waits_for_itself(&self) -> bool {
        self.waiting != 0
    }

    fn place(&mut self, mask: u32, at: u32) {
        for lane in lanes(mask) {
            self.places[lane] = at;
        }
    }

    fn standing_at(&self, among: u32, at: u32) -> u32 {
        lanes(among)
            .filter(|&lane| self.places[lane] == at)
            .fold(0, |mask, lane| mask | 1 << lane)
    }

    /// Runs until every thread has ended or waits. An error names the instruction.
    pub fn run(&mut self, program: &Program) -> Result<(), (u32, Problem)> {
        loop {
            let ready = self.live & !self.at_barrier & !self.waiting;
            if ready == 0 {
                return Ok(());
            }
            let preferred = if ready & !self.tired == 0 {
                ready
            } else {
                ready & !self.tired
            };
            self.tired = 0;
            let first = lanes(preferred)
                .map(|lane| self.places[lane])
                .min()
                .unwrap_or(0);
            let group = self.standing_at(ready, first);
            let limit = lanes(ready & !group)
                .map(|lane| self.places[lane])
                .filter(|&place| place > first)
                .min()
                .unwrap_or(u32::MAX);
            self.run_group(program, group, first, limit, ready != group)?;
        }
    }

    /// Runs the threads of `mask` together from `at` on until they part, wait, end, or come to
    /// `limit`, where others are.
    fn run_group(
        &mut self,
        program: &Program,
        mut mask: u32,
        mut at: u32,
        limit: u32,
        others_wait: bool,
    ) -> Result<(), (u32, Problem)> {
        let mut jumps = 0;
        loop {
            let step = &program.steps[at as usize];
            let active = mask & self.registers.predicate(step.guard);
            match &step.action {
                Action::Pure(carry_out) => {
                    if active != 0 {
                        carry_out(&mut self.registers, active);
                    }
                    at += 1;
                }
                Action::Memory(carry_out) => {
                    if active != 0 {
                        carry_out(self, active, at as usize).map_err(|problem| (at, problem))?;
                    }
                    at += 1;
                }
                Action::Jump(target) => {
                    if active == mask {
                        if *target <= at && others_wait {
                            jumps += 1;
                            if jumps == PATIENCE {
                                self.tired = mask;
                                self.place(mask, *target);
                                return Ok(());
                            }
                        }
                        at = *target;
                    } else if active == 0 {
                        at += 1;
                    } else {
                        self.place(active, *target);
                        self.place(mask & !active, at + 1);
                        return Ok(());
                    }
                }
                Action::JumpByIndex { index, targets } => {
                    let index = u32::load(&self.registers, *index);
                    self.place(mask & !active, at + 1);
                    for lane in lanes(active) {
                        self.places[lane] =
                            *targets.get(index[lane] as usize).ok_or_else(|| {
                                (at, Self::trapped(lane, "an index outside its branch table"))
                            })?;
                    }
                    return Ok(());
                }
                Action::Call { entry, back } => {
                    u32::store(&mut self.registers, *back, active, &[at + 1; LANES]);
                    self.place(mask & !active, at + 1);
                    self.place(active, *entry);
                    return Ok(());
                }
                Action::Return(back) => {
                    let back = u32::load(&self.registers, *back);
                    self.place(mask & !active, at + 1);
                    for lane in lanes(active) {
                        self.places[lane] = back[lane];
                    }
                    return Ok(());
                }
                Action::Exit => {
                    self.live &= !active;
                    mask &= !active;
                    at += 1;
                    if mask == 0 {
                        return Ok(());
                    }
                }
                Action::Collective { members, carry_out } => {
                    if let &Members::All(members) = members
                        && members & self.live & !active == 0
                        && active == mask
                    {
                        carry_out(self, active, at as usize).map_err(|problem| (at, problem))?;
                        at += 1;
                    } else {
                        self.place(mask & !active, at + 1);
                        self.place(active, at);
                        self.waiting |= active;
                        return self.meet(members, carry_out, at);
                    }
                }
                Action::Barrier(_) => {
                    self.place(active, at);
                    self.at_barrier |= active;
                    mask &= !active;
                    at += 1;
                    if mask == 0 {
                        return Ok(());
                    }
                }
                Action::Trap(why) => {
                    if active != 0 {
                        let lane = active.trailing_zeros() as usize;
                        return Err((at, Self::trapped(lane, why)));
                    }
                    at += 1;
                }
            }
            if at >= limit {
                self.place(mask, at);
                return Ok(());
            }
        }
    }

    fn trapped(lane: usize, why: &'static str) -> Problem {
        Problem {
            lane,
            space: Space::Generic,
            address: 0,
            bytes: 0,
            wrong: Wrong::Trapped(why),
        }
    }

    /// Carries out a collective instruction for the groups of threads that are complete.
    fn meet(
        &mut self,
        members: &Members,
        carry_out: &crate::compile::program::MemoryAction,
        at: u32,
    ) -> Result<(), (u32, Problem)> {
        let members = match *members {
            Members::All(members) => [members; LANES],
            Members::Each(slot) => u32::load(&self.registers, slot),
        };
        let mut here = self.standing_at(self.waiting, at);
        while here != 0 {
            let wanted = members[here.trailing_zeros() as usize];
            let alike = lanes(here)
                .filter(|&lane| members[lane] == wanted)
                .fold(0, |mask, lane| mask | 1 << lane);
            here &= !alike;
            if wanted & self.live & !alike == 0 {
                carry_out(self, alike, at as usize).map_err(|problem| (at, problem))?;
                self.waiting &= !alike;
                self.place(alike, at + 1);
            }
        }
        Ok(())
    }

    /// Waits of others for threads that have ended in the meantime are over.
    pub fn recheck(&mut self, program: &Program) -> Result<(), (u32, Problem)> {
        let mut seen = 0;
        for lane in lanes(self.waiting) {
            if seen & (1 << lane) == 0 && self.waiting & (1 << lane) != 0 {
                let at = self.places[lane];
                seen |= self.standing_at(self.waiting, at);
                if let Action::Collective { members, carry_out } =
                    &program.steps[at as usize].action
                {
                    self.meet(members, carry_out, at)?;
                }
            }
        }
        Ok(())
    }

    /// Carries out the copies of the threads of `mask` but for their last `but` groups.
    pub fn complete_copies(&mut self, mask: u32, but: u32) {
        let groups = self.copy_group;
        self.pending.retain(|copy| {
            let due = mask & (1 << copy.lane) != 0 && copy.group + but < groups[copy.lane];
            if due {
                // SAFETY: both ends were checked when the copy was asked for, and lie in the
                // block's shared memory and in an allocation, which do not overlap.
                unsafe {
                    std::ptr::copy_nonoverlapping(copy.from, copy.to, copy.bytes);
                    std::ptr::write_bytes(copy.to.add(copy.bytes), 0, copy.zeros);
                }
            }
            !due
        });
    }

    /// Copies between two places of each thread's local memory: arguments and results of calls.
    pub fn copy_local(&mut self, mask: u32, from: u64, to: u64, bytes: u64) {
        for lane in lanes(mask) {
            for byte in 0..bytes {
                let ends = [from, to].map(|start| {
                    let address = LOCAL_START + start + byte;
                    self.memory.resolve(Space::Local, lane, address, 1, 0)
                });
                if let [Ok(from), Ok(to)] = ends {
                    // SAFETY: both are single bytes of the thread's local memory.
                    unsafe { *to = *from };
                }
            }
        }
    }
}

/// The slot of a register that holds nothing.
pub const NOWHERE: Slot = Slot(u32::MAX);
