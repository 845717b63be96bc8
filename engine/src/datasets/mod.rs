//! Files to rows, rows to conversations, conversations to examples, examples to batches.
//!
//! A row passes four doors, each a file: [`reader`] cuts files into rows, [`formats`] (one file per
//! format) understands a row as a conversation, [`example`] makes of a conversation the tokens that
//! the model reads and the mask of those it learns, and [`batch`] lays examples side by side.
//! [`load`] goes the whole way and keeps account, so that nothing is dropped in silence.
//!
//! Datasets know nothing of tensors or devices.

pub mod account;
pub mod batch;
pub mod builtin;
pub mod conversation;
pub mod example;
pub mod example_set;
pub mod first_look;
mod fitting;
pub mod formats;
pub mod known_rows;
pub mod layout;
pub mod lengths;
pub mod load;
mod loss_mask;
pub mod near_duplicates;
mod opened;
pub mod order;
pub mod reader;
mod reading;
pub mod recipe;
pub mod report;
pub mod row;
mod spill;
pub mod split;
pub mod store;
pub mod survey;
mod telling;
mod traces;
mod turn_account;
mod turns;

pub use batch::TokenBatch;
pub use conversation::{Chat, Message, Role, Sample, SourceLine};
pub use example::Example;
pub use example_set::ExampleSet;
pub use layout::{Layout, Rows};
pub use load::{Dataset, LoadProgress};
pub use order::epoch_order;
pub use reader::DataSource;
pub use recipe::Recipe;
pub use report::{DatasetReport, SkippedRow};
pub use split::{Split, split};
pub use store::ExampleStore;

#[cfg(test)]
mod tests;
