//! The keys that do something wherever one is on a page: which they are, and what each does in a state.
//! Keys of a single control are that control's own.

use egui::{FocusDirection, Key, KeyboardShortcut, Modifiers, Popup, Ui};

use super::Actions;
use super::runs::row_id;
use crate::state::compare::{CompareAction, Shown};
use crate::state::runs::RunsAction;
use crate::state::runs::run::{Offer, RunKey};
use crate::state::runs::view::ViewAction;
use crate::state::setup::SetupAction;
use crate::state::setup::ready::Ready;
use crate::state::{Action, Page, Picker, State};
use crate::words::shell;

/// Something that keys do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// Open a page.
    Open(Page),
    /// Begin the run that is set up.
    Start,
    /// Add dataset files.
    AddFiles,
    /// Look at the run above in the list.
    Previous,
    /// Look at the run below.
    Next,
    /// Give the run another name.
    Rename,
    /// Ask before the run goes to the bin.
    Delete,
}

/// What has the keyboard, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keyboard {
    /// A dialog: nothing else hears keys.
    Dialog,
    /// A text field or a menu, which has its own use for most keys.
    Text,
    /// A run of the list, or nothing.
    List,
    /// Any other control.
    Control,
}

impl Shortcut {
    const ALL: [Self; 11] = [
        Self::Open(Page::FineTune),
        Self::Open(Page::Runs),
        Self::Open(Page::Compare),
        Self::Open(Page::Chat),
        Self::Open(Page::Settings),
        Self::Start,
        Self::AddFiles,
        Self::Previous,
        Self::Next,
        Self::Rename,
        Self::Delete,
    ];

    fn keys(self) -> KeyboardShortcut {
        let (modifiers, key) = match self {
            Self::Open(Page::FineTune) => (Modifiers::COMMAND, Key::Num1),
            Self::Open(Page::Runs) => (Modifiers::COMMAND, Key::Num2),
            Self::Open(Page::Compare) => (Modifiers::COMMAND, Key::Num3),
            Self::Open(Page::Chat) => (Modifiers::COMMAND, Key::Num4),
            Self::Open(Page::Settings) => (Modifiers::COMMAND, Key::Num5),
            Self::Start => (Modifiers::COMMAND, Key::Enter),
            Self::AddFiles => (Modifiers::COMMAND, Key::O),
            Self::Previous => (Modifiers::NONE, Key::ArrowUp),
            Self::Next => (Modifiers::NONE, Key::ArrowDown),
            Self::Rename => (Modifiers::NONE, Key::F2),
            Self::Delete => (Modifiers::NONE, Key::Delete),
        };
        KeyboardShortcut::new(modifiers, key)
    }

    fn is_heard(self, keyboard: Keyboard) -> bool {
        match (keyboard, self) {
            (Keyboard::Dialog, _) => false,
            (_, Self::Open(_) | Self::Start | Self::AddFiles) => true,
            (Keyboard::Text, _) => false,
            // Elsewhere arrows lead from control to control.
            (keyboard, Self::Previous | Self::Next) => keyboard == Keyboard::List,
            (_, Self::Rename | Self::Delete) => true,
        }
    }

    /// What it does now; none: it means nothing here.
    fn actions(self, state: &State) -> Option<Vec<Action>> {
        match self {
            Self::Open(page) => Some(vec![Action::Go(page)]),
            Self::Start if state.page == Page::FineTune => {
                let is_ready = matches!(state.setup.ready(), Ready::Go(_));
                let start = is_ready.then_some(Action::Setup(SetupAction::Start));
                Some(start.into_iter().collect())
            }
            Self::Start if state.page == Page::Compare && state.compare.shown == Shown::Asking => {
                let is_ready = state.compare.ready().is_ok();
                let start = is_ready.then_some(Action::Compare(CompareAction::Start));
                Some(start.into_iter().collect())
            }
            Self::AddFiles => {
                let go = (state.page != Page::FineTune).then_some(Action::Go(Page::FineTune));
                let pick = Action::Setup(SetupAction::Pick(Picker::DataFiles));
                Some(go.into_iter().chain([pick]).collect())
            }
            Self::Previous | Self::Next if state.page == Page::Runs => {
                let key = beside(state, self)?;
                let choose = RunsAction::View(ViewAction::Choose(key));
                Some(vec![Action::Runs(choose)])
            }
            Self::Rename => with_run(state, Offer::Rename),
            Self::Delete => with_run(state, Offer::Delete),
            Self::Start | Self::Previous | Self::Next => None,
        }
    }
}

/// The run above or below the one that is looked at; at an end, that one itself.
fn beside(state: &State, way: Shortcut) -> Option<RunKey> {
    let keys: Vec<RunKey> = state.runs.found().map(|run| run.key).collect();
    let chosen = { keys.iter() }.position(|key| Some(*key) == state.runs.view.chosen);
    let place = match (chosen, way) {
        (Some(place), Shortcut::Previous) => place.saturating_sub(1),
        (Some(place), _) => (place + 1).min(keys.len() - 1),
        (None, _) => 0,
    };
    keys.get(place).copied()
}

/// What is offered of the run that is looked at.
fn with_run(state: &State, offer: Offer) -> Option<Vec<Action>> {
    if state.page != Page::Runs || state.runs.view.compares() {
        return None;
    }
    let run = { state.runs.chosen() }.filter(|run| run.offers_to(offer))?;
    Some(vec![Action::Runs(RunsAction::Do(run.key, offer))])
}

/// Takes the keys that were pressed, before any control sees them.
pub fn take(ui: &Ui, state: &State, actions: &mut Actions) {
    let keyboard = keyboard(ui, state);
    for shortcut in Shortcut::ALL {
        if !shortcut.is_heard(keyboard) {
            continue;
        }
        let Some(does) = shortcut.actions(state) else {
            continue;
        };
        if ui.input_mut(|input| input.consume_shortcut(&shortcut.keys())) {
            hand_over(ui, &does);
            actions.extend(does);
        }
    }
}

/// The keyboard goes with the run that is looked at, and is free for a name that is to be typed.
fn hand_over(ui: &Ui, does: &[Action]) {
    ui.memory_mut(|memory| match (does, memory.focused()) {
        ([Action::Runs(RunsAction::View(ViewAction::Choose(key)))], _) => {
            memory.request_focus(row_id(*key));
            // The arrow has done its part.
            memory.move_focus(FocusDirection::None);
        }
        ([Action::Runs(RunsAction::Do(_, Offer::Rename))], Some(focused)) => {
            memory.surrender_focus(focused);
        }
        _ => {}
    });
}

fn keyboard(ui: &Ui, state: &State) -> Keyboard {
    if ui.memory(|memory| memory.top_modal_layer().is_some()) {
        return Keyboard::Dialog;
    }
    if ui.text_edit_focused() || Popup::is_any_open(ui.ctx()) {
        return Keyboard::Text;
    }
    let focused = ui.memory(|memory| memory.focused());
    let is_run = |id| state.runs.found().any(|run| row_id(run.key) == id);
    match focused.is_none_or(is_run) {
        true => Keyboard::List,
        false => Keyboard::Control,
    }
}

/// A hint for what the pointer is on, with the keys that do the same.
pub fn hint(ui: &Ui, text: &str, shortcut: Shortcut) -> String {
    shell::with_keys(text, &keys(ui, shortcut))
}

/// The keys alone.
pub fn keys(ui: &Ui, shortcut: Shortcut) -> String {
    ui.ctx().format_shortcut(&shortcut.keys())
}
