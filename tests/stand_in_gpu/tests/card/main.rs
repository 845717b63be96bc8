//! The card itself: its memory and pool, matrix products, and the C interface from initialization to
//! a fault.

mod interface;
mod memory;
mod products;
