//! Closing the window while a run is on: it asks, and waits for the run to be saved.

use super::Effect;
use super::runs::{Runs, RunsAction};

/// What the user answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosingAction {
    /// Go on in the background.
    KeepRunning,
    /// Pause the run, then close.
    PauseAndClose,
    /// Do neither.
    Stay,
    /// Close although the run is still being saved: it goes on from its last checkpoint.
    CloseNow,
}

/// Whether the window is about to close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    /// No.
    #[default]
    No,
    /// The user is asked what becomes of the run.
    Asking,
    /// As soon as the run is saved.
    WhenSaved,
}

impl Closing {
    /// The window is to be closed.
    pub fn asked(&mut self, runs: &Runs, effects: &mut Vec<Effect>) {
        match (runs.is_training(), *self) {
            (false, _) => effects.push(Effect::CloseWindow),
            // Asked again while it waits: whoever insists gets a window that closes; the worker saves
            // what it has when its input ends.
            (true, Self::WhenSaved) => effects.push(Effect::CloseWindow),
            (true, _) => {
                *self = Self::Asking;
                // It may be minimized.
                effects.push(Effect::ToFront);
            }
        }
    }

    /// Takes the answer.
    pub fn act(&mut self, action: ClosingAction, runs: &mut Runs, effects: &mut Vec<Effect>) {
        *self = match action {
            ClosingAction::KeepRunning => {
                effects.push(Effect::Minimize);
                Self::No
            }
            ClosingAction::PauseAndClose if runs.is_training() => {
                runs.act(RunsAction::PauseAll, effects);
                Self::WhenSaved
            }
            ClosingAction::PauseAndClose => {
                effects.push(Effect::CloseWindow);
                Self::No
            }
            ClosingAction::CloseNow => {
                effects.push(Effect::CloseWindow);
                Self::No
            }
            ClosingAction::Stay => Self::No,
        };
    }

    /// Closes once nothing is trained any more.
    pub fn after(&mut self, runs: &Runs, effects: &mut Vec<Effect>) {
        if *self == Self::WhenSaved && !runs.is_training() {
            match runs.could_not_pause() {
                // The user is to see that.
                true => *self = Self::No,
                false => effects.push(Effect::CloseWindow),
            }
        } else if *self == Self::Asking && !runs.is_training() {
            *self = Self::No;
        }
    }
}
