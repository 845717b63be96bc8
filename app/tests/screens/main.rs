//! The window without a window: every screen and path, by accessible label, before a recorded outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "tests fail by panicking, and say what they skip"
)]

mod chat;
mod closing;
mod compare;
mod fine_tune;
mod keyboard;
mod pictures;
mod runs;
mod settings;
mod shell;
mod support;
