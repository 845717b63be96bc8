//! The `stepladder` program: its command line, its window and its link to the engine. Everything a
//! person reads is made here; the work itself happens in worker processes.

pub mod cli;
pub mod data_folder;
pub mod disk;
pub mod installed;
pub mod link;
pub mod outside;
pub mod picture;
pub mod screens;
pub mod state;
pub mod text;
pub mod theme;
pub mod widgets;
pub mod window;
pub mod words;
