//! The Fine-tune page.

mod looks;
mod paths;
pub mod recorded;
