//! What `inspect` says.

mod dataset;
mod model;

pub use dataset::dataset;
pub use model::{Hashing, model};
