//! The program as its user meets it: `stepladder` started from outside, trained, stopped, resumed,
//! asked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "tests fail by panicking, and say what they measured"
)]

mod bad_input;
mod checked;
mod compared;
mod datasets;
mod disk_full;
mod estimated;
mod exported;
mod interrupted;
#[cfg(unix)]
mod interrupted_twice;
mod killed;
mod left;
mod matched;
mod models;
mod processes;
mod program;
mod quantized;
mod reasoning;
mod shipped_configs;
