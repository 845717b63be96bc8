//! Stepladder's engine: all the work, no pixels.

pub mod adapters;
pub mod datasets;
pub mod error;
pub mod files;
pub mod foreign_text;
pub mod generation;
pub mod memory;
pub mod models;
pub mod ops;
pub mod training;

pub use error::{Error, Result};
