//! Questions to the engine that follow what is on the page: asked again when that has been quiet for
//! a moment, and answered by the latest job alone.

use stepladder_protocol::{Command, JobId, JobRef};

use super::super::{Desk, Effect};
use super::JOBS;

/// Typing pauses for longer than this when somebody wants an answer.
const QUIET_SECS: f64 = 0.25;

/// One question that is asked again and again.
#[derive(Debug)]
pub struct Question<T> {
    name: &'static str,
    /// What was asked last.
    asked: Option<T>,
    jobs: usize,
    /// Whether the latest job has not ended.
    open: bool,
    due: Due,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Due {
    No,
    /// The clock is not known where things change; it begins with the next tick.
    Noticed,
    At(f64),
}

/// How what should be known differs from what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Not.
    No,
    /// It is something else; what is known stays until it is asked.
    Other,
    /// It was something else for a moment: what is known holds again.
    Back,
}

impl<T: PartialEq> Question<T> {
    /// Nothing asked yet.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            asked: None,
            jobs: 0,
            open: false,
            due: Due::No,
        }
    }

    /// Notes what should be known now. An answer under way to something else is of no use any more.
    pub fn should_be(&mut self, wanted: &T, effects: &mut Vec<Effect>) -> Change {
        if self.asked.as_ref() == Some(wanted) {
            return match std::mem::replace(&mut self.due, Due::No) {
                Due::No => Change::No,
                _ => Change::Back,
            };
        }
        self.due = Due::Noticed;
        if self.open {
            self.stop(effects);
            // Whoever changes it back is still without an answer.
            self.asked = None;
        }
        Change::Other
    }

    /// Asks the same again.
    pub fn again(&mut self) {
        self.asked = None;
        self.due = Due::Noticed;
    }

    /// Asks the same again if the answer is still on its way.
    pub fn again_if_open(&mut self) {
        if self.open {
            self.again();
        }
    }

    /// Whether it is time to ask.
    pub fn is_due(&mut self, now: f64) -> bool {
        match self.due {
            Due::No => false,
            Due::Noticed => {
                self.due = Due::At(now + QUIET_SECS);
                false
            }
            // A clock that was set back does not make anybody wait.
            Due::At(time) => now >= time || time - now > QUIET_SECS,
        }
    }

    /// Seconds until it may be time to ask.
    pub fn next_tick_secs(&self, now: f64) -> f64 {
        match self.due {
            Due::No => f64::INFINITY,
            Due::Noticed => 0.0,
            Due::At(time) => (time - now).clamp(0.0, QUIET_SECS),
        }
    }

    /// Asks; an older job that goes on is stopped.
    pub fn ask(
        &mut self,
        what: T,
        command: impl FnOnce(JobId) -> Command,
        effects: &mut Vec<Effect>,
    ) {
        self.stop(effects);
        self.jobs += 1;
        self.asked = Some(what);
        self.open = true;
        self.due = Due::No;
        let command = command(self.job());
        effects.push(Effect::Send(Desk::Looking, Box::new(command)));
    }

    /// Notes that nothing needs to be asked about this.
    pub fn settle(&mut self, what: T) {
        self.asked = Some(what);
        self.due = Due::No;
    }

    /// Stops the job that goes on, if one does.
    pub fn stop(&mut self, effects: &mut Vec<Effect>) {
        if std::mem::take(&mut self.open) {
            let stop = Command::Stop(JobRef { job: self.job() });
            effects.push(Effect::Send(Desk::Looking, Box::new(stop)));
        }
    }

    /// Notes that the latest job has ended.
    pub fn ended(&mut self) {
        self.open = false;
    }

    /// Whether an answer is under way, or will be.
    pub fn is_open(&self) -> bool {
        self.open || self.due != Due::No
    }

    /// Whether an event of this job is about what is on the page now.
    pub fn is_latest(&self, job: &JobId) -> bool {
        self.open && *job == self.job()
    }

    fn job(&self) -> JobId {
        JobId::new(format!("{JOBS}/{}/{}", self.name, self.jobs))
    }
}
