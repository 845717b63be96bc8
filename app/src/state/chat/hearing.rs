//! What the worker says of a chat.

use stepladder_protocol::{ErrorReport, Event, JobId};

use super::Chat;
use super::session::Stage;
use crate::state::Effect;
use crate::words::chat as words;

impl Chat {
    /// Takes an event; those of a model that was loaded before are old, and so are those of one that was
    /// let go.
    pub fn hear(&mut self, job: &JobId, event: Event, now: f64, effects: &mut Vec<Effect>) {
        if *job != self.session.job() || self.session.stage == Stage::Off {
            return;
        }
        match event {
            Event::Ready(ready) => self.session.stage = Stage::Ready(ready),
            Event::Notice { text } => self.session.note(text),
            Event::Text { text, reasoning } => {
                let answering = self.session.answering();
                if let Some(reply) = answering.and_then(|place| self.reply(place)) {
                    reply.say(&text, reasoning, now);
                }
            }
            Event::Reply(stats) => {
                let answered = self.session.answered();
                if let Some(reply) = answered.and_then(|place| self.reply(place)) {
                    reply.end(stats, now);
                    self.keep(now, effects);
                }
            }
            Event::TurnFailed(problem) => {
                if let Some(place) = self.session.answered() {
                    self.fail_reply(place, problem);
                    self.keep(now, effects);
                }
            }
            Event::Failed(problem) | Event::Rejected(problem) => {
                self.over(Stage::Failed(problem.clone()), &problem, now, effects);
            }
            Event::Stopped { .. } | Event::Finished(_) => {
                self.over(Stage::Off, &words::ended(), now, effects);
            }
            _ => {}
        }
    }

    fn over(&mut self, stage: Stage, problem: &ErrorReport, now: f64, effects: &mut Vec<Effect>) {
        let missing = self.session.over(stage);
        if missing.is_empty() {
            return;
        }
        for place in missing {
            self.fail_reply(place, problem.clone());
        }
        self.keep(now, effects);
    }
}
