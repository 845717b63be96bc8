//! An outside that is written down: news that was recorded or made up, and a note of what was asked.
//! Screens are shown and tested with it.

use std::collections::VecDeque;

use stepladder_protocol::EventLine;

use super::{Outside, unix_secs};
use crate::state::{Desk, Effect, News};

/// Plays news back, in order, and keeps the effects.
#[derive(Debug, Default)]
pub struct Replay {
    /// What comes in next.
    pub news: VecDeque<News>,
    /// What was asked so far.
    pub performed: Vec<Effect>,
    /// Seconds since 1970, where it is always the same moment.
    pub always_at: Option<f64>,
}

impl Replay {
    /// A worker's recorded output, a line for each event.
    ///
    /// # Errors
    /// When a line is no event.
    pub fn of_log(desk: Desk, log: &str) -> serde_json::Result<Self> {
        let mut replay = Self::default();
        for line in log.lines().filter(|line| !line.trim().is_empty()) {
            let line: EventLine = serde_json::from_str(line)?;
            replay.news.push_back(News::Event(desk, line));
        }
        Ok(replay)
    }
}

impl Outside for Replay {
    fn perform(&mut self, effect: Effect) {
        self.performed.push(effect);
    }

    fn next(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    fn now(&self) -> f64 {
        self.always_at.unwrap_or_else(unix_secs)
    }
}
