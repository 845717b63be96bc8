//! Stepladder's engine: all the work, no pixels.

pub mod adapters;
pub mod error;
pub mod files;
pub mod models;
pub mod ops;
pub mod training;

pub use error::{Error, Result};
