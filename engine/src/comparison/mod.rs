//! Comparisons: the base and some adapters answer the same questions, and a report says how long each
//! reasoned and how often it was right.
//!
//! [`variants`] are those that answer, [`selection`] chooses the [`questions`], [`answering`] has them
//! answered, [`counting`] says what of a reply is reasoning, [`extraction`] finds its final answer,
//! [`statistics`] and [`summary`] make figures of it. [`answer_file`] keeps each answer as it comes;
//! [`csv`],
//! [`html`] and [`report_files`] write the report. [`matched`] trains what is compared, where that is asked
//! for. [`work`] goes the whole way, from [`wishes`] to the end.

pub mod answer_file;
pub mod answering;
pub mod counting;
pub mod csv;
pub mod extraction;
pub mod html;
pub mod matched;
pub mod numbers;
pub mod questions;
pub mod report_files;
pub mod selection;
pub mod statistics;
pub mod summary;
pub mod variants;
pub mod wishes;
pub mod work;

pub use wishes::{News, Outcome, Wishes};
pub use work::compare;
