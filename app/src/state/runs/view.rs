//! What of the runs is looked at.

use std::collections::BTreeSet;

use super::figures::{Smoothing, Window};
use super::run::RunKey;

/// A part of a run's page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    /// Its figures.
    #[default]
    Curves,
    /// What its model said to held-out prompts.
    Answers,
    /// What happened.
    Log,
    /// Its config, dataset and memory.
    Details,
}

/// How the loss is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scale {
    /// Equal distances are equal differences.
    #[default]
    Linear,
    /// Equal distances are equal factors.
    Logarithmic,
}

/// What of a prompt and its answer can be folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fold {
    /// The prompt as the model saw it.
    Prompt,
    /// What the dataset's answer thinks.
    Reference,
    /// What the model thought.
    Reasoning,
}

/// Another way to look.
#[derive(Clone, Debug, PartialEq)]
pub enum ViewAction {
    /// Look at a run.
    Choose(RunKey),
    /// Lay a run over others, or take it away.
    Tick(RunKey),
    /// Lay none over others.
    TickNone,
    /// Another part of the page.
    Tab(Tab),
    /// Other names in the list.
    Filter(String),
    /// By step or by time.
    Axis(super::columns::XAxis),
    /// The loss's scale.
    Scale(Scale),
    /// The loss's smoothing.
    Smoothing(Smoothing),
    /// A part of the curves; none: all of them.
    Range(Option<[f64; 2]>),
    /// All of the curves, wherever they were dragged to.
    Reset,
    /// The answers of another evaluation, by its step; none: the newest, whichever that is.
    Evaluation(Option<usize>),
    /// Unfold a part of an answer, or fold it.
    Unfold(usize, Fold),
}

/// What of the runs is looked at.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The run.
    pub chosen: Option<RunKey>,
    /// Runs that lie over each other.
    pub ticked: Vec<RunKey>,
    /// The part of its page.
    pub tab: Tab,
    /// Axis, smoothing and range of the curves.
    pub window: Window,
    /// The loss's scale.
    pub scale: Scale,
    /// What names must contain.
    pub filter: String,
    /// How often all was shown again; plots that remember begin anew with each.
    pub resets: u64,
    /// The evaluation whose answers are looked at, by its step; none: the newest.
    pub evaluation: Option<usize>,
    /// Parts of answers that are unfolded, by the prompt's number.
    pub unfolded: BTreeSet<(usize, Fold)>,
}

impl View {
    /// Takes another way to look.
    pub fn act(&mut self, action: ViewAction) {
        match action {
            ViewAction::Choose(key) => {
                if self.chosen != Some(key) || self.compares() {
                    self.chosen = Some(key);
                    // What was pressed is shown, whatever lay over each other.
                    self.ticked.clear();
                    self.evaluation = None;
                    self.unfolded.clear();
                    self.reset();
                }
            }
            ViewAction::Tick(key) => {
                match self.ticked.iter().position(|ticked| *ticked == key) {
                    Some(place) => {
                        self.ticked.remove(place);
                    }
                    None => self.ticked.push(key),
                }
                self.reset();
            }
            ViewAction::TickNone => {
                self.ticked.clear();
                self.reset();
            }
            ViewAction::Tab(tab) => self.tab = tab,
            ViewAction::Filter(filter) => self.filter = filter,
            ViewAction::Axis(axis) => {
                self.window.axis = axis;
                self.reset();
            }
            ViewAction::Scale(scale) => {
                self.scale = scale;
                self.reset();
            }
            ViewAction::Smoothing(smoothing) => self.window.smoothing = smoothing,
            ViewAction::Range(range) => {
                self.window.range = range.filter(|[from, to]| from < to);
            }
            ViewAction::Reset => self.reset(),
            ViewAction::Evaluation(step) => self.evaluation = step,
            ViewAction::Unfold(number, part) => {
                if !self.unfolded.remove(&(number, part)) {
                    self.unfolded.insert((number, part));
                }
            }
        }
    }

    /// Whether the answers of a run are needed.
    pub fn shows_answers_of(&self, key: RunKey) -> bool {
        self.tab == Tab::Answers && self.chosen == Some(key) && !self.compares()
    }

    fn reset(&mut self) {
        self.window.range = None;
        self.resets += 1;
    }

    /// Whether runs lie over each other.
    pub fn compares(&self) -> bool {
        self.ticked.len() > 1
    }

    /// Whether the figures of a run are needed.
    pub fn shows(&self, key: RunKey) -> bool {
        self.chosen == Some(key) || self.ticked.contains(&key)
    }
}
