//! Runs that are trained alike before they are compared: what is asked, and how far they have come.

use std::path::Path;

use stepladder_protocol::{Event, MatchedRuns, Phase, TrainMatched};

use super::asking::whole;
use crate::state::chat::sampling::SamplerWrong;
use crate::state::setup::BUILTIN;
use crate::state::{Effect, Picker};

/// Methods that are trained alike.
const METHODS: usize = 3;
/// Runs of each.
const SEEDS: usize = 3;

/// What the user set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatchedAction {
    /// Takes the dataset inside the program.
    BuiltinData,
    /// Asked for a dialog that names a dataset.
    PickData,
    /// Typed how many runs of each method there are.
    Seeds(String),
    /// Typed how many steps each takes.
    Steps(String),
    /// Wants it quick, or thorough.
    Quick(bool),
}

/// What is trained alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Training {
    /// A file or folder that is trained on; none: the dataset inside the program.
    pub data: Option<String>,
    /// Runs of each method, as it is typed.
    pub seeds: String,
    /// Steps of each, as it is typed.
    pub steps: String,
    /// A third of the steps, and a hundred questions.
    pub quick: bool,
}

impl Training {
    /// Takes what the user did.
    pub fn act(&mut self, action: MatchedAction, effects: &mut Vec<Effect>) {
        match action {
            MatchedAction::BuiltinData => self.data = None,
            MatchedAction::PickData => effects.push(Effect::Pick(Picker::MatchedData)),
            MatchedAction::Seeds(text) => self.seeds = text,
            MatchedAction::Steps(text) => self.steps = text,
            MatchedAction::Quick(quick) => self.quick = quick,
        }
    }

    /// A dataset was chosen.
    pub fn train_on(&mut self, path: &Path) {
        self.data = Some(path.display().to_string());
    }

    /// How many runs of each method are asked for.
    ///
    /// # Errors
    /// When what is typed is no such number.
    pub fn seeds(&self) -> Result<Option<usize>, SamplerWrong> {
        whole(&self.seeds)
    }

    /// How many steps are asked for.
    ///
    /// # Errors
    /// When what is typed is no such number.
    pub fn steps(&self) -> Result<Option<usize>, SamplerWrong> {
        whole(&self.steps)
    }

    /// Whether anything that is typed cannot be read.
    pub fn is_wrong(&self) -> bool {
        self.seeds().is_err() || self.steps().is_err()
    }

    /// Runs of all methods.
    pub fn runs(&self) -> usize {
        { self.seeds().ok().flatten().unwrap_or(SEEDS) }.saturating_mul(METHODS)
    }

    /// As it is sent.
    pub fn wanted(&self) -> TrainMatched {
        TrainMatched {
            data: vec![self.data.clone().unwrap_or_else(|| BUILTIN.to_owned())],
            seeds: self.seeds().ok().flatten().unwrap_or(SEEDS),
            steps: self.steps().ok().flatten(),
            quick: self.quick,
        }
    }
}

/// How far the runs have come.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchedProgress {
    /// What is trained.
    pub runs: MatchedRuns,
    /// The run that is under way; none before the first.
    pub at: Option<usize>,
    /// Runs that an earlier call had finished.
    pub were_finished: usize,
    /// Updates of the run under way.
    pub step: usize,
    /// Updates in all of it; 0 before that is known.
    pub total: usize,
    /// Its latest loss.
    pub loss: Option<f64>,
    /// Its latest loss on held-out examples.
    pub held_out: Option<f64>,
    /// The stage it is in.
    pub phase: Option<Phase>,
}

impl MatchedProgress {
    /// They begin.
    pub fn new(runs: MatchedRuns) -> Self {
        let total = runs.steps.unwrap_or(0);
        Self {
            runs,
            at: None,
            were_finished: 0,
            step: 0,
            total,
            loss: None,
            held_out: None,
            phase: None,
        }
    }

    /// Takes an event of the run under way.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::MatchedRun(begun) => {
                self.at = Some(begun.run);
                self.were_finished += usize::from(begun.was_finished);
                self.step = 0;
                self.total = self.runs.steps.unwrap_or(0);
                (self.loss, self.held_out, self.phase) = (None, None, None);
            }
            Event::Started(started) => {
                self.total = started.total_steps;
                self.step = started.first_step;
            }
            Event::Phase { phase } => self.phase = Some(*phase),
            Event::Step(row) => {
                self.step = row.step;
                self.loss = row.loss;
                self.phase = Some(Phase::Training);
            }
            Event::Evaluation(row) => self.held_out = row.loss,
            _ => {}
        }
    }

    /// The part of all runs that is done.
    pub fn share(&self) -> f32 {
        let runs = self.runs.runs.len().max(1) as f32;
        let inside = self.step as f32 / self.total.max(1) as f32;
        ((self.at.unwrap_or(0) as f32 + inside.min(1.0)) / runs).min(1.0)
    }
}
