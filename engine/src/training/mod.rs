//! From a run config to a trained adapter: the plan, the loop, the optimizer, checkpoints.

pub mod progress;
pub mod stop_flag;
