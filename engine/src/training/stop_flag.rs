//! What is asked of a job while it works, shared between the thread that works and the one that
//! listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What a job may be asked. The later ones win over the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Request {
    /// End after the step you are in, as if it were the last.
    Keep = 1,
    /// Leave: nobody listens any more.
    ClientGone = 2,
    /// Leave; you may be asked to go on.
    Pause = 3,
}

/// Cloned freely; once raised it stays raised.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicU8>);

impl StopFlag {
    /// Asks the job to stop at its next safe point.
    pub fn raise(&self) {
        self.ask(Request::Pause);
    }

    /// Asks this, unless something that wins over it was asked already.
    pub fn ask(&self, request: Request) {
        self.0.fetch_max(request as u8, Ordering::AcqRel);
    }

    /// What is asked.
    pub fn asked(&self) -> Option<Request> {
        match self.0.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Request::Keep),
            2 => Some(Request::ClientGone),
            _ => Some(Request::Pause),
        }
    }

    /// Whether anything is asked, so that no further step is made.
    pub fn is_raised(&self) -> bool {
        self.asked().is_some()
    }

    /// Whether the job is to leave, so that not even an evaluation is made to its end.
    pub fn is_urgent(&self) -> bool {
        self.asked() > Some(Request::Keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_wins_over_all_and_a_keep_over_nothing() {
        let flag = StopFlag::default();
        assert!(!flag.is_raised() && !flag.is_urgent());
        flag.ask(Request::Keep);
        assert_eq!(flag.asked(), Some(Request::Keep));
        assert!(flag.is_raised() && !flag.is_urgent());
        flag.clone().ask(Request::ClientGone);
        assert_eq!(flag.asked(), Some(Request::ClientGone));
        assert!(flag.is_urgent());
        flag.raise();
        flag.ask(Request::Keep);
        flag.ask(Request::ClientGone);
        assert_eq!(flag.asked(), Some(Request::Pause));
    }
}
