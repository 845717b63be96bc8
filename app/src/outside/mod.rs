//! Everything beyond the window's own data: worker processes, the disk, file dialogs. [`Outside`] is
//! the one door; tests open another.

mod desktop;
mod device_watch;
mod dialogs;
mod file_browser;
mod replay;
mod workers;

pub use desktop::Desktop;
pub use replay::Replay;
pub use workers::{Urgency, Wake};

use std::time::{SystemTime, UNIX_EPOCH};

use crate::state::{Effect, News};

/// What effects are asked of, and news comes from.
pub trait Outside {
    /// Does what the state asked for, without waiting for it.
    fn perform(&mut self, effect: Effect);

    /// The next thing that has come in; none: nothing at the moment.
    fn next(&mut self) -> Option<News>;

    /// Seconds since 1970.
    fn now(&self) -> f64 {
        unix_secs()
    }
}

/// The system's clock, in seconds since 1970.
pub fn unix_secs() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
