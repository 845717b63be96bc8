//! What a comparison is to ask: the model, who answers, which questions, how answers are drawn.

use std::path::{Path, PathBuf};

use stepladder_protocol::{BASE, CompareCommand, JobId};

use super::matched::{MatchedAction, Training};
use crate::state::chat::sampling::{SamplerField, SamplerWrong, Sampling};
use crate::state::runs::run::{Offer, Run};
use crate::state::setup::BUILTIN;
use crate::state::{Effect, Picker};

/// Questions inside the program.
pub const BUILTIN_QUESTIONS: usize = 200;
/// Questions that are answered side by side where the device gains by it.
const BATCH_SIZE: usize = 8;

/// Who is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// Runs that are there.
    #[default]
    Runs,
    /// Runs that are trained for it, alike.
    Matched,
}

/// Where questions come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Questions {
    /// Those inside the program.
    #[default]
    Builtin,
    /// What the first run held out.
    HeldOut,
    /// A file or folder.
    File(String),
}

/// What is missing before it can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No run is ticked.
    Run,
    /// No file of questions is named.
    Questions,
    /// What is typed in a field cannot be read.
    Field,
    /// Another comparison is under way.
    AnotherIsOn,
    /// A run needs the device.
    NotNow,
}

/// What the primary button will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Who answers, the base included.
    pub variants: usize,
    /// Runs that are trained before.
    pub trained: usize,
    /// How many questions, where that is known.
    pub questions: Option<usize>,
}

/// Why a run cannot be ticked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It was made with another model.
    OtherModel,
    /// It is at work.
    IsOn,
    /// It has no adapter yet.
    NoAdapter,
}

/// What the user set up.
#[derive(Clone, Debug, PartialEq)]
pub enum AskingAction {
    /// Chose who is compared.
    Way(Way),
    /// Chose a model by what `--model` takes.
    Model(String),
    /// Typed a model's path, not sent yet.
    TypeModel(String),
    /// Took the path that was typed.
    UseTypedModel,
    /// Typed into the search of the list of models.
    SearchModels(String),
    /// Ticked a run, or took it out.
    Tick(PathBuf),
    /// Chose where questions come from.
    Questions(Questions),
    /// Asked for a dialog that names a file of questions.
    PickQuestions,
    /// Chose what the others are compared with.
    Baseline(String),
    /// Typed how many questions are asked at most.
    Limit(String),
    /// Typed into a field of the sampler.
    Sample(SamplerField, String),
    /// Showed or hid the sampler.
    Fold,
    /// About what is trained alike.
    Matched(MatchedAction),
}

/// What a comparison is to ask.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Who is compared.
    pub way: Way,
    /// The model, by what `--model` takes.
    pub model: String,
    /// A model's path as it is being typed.
    pub typed: String,
    /// What is searched for in the list of models.
    pub search: String,
    /// Folders of the runs that are ticked, in that order.
    pub ticked: Vec<PathBuf>,
    /// Where questions come from.
    pub questions: Questions,
    /// What the others are compared with: `base` or a run folder's name.
    pub baseline: String,
    /// How many questions are asked at most, as it is typed.
    pub limit: String,
    /// How answers are drawn.
    pub sampling: Sampling,
    /// Whether the sampler is shown.
    pub unfolded: bool,
    /// What is trained alike.
    pub matched: Training,
    /// Whether the user chose the model; otherwise it is that of the latest run.
    chosen: bool,
}

impl Default for Asking {
    fn default() -> Self {
        Self {
            way: Way::default(),
            model: BUILTIN.to_owned(),
            typed: String::new(),
            search: String::new(),
            ticked: Vec::new(),
            questions: Questions::default(),
            baseline: BASE.to_owned(),
            limit: String::new(),
            sampling: Sampling::default(),
            unfolded: false,
            matched: Training::default(),
            chosen: false,
        }
    }
}

/// A run folder's name, which is what a comparison calls its adapter.
pub fn name_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or(folder.as_os_str());
    name.to_string_lossy().into_owned()
}

impl Asking {
    /// Why this run cannot be ticked.
    pub fn unfit(&self, run: &Run) -> Option<Unfit> {
        if run.is_on() {
            Some(Unfit::IsOn)
        } else if !run.offers_to(Offer::Export) {
            Some(Unfit::NoAdapter)
        } else if run.config.model != self.model {
            Some(Unfit::OtherModel)
        } else {
            None
        }
    }

    /// Other runs are there now.
    pub fn runs_changed(&mut self, runs: &[Run]) {
        if !self.chosen && self.ticked.is_empty() {
            let latest = { runs.iter() }.find(|run| run.offers_to(Offer::Export));
            if let Some(latest) = latest {
                self.take_model(latest.config.model.clone());
            }
        }
        let fits = |folder: &PathBuf| {
            { runs.iter() }
                .any(|run| run.folder.as_ref() == Some(folder) && self.unfit(run).is_none())
        };
        let ticked: Vec<PathBuf> = { self.ticked.iter().filter(|folder| fits(folder)) }
            .cloned()
            .collect();
        self.ticked = ticked;
        self.check_baseline();
    }

    fn take_model(&mut self, model: String) {
        if model == self.model {
            return;
        }
        self.model = model;
        self.ticked.clear();
        self.check_baseline();
        // The built-in model is asked its own questions, others what their runs held out.
        self.questions = match (std::mem::take(&mut self.questions), self.is_builtin()) {
            (Questions::File(path), _) => Questions::File(path),
            (_, true) => Questions::Builtin,
            (_, false) => Questions::HeldOut,
        };
    }

    /// Whether the model is the one inside the program.
    pub fn is_builtin(&self) -> bool {
        self.model == BUILTIN
    }

    fn check_baseline(&mut self) {
        if !{ self.ticked.iter() }.any(|folder| name_of(folder) == self.baseline) {
            BASE.clone_into(&mut self.baseline);
        }
    }

    /// A file of questions was chosen, or dropped on the window.
    pub fn questions_from(&mut self, path: &Path) {
        self.questions = Questions::File(path.display().to_string());
    }

    /// Takes what the user did.
    pub fn act(&mut self, action: AskingAction, runs: &[Run], effects: &mut Vec<Effect>) {
        match action {
            AskingAction::Way(way) => self.way = way,
            AskingAction::Model(model) => {
                self.chosen = true;
                self.take_model(model);
            }
            AskingAction::TypeModel(typed) => self.typed = typed,
            AskingAction::UseTypedModel => {
                let typed = std::mem::take(&mut self.typed).trim().to_owned();
                if !typed.is_empty() {
                    self.chosen = true;
                    self.take_model(typed);
                }
            }
            AskingAction::SearchModels(search) => self.search = search,
            AskingAction::Tick(folder) => {
                let before = self.ticked.len();
                self.ticked.retain(|ticked| *ticked != folder);
                let is_it = |run: &&Run| run.folder.as_ref() == Some(&folder);
                let run = runs.iter().find(is_it);
                if self.ticked.len() == before && run.is_some_and(|run| self.unfit(run).is_none()) {
                    self.ticked.push(folder);
                }
                self.check_baseline();
            }
            AskingAction::Questions(questions) => self.questions = questions,
            AskingAction::PickQuestions => effects.push(Effect::Pick(Picker::Questions)),
            AskingAction::Baseline(name) => {
                self.baseline = name;
                self.check_baseline();
            }
            AskingAction::Limit(text) => self.limit = text,
            AskingAction::Sample(field, text) => self.sampling.type_in(field, text),
            AskingAction::Fold => self.unfolded = !self.unfolded,
            AskingAction::Matched(action) => self.matched.act(action, effects),
        }
    }

    /// How many questions are asked at most.
    ///
    /// # Errors
    /// When what is typed is no such number.
    pub fn limit(&self) -> Result<Option<usize>, SamplerWrong> {
        whole(&self.limit)
    }

    /// What the primary button will do.
    ///
    /// # Errors
    /// What is missing.
    pub fn ready(&self) -> Result<Ready, Missing> {
        let matched = self.way == Way::Matched;
        if !matched && self.ticked.is_empty() {
            return Err(Missing::Run);
        }
        let asks = matches!(&self.questions, Questions::File(path) if path.trim().is_empty());
        if asks {
            return Err(Missing::Questions);
        }
        let Ok(limit) = self.limit() else {
            return Err(Missing::Field);
        };
        let wrong = |field: SamplerField| self.sampling.wrong(field).is_some();
        if SamplerField::ALL.into_iter().any(wrong) || (matched && self.matched.is_wrong()) {
            return Err(Missing::Field);
        }
        let limit = limit.or((matched && self.matched.quick).then_some(100));
        let questions = match self.questions {
            Questions::Builtin => Some(limit.unwrap_or(usize::MAX).min(BUILTIN_QUESTIONS)),
            _ => limit,
        };
        let trained = match matched {
            true => self.matched.runs(),
            false => 0,
        };
        let adapters = if matched { trained } else { self.ticked.len() };
        Ok(Ready {
            variants: 1 + adapters,
            trained,
            questions,
        })
    }

    /// As it is sent.
    pub fn command(&self, job: JobId, device: &str) -> CompareCommand {
        let matched = self.way == Way::Matched;
        CompareCommand {
            job,
            model: self.model.clone(),
            adapters: match matched {
                true => Vec::new(),
                false => self.ticked.clone(),
            },
            train_matched: matched.then(|| self.matched.wanted()),
            data: match &self.questions {
                Questions::Builtin => Some(BUILTIN.to_owned()),
                Questions::HeldOut => None,
                Questions::File(path) => Some(path.trim().to_owned()),
            },
            baseline: match matched {
                true => BASE.to_owned(),
                false => self.baseline.clone(),
            },
            // Whoever starts the worker names the folder.
            out: PathBuf::new(),
            limit: self.limit().ok().flatten(),
            settings: self.sampling.settings(),
            answer_pattern: None,
            batch_size: BATCH_SIZE,
            device: device.to_owned(),
        }
    }
}

/// A whole number from 1, or nothing.
pub(super) fn whole(text: &str) -> Result<Option<usize>, SamplerWrong> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<usize>() {
        Ok(0) => Err(SamplerWrong::Outside(1.0, f64::INFINITY)),
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(SamplerWrong::NotWhole),
    }
}
