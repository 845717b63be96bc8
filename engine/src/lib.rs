//! Stepladder's engine: all the work, no pixels.

pub mod device;
pub mod error;
pub mod foreign_text;
pub mod memory;
pub mod training;
pub mod worker;

pub use error::{Error, Result};
