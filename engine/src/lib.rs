//! Stepladder's engine: all the work, no pixels.

pub mod error;
pub mod training;

pub use error::{Error, Result};
