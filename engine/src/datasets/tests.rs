//! Whole paths.
