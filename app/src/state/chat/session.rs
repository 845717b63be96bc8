//! The worker's side of the page: one model that is loaded once, and the turns it was asked for. Turns
//! are answered in the order they were asked in, so the reply an event is about is always the first
//! that is still due.

use std::collections::VecDeque;
use std::path::PathBuf;

use stepladder_protocol::{ChatCommand, ChatReady, Command, ErrorReport, JobId, JobRef};

use super::JOBS;
use crate::state::{Desk, Effect};

/// How the model stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Stage {
    /// It is not loaded.
    #[default]
    Off,
    /// It is being loaded.
    Loading,
    /// It answers.
    Ready(ChatReady),
    /// It could not be loaded, or its worker is gone.
    Failed(ErrorReport),
}

/// The place of a reply in the conversation: its exchange, and its column there.
pub type Place = (usize, usize);

/// A chat with a worker.
#[derive(Debug, Default)]
pub struct Session {
    /// How the model stands.
    pub stage: Stage,
    /// What the engine has to say of it.
    pub notices: Vec<String>,
    /// The adapter whose form the model's weights are kept in; none: as they are stored.
    pub loaded_for: Option<PathBuf>,
    jobs: usize,
    /// Replies that are due; `None` where nobody waits for one any more.
    due: VecDeque<Option<Place>>,
}

impl Session {
    /// The job's name.
    pub fn job(&self) -> JobId {
        JobId::new(format!("{JOBS}/{}", self.jobs))
    }

    /// Whether a worker holds the model, or will.
    pub fn is_on(&self) -> bool {
        matches!(self.stage, Stage::Loading | Stage::Ready(_))
    }

    /// What is loaded.
    pub fn ready(&self) -> Option<&ChatReady> {
        match &self.stage {
            Stage::Ready(ready) => Some(ready),
            _ => None,
        }
    }

    /// Loads a model, in a process of its own.
    pub fn load(
        &mut self,
        model: &str,
        adapter: Option<PathBuf>,
        device: &str,
        effects: &mut Vec<Effect>,
    ) {
        self.free(effects);
        self.jobs += 1;
        self.stage = Stage::Loading;
        self.loaded_for.clone_from(&adapter);
        let command = ChatCommand {
            job: self.job(),
            model: model.to_owned(),
            adapter,
            device: device.to_owned(),
        };
        let command = Command::Chat(command);
        effects.push(Effect::Send(Desk::Chatting, Box::new(command)));
    }

    /// Ends the worker, which gives all its memory back.
    pub fn free(&mut self, effects: &mut Vec<Effect>) {
        if self.stage != Stage::Off {
            effects.push(Effect::EndWorker(Desk::Chatting));
        }
        self.over(Stage::Off);
    }

    /// The job is over; gives the replies that will not come.
    pub fn over(&mut self, stage: Stage) -> Vec<Place> {
        self.stage = stage;
        self.notices.clear();
        self.due.drain(..).flatten().collect()
    }

    /// Asks for a reply that belongs here.
    pub fn ask(&mut self, turn: Command, place: Place, effects: &mut Vec<Effect>) {
        effects.push(Effect::Send(Desk::Chatting, Box::new(turn)));
        self.due.push_back(Some(place));
    }

    /// Cuts the replies short that are due.
    pub fn interrupt(&self, effects: &mut Vec<Effect>) {
        if !self.due.is_empty() {
            let interrupt = Command::ChatInterrupt(JobRef { job: self.job() });
            effects.push(Effect::Send(Desk::Chatting, Box::new(interrupt)));
        }
    }

    /// Nobody waits any more for the replies that are due.
    pub fn leave(&mut self) {
        self.due.iter_mut().for_each(|place| *place = None);
    }

    /// The engine has this to say; nothing is told twice.
    pub fn note(&mut self, text: String) {
        if !self.notices.contains(&text) {
            self.notices.push(text);
        }
    }

    /// The reply that events are about.
    pub fn answering(&self) -> Option<Place> {
        self.due.front().copied().flatten()
    }

    /// That reply has ended.
    pub fn answered(&mut self) -> Option<Place> {
        self.due.pop_front().flatten()
    }
}
