//! Files to rows, rows to samples, samples to examples, examples to micro-batches.
//!
//! A row passes these doors: [`reader`] (one file per container) cuts files into rows; [`formats`] (one
//! file per format) understands a row as a conversation or a text; `telling` puts its traces where the
//! model's template tells them, `turns` and `loss_mask` find what of the rendered text is trained, and
//! `fitting` makes it fit the context length: that is an [`example`]. [`store`] keeps them, [`layout`]
//! and [`batch`] lay those of a step side by side. [`load`] goes the whole way and keeps account
//! ([`report`]), so that nothing is dropped in silence; [`survey`] goes as far as one can without a
//! model, [`samples`] hands on what rows say, [`first_look`] shows some rows without reading the rest.
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
pub mod opened;
pub mod order;
pub mod reader;
mod reading;
pub mod recipe;
pub mod report;
pub mod row;
pub mod samples;
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
