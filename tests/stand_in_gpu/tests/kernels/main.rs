//! Kernels written by hand, one per kind of instruction, with answers that are known.

mod arithmetic;
mod bench;
mod collectives;
mod control;
mod conversions;
mod faults;
mod matrices;
mod spaces;
