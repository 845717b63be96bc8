//! What runs a compiled kernel: registers of 32 threads side by side, the memory they see, warps that
//! diverge and meet again, blocks and their barriers, and the launch over all blocks.

pub mod block;
pub mod launch;
pub mod memory;
pub mod registers;
pub mod warp;
