//! Bad models and adapters: each is refused by an error that names the file and the place.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod adapters;
mod models;
