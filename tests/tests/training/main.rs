//! The trainer as a library: it learns, it resumes to the bit, the backbone stays frozen, and what
//! cannot be trained is refused by name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod kept;
mod recorder;
mod resume;
mod runs;
mod stages;
mod templates;
