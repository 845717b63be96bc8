//! What `inspect` says.

mod dataset;
mod examples;
mod model;

pub use dataset::{Told, dataset};
pub use model::{Hashing, model};
