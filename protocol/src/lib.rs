//! The seam between Stepladder's engine and everything that drives it: plain serde types, no
//! behaviour. Commands go in, events come out, one JSON object per line.

mod run_config;

pub use run_config::{Downsample, Inject, Method, RunConfig, Switch, TapDtype};
