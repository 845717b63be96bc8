//! The program as its user meets it: `stepladder` started from outside, trained, stopped, resumed,
//! asked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod bad_input;
mod disk_full;
mod interrupted;
mod killed;
mod program;
mod reasoning;
