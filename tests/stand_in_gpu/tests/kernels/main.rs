//! Kernels written by hand, one per kind of instruction, with answers that are known.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod arithmetic;
mod bench;
mod collectives;
mod control;
mod conversions;
mod faults;
mod matrices;
mod spaces;
