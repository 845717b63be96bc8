//! What the worker says of a comparison.

use stepladder_protocol::{Event, Finished, JobId};

use super::found::{Comparison, Standing};
use super::matched::MatchedProgress;
use super::stored::CompareRequest;
use super::{Compare, ask};
use crate::state::{Desk, Effect};

impl Compare {
    /// Takes an event; those of earlier comparisons are old.
    pub fn hear(&mut self, job: &JobId, event: Event, effects: &mut Vec<Effect>) {
        let Some(found) = self.at_work.as_mut().filter(|found| found.job == *job) else {
            return;
        };
        if !found.is_on() {
            return;
        }
        let begins = matches!(event, Event::ComparisonStarted(_) | Event::MatchedRuns(_));
        take(found, event);
        if let (true, Some(folder), Some(asked)) = (begins, &found.folder, &found.asked) {
            // Its folder is there now; what is refused before leaves none.
            effects.push(ask(CompareRequest::Remember {
                folder: folder.clone(),
                asked: asked.clone(),
            }));
        }
        let ended = !found.is_on();
        if ended {
            effects.push(Effect::EndWorker(Desk::Comparing));
        }
        if begins || ended {
            self.list(effects);
        }
    }
}

fn take(found: &mut Comparison, event: Event) {
    if let Some(matched) = &mut found.matched {
        matched.hear(&event);
    }
    match event {
        Event::MatchedRuns(runs) => {
            found.matched = Some(MatchedProgress::new(runs));
            if found.standing == Standing::Preparing {
                found.standing = Standing::Training;
            }
        }
        Event::ComparisonStarted(started) => found.start(started),
        Event::Question(question) => found.ask(question),
        Event::Answer(given) => found.answer(given.question, given.variant, given.answer),
        Event::Comparing(progress) => found.progress = Some(progress),
        Event::Notice { text } if !found.notices.contains(&text) => found.notices.push(text),
        Event::Finished(Finished::Comparison(report)) => {
            found.made_way = false;
            found.finish(*report);
        }
        Event::Stopped { .. } | Event::Finished(_) => found.standing = Standing::Stopped,
        // What was asked to make way and died of it is as good as stopped: its answers are on disk.
        Event::Failed(problem) | Event::Rejected(problem) => {
            found.standing = match found.standing == Standing::Stopping {
                true if problem.code == "worker_died" => Standing::Stopped,
                _ => Standing::Failed(problem),
            };
        }
        _ => {}
    }
}
