//! Comparisons: the base and some adapters answer the same questions, and a report says how long each
//! reasoned and how often it was right.
//!
//! [`variants`] are those that answer, [`selection`] chooses the [`questions`], [`answering`] has them
//! answered, [`counting`] says what of a reply is reasoning, [`extraction`] finds its final answer,
//! [`statistics`] and [`summary`] make figures of it. [`answer_file`] keeps each answer as it comes;
//! [`csv`] and [`html`] write the report. [`work`] goes the whole way.

pub mod answer_file;
pub mod answering;
pub mod counting;
pub mod csv;
pub mod extraction;
pub mod html;
pub mod numbers;
pub mod questions;
pub mod selection;
pub mod statistics;
pub mod summary;
pub mod variants;
pub mod work;

pub use work::{News, Wishes, compare};
