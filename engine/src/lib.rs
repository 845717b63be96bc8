//! Stepladder's engine: all the work, no pixels.

pub mod adapters;
pub mod card_check;
pub mod comparison;
pub mod datasets;
pub mod device;
pub mod error;
pub mod export;
pub mod files;
pub mod foreign_text;
pub mod generation;
pub mod memory;
pub mod models;
pub mod ops;
pub mod training;
pub mod worker;

pub use error::{Error, Result};
