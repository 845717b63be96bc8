//! The `stepladder` program: its command line and its link to the engine. Everything a person reads
//! is made here; the work itself happens in a worker process.

pub mod cli;
pub mod data_folder;
pub mod link;
pub mod text;
