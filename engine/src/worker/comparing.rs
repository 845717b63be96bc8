//! A comparison as a job: what it is asked, and its news as events.

use std::time::{Duration, Instant};

use stepladder_protocol::{CompareCommand, Event, Finished, JobId, Phase};

use super::outbox::Outbox;
use super::run_progress::{READING_INTERVAL, progress, reading_progress};
use crate::comparison::matched::{self, MatchedSet, MatchedWishes};
use crate::comparison::{News, Outcome, Wishes};
use crate::training::stop_flag::{Request, StopFlag};
use crate::{Error, Result};

/// What a command wishes to be trained before.
///
/// # Errors
/// When it names adapters too.
pub(super) fn matched_wishes(command: &CompareCommand) -> Result<Option<MatchedWishes>> {
    let Some(train) = &command.train_matched else {
        return Ok(None);
    };
    if !command.adapters.is_empty() {
        return Err(Error::ConfigInvalid {
            field: "adapters",
            problem: "given together with train_matched".to_owned(),
            hint: "compare runs that are there, or train some for it; not both".to_owned(),
        });
    }
    Ok(Some(MatchedWishes {
        model: command.model.clone(),
        train: train.clone(),
        device: command.device.clone(),
        out: command.out.clone(),
        questions: command.data.clone(),
        answer_pattern: command.answer_pattern.clone(),
    }))
}

/// What a command wishes, with what was trained for it.
pub(super) fn wishes(command: &CompareCommand, matched: Option<Box<MatchedSet>>) -> Wishes {
    let is_quick = command
        .train_matched
        .as_ref()
        .is_some_and(|train| train.quick);
    let adapters = match &matched {
        None => command.adapters.clone(),
        Some(set) => set
            .runs
            .iter()
            .map(|finished| finished.path.clone())
            .collect(),
    };
    Wishes {
        model: command.model.clone(),
        adapters,
        matched,
        data: command.data.clone(),
        baseline: command.baseline.clone(),
        out: command.out.clone(),
        limit: { command.limit }.or(is_quick.then_some(matched::QUICK_QUESTIONS)),
        settings: command.settings.clone(),
        answer_pattern: command.answer_pattern.clone(),
        batch_size: command.batch_size,
    }
}

/// Sends the news of one comparison.
pub(super) struct Comparing<'a> {
    job: &'a JobId,
    outbox: &'a Outbox,
    /// Raised when nobody listens any more.
    stop: &'a StopFlag,
    phase: Option<Phase>,
    phase_since: Instant,
}

impl<'a> Comparing<'a> {
    pub(super) fn new(job: &'a JobId, outbox: &'a Outbox, stop: &'a StopFlag) -> Self {
        Self {
            job,
            outbox,
            stop,
            phase: None,
            phase_since: Instant::now(),
        }
    }

    fn send(&self, event: Event, interval: Duration) {
        if !self.outbox.send_merged(event.of(self.job), interval) {
            self.stop.ask(Request::ClientGone);
        }
    }

    /// Tells a phase when it begins.
    fn enter(&mut self, phase: Phase) -> Duration {
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            self.phase_since = Instant::now();
            self.send(Event::Phase { phase }, Duration::ZERO);
        }
        self.phase_since.elapsed()
    }

    pub(super) fn tell(&mut self, news: News) {
        match news {
            News::Notice(text) => self.send(Event::Notice { text }, Duration::ZERO),
            News::Reading(so_far) => {
                let elapsed = self.enter(Phase::LoadingData);
                let reading = Event::Reading(reading_progress(&so_far, elapsed));
                self.send(reading, READING_INTERVAL);
            }
            News::Loading(so_far) => {
                let elapsed = self.enter(Phase::LoadingModel);
                let phase = Phase::LoadingModel;
                let loading = progress(phase, so_far.done, so_far.total, elapsed);
                self.send(Event::Progress(loading), READING_INTERVAL);
            }
            News::Started(started) => {
                self.phase = None;
                self.send(Event::ComparisonStarted(started), Duration::ZERO);
            }
            News::Question(question) => self.send(Event::Question(question), Duration::ZERO),
            News::Answer(answer) => self.send(Event::Answer(answer), Duration::ZERO),
            News::Progress(progress) => self.send(Event::Comparing(progress), READING_INTERVAL),
        }
    }
}

/// The end of a comparison that did not fail.
pub(super) fn end(outcome: Outcome, command: &CompareCommand) -> Event {
    match outcome {
        Outcome::Finished(report) => Event::Finished(Finished::Comparison(report)),
        Outcome::Stopped { answers } => stopped(answers, command),
    }
}

/// The end of a comparison that was stopped after so many answers.
pub(super) fn stopped(answers: usize, command: &CompareCommand) -> Event {
    Event::Stopped {
        run: Some(command.out.display().to_string()),
        step: answers,
    }
}
