//! Stepladder's engine: all the work, no pixels.

pub mod datasets;
pub mod error;
pub mod foreign_text;
pub mod models;
pub mod training;

pub use error::{Error, Result};
