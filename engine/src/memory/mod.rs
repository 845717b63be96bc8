//! Memory of a run: what it really took.

pub mod probe;
