//! Which jobs there are and what is next: the shared state of the thread that reads commands and
//! of the lanes that do the work.
//!
//! There are three lanes. The heavy one holds the device and runs one training run, chat or comparison at a time;
//! the light one looks at models and datasets, so that a run of hours does not keep a client from
//! asking what a file holds; the quick one looks at devices, which a long file does not keep waiting.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use stepladder_protocol::{
    ChatCommand, ChatTurn, CheckCommand, Command, CompareCommand, ErrorReport, EstimateCommand,
    Event, ExportCommand, InspectCommand, JobId, ModelsCommand, TrainCommand,
};

use super::outbox::Outbox;
use crate::training::stop_flag::{Request, StopFlag};

/// Turns a client may send ahead of the replies.
const TURNS_AHEAD: usize = 16;

/// One thread's worth of work at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Training, chat, comparing, and measuring.
    Heavy,
    /// Looking at things.
    Light,
    /// Looking at devices.
    Quick,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Heavy, Self::Light, Self::Quick];
}

/// What a job does.
#[derive(Debug)]
pub enum Work {
    /// A training run.
    Train(Box<TrainCommand>),
    /// A chat and the turns it will get.
    Chat(ChatCommand, Receiver<Turn>),
    /// A look at a model or dataset.
    Inspect(InspectCommand),
    /// The memory of runs.
    Estimate(Box<EstimateCommand>),
    /// Memory, planned and measured.
    Check(CheckCommand),
    /// Variants of a model, compared.
    Compare(Box<CompareCommand>),
    /// An adapter for elsewhere.
    Export(ExportCommand),
    /// The list of devices.
    Devices,
    /// The models on this machine.
    Models(ModelsCommand),
}

/// A turn of a chat, with the flag that cuts its reply short.
#[derive(Debug)]
pub struct Turn {
    /// What to answer.
    pub turn: ChatTurn,
    /// Raised to end the reply.
    pub stop: StopFlag,
}

/// A job that a lane has taken.
#[derive(Debug)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What to do.
    pub work: Work,
    /// Raised to stop it.
    pub stop: StopFlag,
}

/// The jobs that have not ended.
#[derive(Debug)]
pub struct Schedule {
    state: Mutex<State>,
    wake: Condvar,
    outbox: Outbox,
}

#[derive(Debug, Default)]
struct State {
    jobs: HashMap<JobId, Entry>,
    heavy: LaneState,
    light: LaneState,
    quick: LaneState,
    closing: bool,
}

#[derive(Debug, Default)]
struct LaneState {
    queue: VecDeque<Job>,
    busy: bool,
}

#[derive(Debug)]
struct Entry {
    lane: Lane,
    stop: StopFlag,
    kind: Kind,
}

/// What can be asked of a job besides to stop.
#[derive(Debug)]
enum Kind {
    /// To keep what it has.
    Run,
    /// Replies.
    Chat(ChatEntry),
    /// Nothing.
    Other,
}

#[derive(Debug)]
struct ChatEntry {
    /// Gone once the chat is told to end.
    turns: Option<SyncSender<Turn>>,
    /// The flag of all turns asked for since the last interruption.
    reply_stop: StopFlag,
}

impl State {
    fn lane(&mut self, lane: Lane) -> &mut LaneState {
        match lane {
            Lane::Heavy => &mut self.heavy,
            Lane::Light => &mut self.light,
            Lane::Quick => &mut self.quick,
        }
    }
}

impl Entry {
    fn ask(&mut self, request: Request) {
        self.stop.ask(request);
        if let Kind::Chat(chat) = &mut self.kind {
            chat.reply_stop.raise();
            chat.turns = None;
        }
    }
}

impl Schedule {
    /// Nothing to do yet.
    pub fn new(outbox: Outbox) -> Self {
        Self {
            state: Mutex::default(),
            wake: Condvar::new(),
            outbox,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Jobs run outside this lock; a panic under it would be a defect in the few lines here,
        // and going on is then still better than losing a running job.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what a command says. An error says why it was not accepted.
    pub fn accept(&self, command: Command) -> Result<(), (JobId, ErrorReport)> {
        match command {
            Command::Train(train) => {
                if train.out.is_some() == train.resume.is_some() {
                    let report = ErrorReport::new(
                        "config_invalid",
                        "exactly one of out and resume must be given",
                        "name the run folder: with out a new one, with resume one to go on with",
                    );
                    return Err((train.job, report));
                }
                let job = train.job.clone();
                self.add(Lane::Heavy, job, Work::Train(train), Kind::Run)
            }
            Command::Chat(chat) => {
                let (sender, turns) = sync_channel(TURNS_AHEAD);
                let entry = ChatEntry {
                    turns: Some(sender),
                    reply_stop: StopFlag::default(),
                };
                self.add(
                    Lane::Heavy,
                    chat.job.clone(),
                    Work::Chat(chat, turns),
                    Kind::Chat(entry),
                )
            }
            Command::Inspect(inspect) => self.add(
                Lane::Light,
                inspect.job.clone(),
                Work::Inspect(inspect),
                Kind::Other,
            ),
            Command::Estimate(estimate) => {
                let job = estimate.job.clone();
                self.add(Lane::Light, job, Work::Estimate(estimate), Kind::Other)
            }
            Command::Check(check) => {
                let job = check.job.clone();
                self.add(Lane::Heavy, job, Work::Check(check), Kind::Other)
            }
            Command::Compare(compare) => {
                let job = compare.job.clone();
                self.add(Lane::Heavy, job, Work::Compare(compare), Kind::Other)
            }
            Command::Export(export) => {
                let job = export.job.clone();
                self.add(Lane::Light, job, Work::Export(export), Kind::Other)
            }
            Command::Devices(asked) => self.add(Lane::Quick, asked.job, Work::Devices, Kind::Other),
            Command::ChatTurn(turn) => self.turn(turn),
            Command::ChatInterrupt(asked) => self.with_chat(asked.job, |chat| {
                chat.reply_stop.raise();
                chat.reply_stop = StopFlag::default();
            }),
            Command::ChatEnd(asked) => self.with_chat(asked.job, |chat| chat.turns = None),
            Command::Stop(asked) => self.ask(asked.job, Request::Pause),
            Command::Keep(asked) => self.ask(asked.job, Request::Keep),
            Command::Models(asked) => {
                let job = asked.job.clone();
                self.add(Lane::Light, job, Work::Models(asked), Kind::Other)
            }
            // The reader ends on it, which closes the schedule.
            Command::Shutdown => Ok(()),
        }
    }

    fn add(
        &self,
        lane: Lane,
        id: JobId,
        work: Work,
        kind: Kind,
    ) -> Result<(), (JobId, ErrorReport)> {
        let mut state = self.lock();
        if state.jobs.contains_key(&id) {
            let report = ErrorReport::new(
                "job_exists",
                format!("a job named {id} has not ended yet"),
                "give each job a name of its own",
            );
            return Err((id, report));
        }
        let stop = StopFlag::default();
        state.jobs.insert(
            id.clone(),
            Entry {
                lane,
                stop: stop.clone(),
                kind,
            },
        );
        let ahead = state.lane(lane).queue.len() + usize::from(state.lane(lane).busy);
        // Told under the lock: the lane must not be able to say anything of this job before.
        if ahead > 0 {
            self.outbox.send(Event::Queued { ahead }.of(&id));
        }
        state.lane(lane).queue.push_back(Job { id, work, stop });
        self.wake.notify_all();
        Ok(())
    }

    fn turn(&self, turn: ChatTurn) -> Result<(), (JobId, ErrorReport)> {
        let mut refused = None;
        let job = turn.job.clone();
        self.with_chat(job.clone(), |chat| {
            let turn = Turn {
                turn,
                stop: chat.reply_stop.clone(),
            };
            refused = match &chat.turns {
                None => Some("the chat was told to end"),
                Some(turns) => match turns.try_send(turn) {
                    Ok(()) => None,
                    Err(TrySendError::Full(_)) => Some("too many turns wait for their replies"),
                    Err(TrySendError::Disconnected(_)) => Some("the chat is ending"),
                },
            };
        })?;
        if let Some(problem) = refused {
            let report =
                ErrorReport::new("turn_refused", problem, "wait for the chat's next event");
            self.outbox.send(Event::TurnFailed(report).of(&job));
        }
        Ok(())
    }

    fn with_chat(
        &self,
        id: JobId,
        change: impl FnOnce(&mut ChatEntry),
    ) -> Result<(), (JobId, ErrorReport)> {
        let mut state = self.lock();
        match state.jobs.get_mut(&id) {
            None => Err(unknown_job(id)),
            Some(Entry {
                kind: Kind::Chat(chat),
                ..
            }) => {
                change(chat);
                Ok(())
            }
            Some(_) => {
                let report = ErrorReport::new(
                    "not_a_chat",
                    format!("the job {id} is not a chat"),
                    "open one with the command chat",
                );
                Err((id, report))
            }
        }
    }

    fn ask(&self, id: JobId, request: Request) -> Result<(), (JobId, ErrorReport)> {
        let mut state = self.lock();
        let Some(entry) = state.jobs.get_mut(&id) else {
            return Err(unknown_job(id));
        };
        if request == Request::Keep && !matches!(entry.kind, Kind::Run) {
            let report = ErrorReport::new(
                "not_a_run",
                format!("the job {id} is not a training run, so there is nothing to keep"),
                "send stop to end it",
            );
            return Err((id, report));
        }
        entry.ask(request);
        let lane = entry.lane;
        let queue = &mut state.lane(lane).queue;
        if let Some(place) = queue.iter().position(|job| job.id == id) {
            queue.remove(place);
            state.jobs.remove(&id);
            self.outbox
                .send(Event::Stopped { run: None, step: 0 }.of(&id));
        }
        Ok(())
    }

    /// Stops every job and lets the lanes end.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closing = true;
        let entries = state.jobs.values_mut();
        entries.for_each(|entry| entry.ask(Request::ClientGone));
        for lane in Lane::ALL {
            for job in std::mem::take(&mut state.lane(lane).queue) {
                state.jobs.remove(&job.id);
                self.outbox
                    .send(Event::Stopped { run: None, step: 0 }.of(&job.id));
            }
        }
        self.wake.notify_all();
    }

    /// Waits for a lane's next job; `None` when there will be no more.
    pub fn next(&self, lane: Lane) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.lane(lane).queue.pop_front() {
                state.lane(lane).busy = true;
                for (before, waiting) in state.lane(lane).queue.iter().enumerate() {
                    self.outbox
                        .send(Event::Queued { ahead: before + 1 }.of(&waiting.id));
                }
                return Some(job);
            }
            if state.closing {
                return None;
            }
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A lane is done with a job; its name may be used again once `end` is told.
    pub fn finish(&self, lane: Lane, id: &JobId, end: Event) {
        let mut state = self.lock();
        state.jobs.remove(id);
        state.lane(lane).busy = false;
        self.outbox.send(end.of(id));
    }
}

fn unknown_job(id: JobId) -> (JobId, ErrorReport) {
    let report = ErrorReport::new(
        "unknown_job",
        format!("there is no job named {id}, or it has ended"),
        "name a job that has not ended",
    );
    (id, report)
}
