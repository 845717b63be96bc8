//! One run of the list: what lies on disk of it, what is heard of it, and its figures.

use std::path::{Path, PathBuf};

use stepladder_protocol::{RunConfig, RunFailure, RunMemory, RunState};

use super::answers::Answers;
use super::figures::Figures;
use super::live::{End, LiveRun, Stage, Wish};
use super::stored::{Details, StoredRun};

/// A run's name within the window; it outlives renaming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunKey(pub(super) u64);

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It waits for others.
    Queued,
    /// It is being prepared.
    Starting,
    /// It trains.
    Running,
    /// It is asked to pause and saves itself.
    Pausing,
    /// It is asked to stop and saves what it has.
    Keeping,
    /// Another program is at it.
    Elsewhere,
    /// It was paused.
    Paused,
    /// It was cut off: by a crash, or because the window went away.
    Interrupted,
    /// It is done.
    Finished,
    /// It could not go on.
    Failed,
}

/// What can be done with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Take it out of the queue.
    Withdraw,
    /// Save and stop for a while.
    Pause,
    /// Stop and keep what there is.
    Keep,
    /// Go on from the last checkpoint.
    Resume,
    /// End the worker at once: it takes too long to save.
    EndNow,
    /// Begin anew with the same config.
    Retry,
    /// Take it off the list: nothing of it is on disk.
    Forget,
    /// Change its config first.
    AgainWithChanges,
    /// Write its adapter for elsewhere.
    Export,
    /// See its folder.
    Show,
    /// Give it another name.
    Rename,
    /// Move it to the bin.
    Delete,
}

/// Figures that are not there, are being read, or could not be.
#[derive(Clone, Debug, Default)]
pub enum Loaded {
    /// Nobody asked for them.
    #[default]
    No,
    /// They are on their way.
    Reading,
    /// They are here.
    Yes(Box<Figures>),
    /// A sentence says why not.
    Failed(String),
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name within the window.
    pub key: RunKey,
    /// What it is called: its folder's name.
    pub name: String,
    /// Its folder, once there is one.
    pub folder: Option<PathBuf>,
    /// What it was asked to do.
    pub config: RunConfig,
    /// As it was last read from disk.
    pub stored: Option<StoredRun>,
    /// As a worker of this window tells it.
    pub live: Option<LiveRun>,
    /// Its figures.
    pub figures: Loaded,
    /// Bytes of its file of figures that were read.
    pub read_to: u64,
    /// Lines of that file that are no rows.
    pub damaged: usize,
    /// What its model said to held-out prompts.
    pub answers: Answers,
    /// Its log file and dataset; none: not read.
    pub details: Option<Details>,
    /// Whether no run of the same dataset has a lower loss on the held-out examples.
    pub is_best: bool,
    /// The course of its loss, for the list.
    pub sparkline: Vec<f32>,
}

impl Run {
    /// A run of which only this is known.
    pub fn new(key: RunKey, config: RunConfig) -> Self {
        Self {
            key,
            name: String::new(),
            folder: None,
            config,
            stored: None,
            live: None,
            figures: Loaded::No,
            read_to: 0,
            damaged: 0,
            answers: Answers::default(),
            details: None,
            is_best: false,
            sparkline: Vec::new(),
        }
    }

    /// It lies in this folder, which names it.
    pub fn lies_in(&mut self, folder: &Path) {
        let name = folder.file_name().unwrap_or(folder.as_os_str());
        self.name = crate::text::visible(&name.to_string_lossy());
        self.folder = Some(folder.to_path_buf());
    }

    /// Its figures, if they are here.
    pub fn figures(&self) -> Option<&Figures> {
        match &self.figures {
            Loaded::Yes(figures) => Some(figures),
            _ => None,
        }
    }

    /// Whether a worker of this window is at it, or will be.
    pub fn is_on(&self) -> bool {
        self.live.as_ref().is_some_and(LiveRun::is_on)
    }

    /// How it stands. What this window heard last counts more than what was read before.
    pub fn standing(&self) -> Standing {
        match &self.live {
            Some(live) => match (&live.stage, live.wish) {
                (Stage::Ended(End::Finished(_)), _) => Standing::Finished,
                (Stage::Ended(End::Paused { .. } | End::Withdrawn), _) => Standing::Paused,
                (Stage::Ended(End::Failed(problem)), _) if cut_off(&problem.code) => {
                    Standing::Interrupted
                }
                (Stage::Ended(End::Failed(_)), _) => Standing::Failed,
                (_, Some(Wish::Pause | Wish::EndNow)) => Standing::Pausing,
                (_, Some(Wish::Keep)) => Standing::Keeping,
                (Stage::Asked | Stage::Queued { .. }, None) => Standing::Queued,
                (Stage::In(_), None) if live.latest.is_none() => Standing::Starting,
                (Stage::In(_), None) => Standing::Running,
            },
            None => match &self.stored {
                Some(stored) if stored.in_use => Standing::Elsewhere,
                Some(stored) => match stored.state {
                    RunState::Running | RunState::Interrupted => Standing::Interrupted,
                    RunState::Paused => Standing::Paused,
                    RunState::Finished => Standing::Finished,
                    RunState::Failed => Standing::Failed,
                },
                None => Standing::Paused,
            },
        }
    }

    /// What can be done with it, in the order of the buttons.
    pub fn offers(&self) -> Vec<Offer> {
        let mut offers = match self.standing() {
            Standing::Queued => vec![Offer::Withdraw],
            Standing::Starting => vec![Offer::Pause],
            Standing::Running => vec![Offer::Pause, Offer::Keep],
            Standing::Keeping => vec![Offer::Pause, Offer::EndNow],
            Standing::Pausing => vec![Offer::EndNow],
            Standing::Elsewhere | Standing::Finished => Vec::new(),
            // In its own folder it goes on, or starts over where nothing was saved yet.
            Standing::Paused | Standing::Interrupted if self.is_on_disk() => vec![Offer::Resume],
            Standing::Paused | Standing::Interrupted | Standing::Failed => {
                match self.has_checkpoint() {
                    true => vec![Offer::Resume],
                    false => vec![Offer::Retry],
                }
            }
        };
        offers.push(Offer::AgainWithChanges);
        let rests = !self.is_on() && self.standing() != Standing::Elsewhere;
        if rests && !self.is_on_disk() {
            offers.push(Offer::Forget);
        }
        if self.is_on_disk() {
            if rests && self.has_adapter() {
                offers.push(Offer::Export);
            }
            offers.push(Offer::Show);
            if rests {
                offers.extend([Offer::Rename, Offer::Delete]);
            }
        }
        offers
    }

    /// Whether it can do this now.
    pub fn offers_to(&self, offer: Offer) -> bool {
        self.offers().contains(&offer)
    }

    /// Whether its folder is there.
    fn is_on_disk(&self) -> bool {
        let has_begun = |live: &LiveRun| live.started.is_some();
        self.stored.is_some()
            || (self.folder.is_some() && self.live.as_ref().is_some_and(has_begun))
    }

    /// Whether it can go on from somewhere.
    pub fn has_checkpoint(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.saved)
            || self
                .stored
                .as_ref()
                .is_some_and(|stored| stored.has_checkpoint)
    }

    fn has_adapter(&self) -> bool {
        let finished = { self.live.as_ref() }
            .is_some_and(|live| live.best.is_some() || live.stage_is_finished());
        finished
            || self
                .stored
                .as_ref()
                .is_some_and(|stored| stored.has_adapter)
    }

    /// Lowest loss on the held-out examples.
    pub fn best(&self) -> Option<f64> {
        let stored = self.stored.as_ref().and_then(|stored| stored.best);
        { self.live.as_ref() }.and_then(|live| live.best).or(stored)
    }

    /// Updates made, and updates in the whole run, where that is known.
    pub fn steps(&self) -> (usize, Option<usize>) {
        let (step, total) =
            { self.stored.as_ref() }.map_or((0, 0), |stored| (stored.step, stored.total_steps));
        let Some(live) = &self.live else {
            return (step, (total > 0).then_some(total));
        };
        let latest = live.latest.as_ref().map(|row| row.step);
        let ended = match &live.stage {
            Stage::Ended(End::Finished(summary)) => Some(summary.step),
            Stage::Ended(End::Paused { step }) => Some(*step),
            _ => None,
        };
        let first = live.started.as_ref().map(|started| started.first_step);
        let total = { live.started.as_ref() }.map_or(total, |started| started.total_steps);
        let step = ended.or(latest).or(first).unwrap_or(step);
        (step, (total > 0).then_some(total))
    }

    /// Seconds it was at work.
    pub fn elapsed(&self) -> Option<f64> {
        let stored = self.stored.as_ref().and_then(|stored| stored.elapsed);
        let Some(live) = &self.live else {
            return stored;
        };
        if let Stage::Ended(End::Finished(summary)) = &live.stage
            && summary.elapsed_secs.is_some()
        {
            return summary.elapsed_secs;
        }
        { live.latest.as_ref() }
            .and_then(|row| row.elapsed_secs)
            .or(stored)
    }

    /// Its memory, planned and measured.
    pub fn memory(&self) -> Option<&RunMemory> {
        let stored = self
            .stored
            .as_ref()
            .and_then(|stored| stored.memory.as_ref());
        { self.live.as_ref() }
            .and_then(|live| live.memory.as_ref())
            .or(stored)
    }

    /// What went wrong.
    pub fn failure(&self) -> Option<RunFailure> {
        match &self.live {
            Some(live) => match &live.stage {
                Stage::Ended(End::Failed(problem)) => Some(RunFailure {
                    code: problem.code.clone(),
                    message: problem.message.clone(),
                    hint: problem.hint.clone(),
                }),
                _ => None,
            },
            None => self.stored.as_ref()?.failure.clone(),
        }
    }

    /// Why it ended before its last step.
    pub fn ended_early(&self) -> Option<&str> {
        match self.is_on() {
            true => None,
            false => self.stored.as_ref()?.ended_early.as_deref(),
        }
    }

    /// When it last did something, in seconds since 1970.
    pub fn time(&self) -> f64 {
        let live = { self.live.as_ref() }
            .map(|live| live.notes.back().map_or(live.asked_at, |note| note.at));
        let stored = self.stored.as_ref().map(|stored| stored.written_at);
        live.or(stored).unwrap_or(0.0)
    }
}

impl LiveRun {
    fn stage_is_finished(&self) -> bool {
        matches!(self.stage, Stage::Ended(End::Finished(_)))
    }
}

/// Whether an error says that the worker went away rather than that the run cannot be done.
fn cut_off(code: &str) -> bool {
    matches!(code, "worker_died" | "worker_protocol")
}
