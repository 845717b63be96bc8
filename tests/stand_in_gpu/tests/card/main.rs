//! The card itself: its memory and pool, matrix products, and the C interface from initialization to
//! a fault.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod interface;
mod memory;
mod products;
