//! A run that a worker of this window is at, from the moment it is asked for to its end: what its
//! events say, in order.

use std::collections::VecDeque;

use stepladder_protocol::{
    ErrorReport, EvaluationRow, Event, Finished, JobId, Phase, PhaseProgress, RunMemory,
    RunStarted, StepRow, TrainSummary,
};

use crate::words;

/// Notes beyond this push the oldest out.
const MAX_NOTES: usize = 4000;

/// How far it has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Nothing was heard of it yet.
    Asked,
    /// It waits for runs before it.
    Queued {
        /// How many.
        ahead: usize,
    },
    /// It is at work.
    In(Phase),
    /// It has ended.
    Ended(End),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// With everything done that was to be done.
    Finished(TrainSummary),
    /// On request; it can go on.
    Paused {
        /// Updates made.
        step: usize,
    },
    /// Before it began.
    Withdrawn,
    /// It could not go on.
    Failed(ErrorReport),
}

/// What the user asked of it that has not happened yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To pause.
    Pause,
    /// To stop and keep what there is.
    Keep,
    /// To end at once.
    EndNow,
}

/// How far a stage has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What is done of it.
    pub done: f64,
    /// What there is of it.
    pub total: f64,
    /// The rate; none while it is not known.
    pub per_second: Option<f64>,
    /// Whether it is counted in bytes.
    pub unit: Unit,
}

/// What progress is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of a file.
    Bytes,
    /// Examples.
    Examples,
    /// Parts of a rehearsal.
    Parts,
}

impl Progress {
    /// As an event tells it.
    pub fn of(progress: &PhaseProgress) -> Self {
        Self {
            done: progress.done as f64,
            total: progress.total as f64,
            per_second: progress.per_second,
            unit: match progress.phase {
                Phase::Evaluating => Unit::Examples,
                Phase::Rehearsing => Unit::Parts,
                _ => Unit::Bytes,
            },
        }
    }

    /// From 0 to 1.
    pub fn share(&self) -> f32 {
        (self.done / self.total.max(1.0)).clamp(0.0, 1.0) as f32
    }

    /// Seconds to its end, at the rate so far.
    pub fn remaining_secs(&self) -> Option<f64> {
        let rate = self.per_second.filter(|rate| *rate > 0.0)?;
        Some((self.total - self.done).max(0.0) / rate)
    }
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Seconds since 1970.
    pub at: f64,
    /// What happened.
    pub what: What,
}

/// What a line of a log tells.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// It waits.
    Queued {
        /// Runs before it.
        ahead: usize,
    },
    /// It entered a stage.
    Phase(Phase),
    /// Its sizes.
    Started(RunStarted),
    /// Its memory was rehearsed.
    Memory(RunMemory),
    /// Something the user should know.
    Notice(String),
    /// It was evaluated.
    Evaluation(EvaluationRow),
    /// It was saved.
    Checkpoint(String),
    /// It ended.
    Ended(End),
    /// A line of its log file.
    Written(String),
}

/// A run that a worker of this window is at, or was.
#[derive(Clone, Debug)]
pub struct LiveRun {
    /// Its job.
    pub job: JobId,
    /// How far it has come.
    pub stage: Stage,
    /// What was asked of it since.
    pub wish: Option<Wish>,
    /// How far its stage has come, where that is told.
    pub progress: Option<Progress>,
    /// Its sizes.
    pub started: Option<RunStarted>,
    /// Its memory.
    pub memory: Option<RunMemory>,
    /// The latest step.
    pub latest: Option<StepRow>,
    /// The lowest loss on held-out examples that it told of.
    pub best: Option<f64>,
    /// The latest loss on held-out examples.
    pub evaluation: Option<EvaluationRow>,
    /// Whether it was saved.
    pub saved: bool,
    /// What happened, oldest first.
    pub notes: VecDeque<Note>,
    /// Seconds since 1970 at which it was asked for.
    pub asked_at: f64,
}

impl LiveRun {
    /// A run that was just asked for.
    pub fn new(job: JobId, now: f64) -> Self {
        Self {
            job,
            stage: Stage::Asked,
            wish: None,
            progress: None,
            started: None,
            memory: None,
            latest: None,
            best: None,
            evaluation: None,
            saved: false,
            notes: VecDeque::new(),
            asked_at: now,
        }
    }

    /// Whether it has not ended.
    pub fn is_on(&self) -> bool {
        !matches!(self.stage, Stage::Ended(_))
    }

    /// Whether it waits for its turn.
    pub fn waits(&self) -> bool {
        matches!(self.stage, Stage::Asked | Stage::Queued { .. })
    }

    /// Takes an event.
    pub fn hear(&mut self, event: &Event, now: f64) {
        match event {
            Event::Queued { ahead } => {
                self.stage = Stage::Queued { ahead: *ahead };
                self.note(now, What::Queued { ahead: *ahead });
            }
            Event::Phase { phase } => self.enter(*phase, now),
            Event::Reading(reading) => {
                self.progress = Some(Progress {
                    done: reading.bytes_read as f64,
                    total: reading.bytes_total as f64,
                    per_second: Some(reading.bytes_per_second),
                    unit: Unit::Bytes,
                });
            }
            Event::Progress(progress) => self.progress = Some(Progress::of(progress)),
            Event::Started(started) => {
                self.note(now, What::Started(started.clone()));
                self.saved |= started.first_step > 0;
                self.started = Some(started.clone());
            }
            Event::Memory(memory) => {
                self.note(now, What::Memory(memory.clone()));
                self.memory = Some(memory.clone());
            }
            Event::Notice { text } => self.note(now, What::Notice(text.clone())),
            Event::Step(row) => self.latest = Some(row.clone()),
            Event::Evaluation(row) => {
                self.note(now, What::Evaluation(row.clone()));
                if row.best {
                    self.best = row.loss;
                }
                self.evaluation = Some(row.clone());
            }
            Event::Checkpoint { path } => {
                self.note(now, What::Checkpoint(path.clone()));
                self.saved = true;
            }
            Event::Finished(Finished::Training(summary)) => {
                if let Some(best) = summary.best_evaluation_loss {
                    self.best = Some(best);
                }
                self.end(End::Finished(summary.clone()), now);
            }
            Event::Stopped { run: Some(_), step } => {
                self.saved |= *step > 0;
                self.end(End::Paused { step: *step }, now);
            }
            Event::Stopped { run: None, .. } => self.end(End::Withdrawn, now),
            Event::Failed(problem) => {
                let asked = self.wish == Some(Wish::EndNow) && problem.code == "worker_died";
                let problem = match asked {
                    true => words::runs::ended_now(),
                    false => problem.clone(),
                };
                self.end(End::Failed(problem), now);
            }
            // What is no run of ours was not begun; a run that is on goes on.
            Event::Rejected(problem) if self.waits() => {
                self.end(End::Failed(problem.clone()), now);
            }
            Event::Rejected(problem) => {
                self.wish = None;
                self.note(now, What::Notice(problem.message.clone()));
            }
            _ => {}
        }
    }

    fn enter(&mut self, phase: Phase, now: f64) {
        let stage = Stage::In(phase);
        if self.stage != stage {
            self.stage = stage;
            self.progress = None;
            // Evaluations and checkpoints have lines of their own, and training follows on each.
            let often = matches!(phase, Phase::Evaluating | Phase::Checkpointing)
                || (phase == Phase::Training && self.latest.is_some());
            if !often {
                self.note(now, What::Phase(phase));
            }
        }
    }

    pub(super) fn end(&mut self, end: End, now: f64) {
        self.note(now, What::Ended(end.clone()));
        self.stage = Stage::Ended(end);
        self.progress = None;
        self.wish = None;
    }

    fn note(&mut self, at: f64, what: What) {
        if self.notes.len() == MAX_NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(Note { at, what });
    }
}
