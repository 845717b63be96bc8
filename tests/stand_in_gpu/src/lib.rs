//! A stand-in for an NVIDIA card, for tests on machines that have none. It exports the functions
//! of the driver, of cuBLAS, cuRAND and NVML that programs of this workspace call, and runs the
//! kernels' PTX on the processor. `lay_out DIR` makes a folder that can stand in `LD_LIBRARY_PATH`.
//!
//! **It is no GPU.** It says nothing about speed. It is exact where a GPU approximates (`ex2.approx`
//! and the like are computed in double precision and rounded once, subnormal numbers stay where
//! `.ftz` drops them), it carries out everything at once and in order, so a missing
//! synchronization between streams does not show, and warps of a block run one after the other, so
//! a race for shared memory may not show either. Random numbers are not cuRAND's.
//!
//! What it does show: accesses outside of what is allocated, with kernel, instruction, thread and
//! address; misaligned ones; memory that is read before it is written (everything new is full of
//! ones, a NaN); barriers and shuffles that not all threads reach; copies of `cp.async` that are read
//! before they are waited for; instructions that a module's target does not have; more memory than the
//! card has, counted as the driver's pool counts it.
//!
//! | variable | what it sets | without it |
//! |---|---|---|
//! | `STAND_IN_GPU_MEMORY` | bytes on the card | 4 GiB |
//! | `STAND_IN_GPU_CONTEXT` | bytes a context takes | 0 |
//! | `STAND_IN_GPU_OTHERS` | `N BYTES`: from the N-th allocation on, what another program holds | nothing |
//! | `STAND_IN_GPU_CAPABILITY` | compute capability | 8.6 |
//! | `STAND_IN_GPU_NAME` | its name | Stand-in GPU |
//!
//! A kernel's way: `ptx` reads the text, `compile` turns each instruction into a closure over the
//! registers of a warp, `execute` runs blocks of warps; `driver` is the C interface around them.

pub mod compile;
pub mod driver;
pub mod execute;
pub mod ptx;
