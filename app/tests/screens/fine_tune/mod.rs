//! The Fine-tune page.

pub mod looks;
mod paths;
pub mod recorded;
