//! The Fine-tune page.

pub mod looks;
mod paths;
mod recorded;
