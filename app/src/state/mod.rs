//! What the window knows and decides, as plain data: no pixels, no files, no processes, no clock.
//!
//! Three kinds of things pass through here. An [`Action`] is what the user did; [`News`] is what came
//! from outside: events of the workers, answers of the disk, chosen files; an [`Effect`] is what is
//! asked of the outside in turn. [`State::act`] and [`State::hear`] take the first two, effects are
//! fetched with [`State::take_effects`]. So every path through the window is a test without a window.

pub mod chat;
pub mod closing;
pub mod compare;
pub mod device;
pub mod models;
pub mod runs;
pub mod settings;
pub mod setup;

use std::path::PathBuf;

use stepladder_protocol::{Command, CompareCommand, EventLine, JobId, RunConfig};

use self::chat::{Beside, Chat, ChatAction};
use self::closing::{Closing, ClosingAction};
use self::compare::figures::Charts;
use self::compare::stored::SavedAs;
use self::compare::{Compare, CompareAction};
use self::device::Device;
use self::models::{Models, ModelsAction};
use self::runs::{DiskAnswer, DiskRequest, Runs, RunsAction};
use self::settings::{Settings, SettingsAction};
use self::setup::{Setup, SetupAction};

/// A page of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// From a dataset to a run.
    #[default]
    FineTune,
    /// Runs, live and past.
    Runs,
    /// Variants of a model that answer the same questions.
    Compare,
    /// Talking to a model and to what was made of it.
    Chat,
    /// What is set once, and the models of this machine.
    Settings,
}

/// A worker process, by what it is for. Looking never waits for training, and what training measures
/// of its memory is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Desk {
    /// Inspects, estimates, lists, exports.
    Looking,
    /// Trains; it holds the device, and ends when nothing is left to train.
    Training,
    /// Answers on the Chat page; it holds one model, and ends when another is chosen.
    Chatting,
    /// Makes a comparison, and ends with it.
    Comparing,
}

/// Something the user did.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Opened a page.
    Go(Page),
    /// On the Fine-tune page.
    Setup(SetupAction),
    /// On the Runs page.
    Runs(RunsAction),
    /// On the Compare page.
    Compare(CompareAction),
    /// On the Chat page.
    Chat(ChatAction),
    /// On the Settings page.
    Settings(SettingsAction),
    /// In the list of models.
    Models(ModelsAction),
    /// About closing the window.
    Closing(ClosingAction),
    /// Read a notice and closed it.
    Dismiss(usize),
    /// Asked to see a file or folder in the system's file browser.
    Show(PathBuf),
    /// Asked for a text on the clipboard.
    Copy(String),
}

/// Something that came from outside.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all news are events, and each is moved once"
)]
pub enum News {
    /// A worker said something.
    Event(Desk, EventLine),
    /// The run of a job is written to this folder.
    TrainingIn(JobId, PathBuf),
    /// The comparison of a job is written to this folder.
    ComparingIn(JobId, PathBuf),
    /// Files were chosen in a dialog; none: it was closed.
    Picked(Picker, Vec<PathBuf>),
    /// Files were dropped on the window.
    Dropped(Vec<PathBuf>),
    /// The disk answered.
    Disk(DiskAnswer),
    /// The window is to be closed.
    CloseAsked,
    /// Why no card computes, though the looking worker sees some.
    CardsRefused(String),
    /// Something the user should know that belongs to no page.
    Notice(String),
}

/// Something asked of the outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a command to a worker, which is started if need be. However it goes, its job ends exactly
    /// once.
    Send(Desk, Box<Command>),
    /// Begin a run, or go on with one; answered with [`News::TrainingIn`].
    Train {
        /// The job.
        job: JobId,
        /// What to do.
        config: Box<RunConfig>,
        /// The run to go on with; none: a new one.
        resume: Option<PathBuf>,
    },
    /// Make a comparison, or go on with one; answered with [`News::ComparingIn`].
    Compare {
        /// What to do; its folder is chosen by whoever starts the worker.
        command: Box<CompareCommand>,
        /// The comparison to go on with; none: a new one.
        go_on: Option<PathBuf>,
    },
    /// Draw the charts of a comparison as a picture, and save it.
    SaveCharts {
        /// What they show.
        charts: Box<Charts>,
        /// Where to.
        to: PathBuf,
    },
    /// Let a worker save what it does and end, which frees the device.
    EndWorker(Desk),
    /// End a worker at once: it does not answer.
    KillWorker(Desk),
    /// Ask the user for files.
    Pick(Picker),
    /// Ask the disk.
    Disk(DiskRequest),
    /// Keep the settings.
    SaveSettings(Box<Settings>),
    /// Show a file or folder in the system's file browser.
    Show(PathBuf),
    /// Put a text on the clipboard.
    Copy(String),
    /// Open a page of the web in the system's browser.
    OpenLink(String),
    /// Close the window now.
    CloseWindow,
    /// Minimize the window.
    Minimize,
    /// Bring the window to the front: it asks something.
    ToFront,
}

/// A question for files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Picker {
    /// A folder with a model.
    ModelFolder,
    /// A `.gguf` file.
    ModelFile,
    /// Dataset files.
    DataFiles,
    /// A folder of dataset files.
    DataFolder,
    /// A chat template.
    TemplateFile,
    /// A folder for the runs.
    RunsFolder,
    /// A folder to search for models.
    ModelsFolder,
    /// A folder to export to.
    ExportFolder,
    /// A file of questions.
    Questions,
    /// A dataset that methods are trained on alike.
    MatchedData,
    /// A place for a file of a comparison.
    SaveComparison(SavedAs),
}

/// Everything the window knows.
#[derive(Debug)]
pub struct State {
    /// The page that is shown.
    pub page: Page,
    /// The Fine-tune page.
    pub setup: Setup,
    /// The Runs page.
    pub runs: Runs,
    /// The Compare page.
    pub compare: Compare,
    /// The Chat page.
    pub chat: Chat,
    /// The device chip.
    pub device: Device,
    /// The models of this machine.
    pub models: Models,
    /// The settings.
    pub settings: Settings,
    /// Whether the window is about to close.
    pub closing: Closing,
    /// Sentences at the edge of the window until they are dismissed, oldest first.
    pub notices: Vec<String>,
    /// Seconds since 1970, as of this frame.
    pub now: f64,
    /// When something was put on the clipboard.
    copied_at: Option<f64>,
    effects: Vec<Effect>,
}

/// How long it is told that something was copied.
const COPIED_SECS: f64 = 2.0;

/// The device that has no memory of its own.
const CPU: &str = "cpu";

/// More notices than this push the oldest out.
const MAX_NOTICES: usize = 5;

impl State {
    /// What there is when the window opens.
    pub fn new(settings: Settings, now: f64) -> Self {
        let mut effects = Vec::new();
        let mut state = Self {
            page: Page::default(),
            setup: Setup::new(&settings, &mut effects),
            runs: Runs::new(&settings, &mut effects),
            compare: Compare::new(&settings),
            chat: Chat::new(&settings),
            device: Device::default(),
            models: Models::new(&settings, &mut effects),
            settings,
            closing: Closing::default(),
            notices: Vec::new(),
            now,
            copied_at: None,
            effects,
        };
        state.tick(now);
        state
    }

    /// Notes the time, and does what is due.
    pub fn tick(&mut self, now: f64) {
        self.now = now;
        // A clock that was set back ends it too.
        let is_over = |at: f64| !(at..at + COPIED_SECS).contains(&now);
        if self.copied_at.is_some_and(is_over) {
            self.copied_at = None;
        }
        self.setup.tick(now, &mut self.effects);
        self.runs.tick(now, &mut self.effects);
        let beside = self.beside();
        self.chat.beside(beside, now, &mut self.effects);
        self.compare.beside(beside, &mut self.effects);
        self.compare.tick();
    }

    fn computes_on_cpu(&self) -> bool {
        { self.device.named(&self.settings.device) }.is_none_or(|device| device.id == CPU)
    }

    /// What a run that trains means for a chat and for a comparison. Of a processor's memory there is enough for both.
    fn beside(&self) -> Beside {
        let device = self.device.named(&self.settings.device);
        match (self.runs.is_training(), device) {
            (false, _) => Beside::Nothing,
            (true, Some(device)) if device.id != CPU => Beside::NotNow,
            (true, _) => Beside::Slower,
        }
    }

    /// Seconds until [`Self::tick`] has something to do although nothing happens, or what is shown is
    /// out of date: how long ago something was is told in minutes.
    pub fn next_tick_secs(&self) -> f64 {
        let due = self.setup.next_tick_secs(self.now);
        let copied = { self.copied_at }.map_or(f64::INFINITY, |at| at + COPIED_SECS - self.now);
        { due.min(self.runs.next_tick_secs(self.now)).min(60.0) }.min(copied.max(0.05))
    }

    /// Whether something was put on the clipboard a moment ago.
    pub fn has_just_copied(&self) -> bool {
        self.copied_at.is_some()
    }

    /// Takes what the user did.
    pub fn act(&mut self, action: Action) {
        let computes_on_cpu = self.computes_on_cpu();
        let effects = &mut self.effects;
        match action {
            Action::Go(page) => {
                self.page = page;
                if page == Page::Runs {
                    self.runs.opened(effects);
                }
                if page == Page::Compare {
                    self.compare.opened(&self.runs, effects);
                }
                if page == Page::Chat {
                    self.chat.opened(effects);
                }
            }
            Action::Setup(SetupAction::Start) => {
                if let Some(config) = self.setup.run_config(&self.settings) {
                    self.runs.start(config, effects);
                    self.page = Page::Runs;
                }
            }
            Action::Setup(action) => self.setup.act(action, effects),
            Action::Runs(RunsAction::AgainWithChanges(config)) => {
                self.setup.load(*config, effects);
                self.page = Page::FineTune;
            }
            Action::Runs(action) => self.runs.act(action, effects),
            Action::Compare(action) => {
                let was_on = self.compare.is_on();
                self.compare.act(action, &self.runs, effects);
                if !was_on && self.compare.is_on() && !computes_on_cpu {
                    // A card has room for one of them; the next message loads the chat's model again.
                    self.chat.act(ChatAction::Free, self.now, effects);
                }
            }
            Action::Chat(action) => self.chat.act(action, self.now, effects),
            Action::Settings(action) => {
                self.settings.act(action, effects);
                self.setup.settings_changed(&self.settings, effects);
                self.models.settings_changed(&self.settings, effects);
                self.runs.settings_changed(&self.settings, effects);
                self.chat.settings_changed(&self.settings);
                self.compare.settings_changed(&self.settings);
            }
            Action::Models(ModelsAction::Use(target)) => {
                self.setup.act(SetupAction::Model(target), effects);
                self.page = Page::FineTune;
            }
            Action::Models(action) => self.models.act(action, effects),
            Action::Closing(action) => self.closing.act(action, &mut self.runs, effects),
            Action::Dismiss(place) => {
                if place < self.notices.len() {
                    self.notices.remove(place);
                }
            }
            Action::Show(path) => effects.push(Effect::Show(path)),
            Action::Copy(text) => {
                self.copied_at = Some(self.now);
                effects.push(Effect::Copy(text));
            }
        }
    }

    /// Takes what came from outside.
    pub fn hear(&mut self, news: News) {
        let effects = &mut self.effects;
        match news {
            News::Event(_, EventLine { job: None, .. }) => {}
            News::Event(
                _,
                EventLine {
                    event,
                    job: Some(job),
                },
            ) => match job.0.split('/').next() {
                Some(setup::JOBS) => self.setup.hear(&job, event, effects),
                Some(runs::JOBS) => {
                    self.runs.hear(&job, event, self.now, effects);
                    self.closing.after(&self.runs, effects);
                }
                Some(device::JOBS) => self.device.hear(event),
                Some(compare::JOBS) => self.compare.hear(&job, event, effects),
                Some(chat::JOBS) => self.chat.hear(&job, event, self.now, effects),
                Some(models::JOBS) => self.models.hear(&job, event),
                _ => {}
            },
            News::TrainingIn(job, folder) => self.runs.training_in(&job, folder),
            News::ComparingIn(job, folder) => self.compare.comparing_in(&job, folder),
            News::Picked(_, paths) if paths.is_empty() => {}
            News::Picked(picker, paths) => match picker {
                Picker::RunsFolder | Picker::ModelsFolder => {
                    self.settings.picked(picker, paths, effects);
                    self.models.settings_changed(&self.settings, effects);
                    self.runs.settings_changed(&self.settings, effects);
                }
                Picker::ExportFolder => self.runs.picked(paths, effects),
                Picker::Questions | Picker::MatchedData | Picker::SaveComparison(_) => {
                    self.compare.picked(picker, paths, effects);
                }
                _ => self.setup.picked(picker, paths, effects),
            },
            News::Dropped(paths) if self.page == Page::Compare && self.compare.takes_files() => {
                self.compare.picked(Picker::Questions, paths, effects);
            }
            News::Dropped(paths) => {
                self.page = Page::FineTune;
                self.setup.dropped(paths, effects);
            }
            News::Disk(DiskAnswer::LookedAt(dropped)) => self.setup.looked_at(dropped, effects),
            News::Disk(DiskAnswer::ModelDeleted { result, .. }) => {
                if let Some(notice) = self.models.deleted(result, effects) {
                    self.notice(notice);
                }
            }
            News::Disk(DiskAnswer::Conversations(answer)) => {
                for notice in self.chat.disk(answer, effects) {
                    self.notice(notice);
                }
            }
            News::Disk(DiskAnswer::Comparisons(answer)) => {
                if let Some(notice) = self.compare.disk(answer, effects) {
                    self.notice(notice);
                }
            }
            News::Disk(answer) => {
                let notice = self.runs.disk(answer, effects);
                self.compare.asking.runs_changed(&self.runs.runs);
                if let Some(notice) = notice {
                    self.notice(notice);
                }
            }
            News::CloseAsked => self.closing.asked(&self.runs, effects),
            News::CardsRefused(reason) => {
                if let Some(notice) = self.device.refuse(&reason) {
                    self.notice(notice);
                }
            }
            News::Notice(text) => self.notice(text),
        }
    }

    fn notice(&mut self, text: String) {
        self.notices.push(text);
        let excess = self.notices.len().saturating_sub(MAX_NOTICES);
        self.notices.drain(..excess);
    }

    /// What is asked of the outside since the last time.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}
