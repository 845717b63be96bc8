//! A block of threads: its warps one after the other, its shared memory, its barriers.

use super::memory::{Line, Memory, Problem, Wrong, lines};
use super::registers::{LANES, Lane, Registers, lanes};
use super::warp::Warp;
use crate::compile::program::{Action, BarrierStep, Program, Reduction, Special};
use crate::ptx::types::{Space, Width};

/// What all blocks of a launch have in common.
pub struct Shape<'l> {
    /// What they run.
    pub program: &'l Program,
    /// Blocks in the grid.
    pub grid: [u32; 3],
    /// Threads in a block.
    pub block: [u32; 3],
    /// Dynamic shared memory.
    pub dynamic_shared: u32,
    /// The parameters.
    pub parameters: &'l [u8],
    /// Live allocations in order.
    pub allocations: &'l [(u64, u64)],
}

/// Runs blocks one after the other in the same registers.
pub struct BlockRunner<'l> {
    shape: &'l Shape<'l>,
    warps: Vec<Warp<'l>>,
    shared: Vec<Line>,
}

/// A kernel that cannot go on: the step, the thread, and what is wrong.
pub struct BlockFault {
    /// The number of the instruction.
    pub step: u32,
    /// The thread's position in its block.
    pub thread: [u32; 3],
    /// What is wrong.
    pub problem: Problem,
}

impl<'l> BlockRunner<'l> {
    /// Room for blocks of this shape.
    pub fn new(shape: &'l Shape<'l>) -> Self {
        let program = shape.program;
        let shared_bytes = program.static_shared + u64::from(shape.dynamic_shared);
        let mut shared = lines(shared_bytes as usize);
        let pointer = shared.as_mut_ptr().cast::<u8>();
        let threads: u32 = shape.block.iter().product();
        let warps = (0..threads.div_ceil(LANES as u32))
            .map(|_| {
                let mut registers = Registers::new(program.rows, program.predicates);
                for &(slot, width, value) in &program.constants {
                    match width {
                        Width::Bits64 => {
                            u64::store(&mut registers, slot, u32::MAX, &[value; LANES])
                        }
                        _ => u32::store(&mut registers, slot, u32::MAX, &[value as u32; LANES]),
                    }
                }
                let memory = Memory::new(
                    shape.allocations,
                    shape.parameters,
                    pointer,
                    shared_bytes,
                    program.local_bytes,
                    program.steps.len(),
                );
                Warp::new(registers, memory)
            })
            .collect();
        Self {
            shape,
            warps,
            shared,
        }
    }

    /// Runs one block.
    pub fn run(&mut self, index: u64) -> Result<(), BlockFault> {
        let shape = self.shape;
        let [x, y, _] = shape.grid.map(u64::from);
        let block = [
            (index % x) as u32,
            (index / x % y) as u32,
            (index / (x * y)) as u32,
        ];
        self.shared.fill(lines(1)[0]);
        for number in 0..self.warps.len() {
            self.start(number, block, index);
        }
        loop {
            for number in 0..self.warps.len() {
                let warp = &mut self.warps[number];
                let ran = warp.run(shape.program);
                let ran = ran.and_then(|()| {
                    if warp.waits_for_itself() {
                        warp.recheck(shape.program)?;
                        warp.run(shape.program)?;
                    }
                    Ok(())
                });
                ran.map_err(|(step, problem)| self.fault(number, step, problem))?;
            }
            if self.warps.iter().all(|warp| warp.live == 0) {
                return Ok(());
            }
            if !self.release() {
                let stuck = self
                    .warps
                    .iter()
                    .position(|warp| warp.live != 0)
                    .unwrap_or(0);
                let lane = self.warps[stuck].live.trailing_zeros() as usize;
                let why = "threads wait for others that never come (barrier or collective)";
                let problem = Problem {
                    lane,
                    space: Space::Generic,
                    address: 0,
                    bytes: 0,
                    wrong: Wrong::Trapped(why),
                };
                let step = self.warps[stuck].places[lane];
                return Err(self.fault(stuck, step, problem));
            }
        }
    }

    fn thread(&self, warp: usize, lane: usize) -> [u32; 3] {
        let linear = (warp * LANES + lane) as u32;
        let [x, y, _] = self.shape.block;
        [linear % x, linear / x % y, linear / (x * y)]
    }

    fn fault(&self, warp: usize, step: u32, problem: Problem) -> BlockFault {
        BlockFault {
            step,
            thread: self.thread(warp, problem.lane),
            problem,
        }
    }

    fn start(&mut self, number: usize, block: [u32; 3], index: u64) {
        let shape = self.shape;
        let threads: u32 = shape.block.iter().product();
        let left = threads - (number * LANES) as u32;
        let mask = if left >= LANES as u32 {
            u32::MAX
        } else {
            (1 << left) - 1
        };
        let positions: [[u32; 3]; LANES] = std::array::from_fn(|lane| self.thread(number, lane));
        let warp = &mut self.warps[number];
        warp.start(mask, shape.program.entry);
        for &(special, slot) in &shape.program.specials {
            let values: [u32; LANES] = std::array::from_fn(|lane| {
                let lane_bit = 1_u32 << lane;
                match special {
                    Special::Thread(axis) => positions[lane][axis],
                    Special::Threads(axis) => shape.block[axis],
                    Special::Block(axis) => block[axis],
                    Special::Blocks(axis) => shape.grid[axis],
                    Special::Lane => lane as u32,
                    Special::Warp => number as u32,
                    Special::Warps => threads.div_ceil(LANES as u32),
                    Special::Processor => (index % 16) as u32,
                    Special::Zero => 0,
                    Special::Equal => lane_bit,
                    Special::Below => lane_bit - 1,
                    Special::UpTo => lane_bit | (lane_bit - 1),
                    Special::Above => !(lane_bit | (lane_bit - 1)),
                    Special::From => !(lane_bit - 1),
                    Special::DynamicShared => shape.dynamic_shared,
                    Special::AllShared => shape.dynamic_shared + shape.program.static_shared as u32,
                }
            });
            u32::store(&mut warp.registers, slot, u32::MAX, &values);
        }
    }

    /// Lets the threads go on whose barrier is complete; says whether there were any.
    fn release(&mut self) -> bool {
        let program = self.shape.program;
        let live: u32 = self.warps.iter().map(|warp| warp.live.count_ones()).sum();
        let step = |warp: &Warp<'_>, lane: usize| match &program.steps[warp.places[lane] as usize]
            .action
        {
            Action::Barrier(step) => Some((
                u32::load(&warp.registers, step.number)[lane],
                step.threads
                    .map_or(live, |slot| u32::load(&warp.registers, slot)[lane]),
                step,
            )),
            _ => None,
        };
        let mut released = false;
        for number in 0..16 {
            let (mut arrived, mut needed, mut holding) = (0, live, 0);
            let mut waiting = vec![0_u32; self.warps.len()];
            for (at, warp) in self.warps.iter().enumerate() {
                for lane in lanes(warp.at_barrier) {
                    let Some((barrier, threads, step)) = step(warp, lane) else {
                        continue;
                    };
                    if barrier == number {
                        waiting[at] |= 1 << lane;
                        arrived += 1;
                        needed = threads;
                        let holds = step.reduction.map_or(0, |(_, _, input)| {
                            warp.registers.predicate(input) >> lane & 1
                        });
                        holding += holds;
                    }
                }
            }
            if arrived == 0 || arrived < needed {
                continue;
            }
            released = true;
            for (warp, waiting) in self.warps.iter_mut().zip(waiting) {
                for lane in lanes(waiting) {
                    let Action::Barrier(BarrierStep { reduction, .. }) =
                        &program.steps[warp.places[lane] as usize].action
                    else {
                        continue;
                    };
                    let mask = 1 << lane;
                    let registers = &mut warp.registers;
                    match *reduction {
                        Some((Reduction::Count, into, _)) => {
                            u32::store(registers, into, mask, &[holding; LANES]);
                        }
                        Some((Reduction::All, into, _)) => {
                            let bits = if holding == arrived { u32::MAX } else { 0 };
                            registers.set_predicate(into, mask, bits);
                        }
                        Some((Reduction::Any, into, _)) => {
                            let bits = if holding > 0 { u32::MAX } else { 0 };
                            registers.set_predicate(into, mask, bits);
                        }
                        None => {}
                    }
                    warp.places[lane] += 1;
                }
                warp.at_barrier &= !waiting;
            }
        }
        released
    }
}
