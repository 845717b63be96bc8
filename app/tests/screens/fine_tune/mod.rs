//! The Fine-tune page.

mod looks;
mod paths;
mod recorded;
