//! The Fine-tune page: what is chosen, what the engine says of it, and what is missing.
//!
//! The run config is the one truth of the page. After every change it is compared with what the
//! engine was asked last; what differs is asked again once the page has been quiet for a moment, and
//! answers to anything else are dropped.

pub mod choice;
pub mod dataset;
pub mod dropped;
pub mod examples;
pub mod field;
pub mod memory;
pub mod ready;
pub mod wrong;

mod asking;
mod question;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use stepladder_protocol::{DataOptions, ErrorReport, ModelInfo, RunConfig};

use self::choice::Choice;
use self::dataset::{DataAsked, Dataset};
use self::dropped::{Dropped, DroppedKind};
use self::examples::{Browse, Examples};
use self::field::Field;
use self::memory::Memory;
use self::question::Question;
use self::ready::{Missing, Ready, forecast};
use self::wrong::{Wrong, quantize_contradicts, refused};
use super::runs::DiskRequest;
use super::settings::Settings;
use super::{Desk, Effect, Picker};
use crate::words;

/// What the names of its jobs begin with.
pub const JOBS: &str = "setup";

/// The model and the dataset inside the program.
pub const BUILTIN: &str = "builtin";

/// What the user did on the Fine-tune page.
#[derive(Clone, Debug, PartialEq)]
pub enum SetupAction {
    /// Chose a model by what `--model` takes.
    Model(String),
    /// Typed a model's path, not sent yet.
    TypeModel(String),
    /// Took the path that was typed.
    UseTypedModel,
    /// Typed into the search of the list of models.
    SearchModels(String),
    /// Asked for a dialog.
    Pick(Picker),
    /// Took the sample dataset.
    SampleData,
    /// Took a file or folder off the dataset.
    RemoveData(usize),
    /// Said which column a field is read from; none: as it is recognized.
    Map(&'static str, Option<String>),
    /// Showed or hid the columns.
    ShowMapping(bool),
    /// Made a choice.
    Choose(Choice),
    /// Typed into a field.
    Type(Field, String),
    /// Went through the examples.
    Browse(Browse),
    /// Typed the number of a row to go to.
    TypeRow(String),
    /// Stopped reading the dataset.
    CancelReading,
    /// Wants everything asked again that failed or was broken off.
    AskAgain,
    /// Took a way out of too little memory.
    WayOut(usize),
    /// Has seen what was dropped and is nothing.
    ForgetNotTaken,
    /// Put every setting back, and keeps model and dataset.
    Reset,
    /// Pressed the primary button.
    Start,
}

/// The Fine-tune page.
#[derive(Debug)]
pub struct Setup {
    /// What would be trained; the built-in model and dataset at first.
    pub config: RunConfig,
    /// What is known of the model.
    pub model: Model,
    /// What is known of the dataset.
    pub dataset: Dataset,
    /// Examples of it.
    pub examples: Examples,
    /// What is known of the memory.
    pub memory: Memory,
    /// What is typed in fields, where that is more than the config says.
    typed: BTreeMap<Field, String>,
    /// What of that cannot be read.
    unread: BTreeMap<Field, Wrong>,
    /// What is wrong beyond that.
    contradictions: BTreeMap<Field, Wrong>,
    device: String,
    threads: Option<usize>,
    about_model: Question<String>,
    about_data: Question<DataAsked>,
    about_rows: Question<(DataAsked, usize)>,
    about_memory: Question<RunConfig>,
}

/// What is known of the model.
#[derive(Debug, Default)]
pub struct Model {
    /// What the engine says of it.
    pub info: Option<ModelInfo>,
    /// Why it cannot be used.
    pub problem: Option<ErrorReport>,
    /// A path as it is being typed.
    pub typed: String,
    /// What is searched for in the list.
    pub search: String,
}

impl Setup {
    /// The built-in model and dataset, which the engine is asked about at once.
    pub fn new(settings: &Settings, effects: &mut Vec<Effect>) -> Self {
        let mut setup = Self {
            config: field::usual_config(),
            model: Model::default(),
            dataset: Dataset::default(),
            examples: Examples::default(),
            memory: Memory::default(),
            typed: BTreeMap::new(),
            unread: BTreeMap::new(),
            contradictions: BTreeMap::new(),
            device: settings.device.clone(),
            threads: settings.threads,
            about_model: Question::new("model"),
            about_data: Question::new("data"),
            about_rows: Question::new("rows"),
            about_memory: Question::new("memory"),
        };
        setup.examples.restart();
        setup.dataset.sort(&setup.config);
        setup.ask_about_model(effects);
        setup.ask_about_memory(effects);
        setup.ask_about_data(effects);
        setup
    }

    /// Takes the config of an earlier run to be changed.
    pub fn load(&mut self, config: RunConfig, effects: &mut Vec<Effect>) {
        self.config = RunConfig {
            // What the preview shows is what is trained, as the files are now.
            data_fingerprints: Vec::new(),
            ..config
        };
        self.typed.clear();
        self.unread.clear();
        self.examples.restart();
        self.dataset.not_taken.clear();
        self.changed(effects);
    }

    /// Plans for another device or number of threads, if another is chosen.
    pub fn settings_changed(&mut self, settings: &Settings, effects: &mut Vec<Effect>) {
        if self.threads != settings.threads {
            // A process settles how many threads it computes with when it starts.
            effects.push(Effect::EndWorker(Desk::Looking));
            // What it was asked and has not answered goes with it.
            self.about_model.again_if_open();
            self.about_data.again_if_open();
            self.about_memory.again_if_open();
        }
        if (self.device != settings.device) || (self.threads != settings.threads) {
            self.device.clone_from(&settings.device);
            self.threads = settings.threads;
            self.changed(effects);
        }
    }

    /// Takes what the user did.
    pub fn act(&mut self, action: SetupAction, effects: &mut Vec<Effect>) {
        match action {
            SetupAction::Model(model) => self.config.model = model,
            SetupAction::TypeModel(typed) => self.model.typed = typed,
            SetupAction::UseTypedModel => {
                let typed = std::mem::take(&mut self.model.typed);
                if !typed.trim().is_empty() {
                    self.config.model = typed.trim().to_owned();
                }
            }
            SetupAction::SearchModels(search) => self.model.search = search,
            SetupAction::Pick(picker) => effects.push(Effect::Pick(picker)),
            SetupAction::SampleData => self.set_data(vec![BUILTIN.to_owned()]),
            SetupAction::RemoveData(place) => {
                if place < self.config.data.len() {
                    let mut data = self.config.data.clone();
                    data.remove(place);
                    self.set_data(data);
                }
            }
            SetupAction::Map(field, column) => {
                let options = &mut self.config.data_options;
                self.dataset.mapping.say(options, field, column.as_deref());
                self.dataset.mapping_open = true;
            }
            SetupAction::ShowMapping(open) => self.dataset.mapping_open = open,
            SetupAction::Choose(choice) => choice.apply(&mut self.config),
            SetupAction::Type(field, text) => self.type_into(field, text),
            SetupAction::Browse(step) => self.browse(step, effects),
            SetupAction::TypeRow(typed) => {
                let is_part = |c: &char| c.is_ascii_digit() || *c == ',';
                self.examples.jump = typed.chars().filter(is_part).collect();
            }
            SetupAction::CancelReading => {
                self.about_data.stop(effects);
                self.dataset.reading = None;
                self.dataset.canceled = true;
            }
            SetupAction::AskAgain => self.ask_again(),
            SetupAction::WayOut(place) => {
                if let Some(way) = self.memory.ways_out.get(place) {
                    for field in way.take(&mut self.config) {
                        self.typed.remove(field);
                        self.unread.remove(field);
                    }
                }
            }
            SetupAction::ForgetNotTaken => self.dataset.not_taken.clear(),
            SetupAction::Reset => {
                self.config = self.reset_config();
                self.typed.clear();
                self.unread.clear();
            }
            // The state before this one takes it.
            SetupAction::Start => {}
        }
        self.changed(effects);
    }

    /// Every setting as it is by default, for the same model, method and dataset, read the same way.
    fn reset_config(&self) -> RunConfig {
        let config = self.config.clone();
        let read = config.data_options;
        RunConfig {
            model: config.model,
            data: config.data,
            data_fingerprints: config.data_fingerprints,
            data_options: DataOptions {
                format: read.format,
                map: read.map,
                template: read.template,
                ..DataOptions::default()
            },
            method: config.method,
            ..field::usual_config()
        }
    }

    /// Whether a setting differs from its default.
    pub fn is_changed(&self) -> bool {
        !self.unread.is_empty() || self.config != self.reset_config()
    }

    fn set_data(&mut self, data: Vec<String>) {
        if self.config.data != data {
            self.config.data = data;
            self.config.data_fingerprints.clear();
            // Columns were mapped for other files.
            self.config.data_options.map.clear();
            self.examples.restart();
        }
    }

    fn add_data(&mut self, paths: &[PathBuf]) {
        let mut data = self.config.data.clone();
        data.retain(|known| known != BUILTIN);
        for path in paths {
            let name = path.display().to_string();
            if !data.contains(&name) {
                data.push(name);
            }
        }
        self.set_data(data);
    }

    fn type_into(&mut self, field: Field, text: String) {
        match field.set(&mut self.config, &text) {
            Ok(()) => self.unread.remove(&field),
            Err(wrong) => self.unread.insert(field, wrong),
        };
        self.typed.insert(field, text);
    }

    fn browse(&mut self, step: Browse, effects: &mut Vec<Effect>) {
        if self.is_fetching_rows() && !matches!(step, Browse::Row(_)) {
            // Where it leads is not known yet.
            return;
        }
        self.examples.jump.clear();
        if !self.examples.step(step) {
            return;
        }
        match self.about_data.is_open() {
            // It would wait behind the reading; a reading that begins there shows it first.
            true => self.ask_about_data(effects),
            false => self.ask_for_rows(effects),
        }
    }

    /// Takes chosen files.
    pub fn picked(&mut self, picker: Picker, paths: Vec<PathBuf>, effects: &mut Vec<Effect>) {
        match picker {
            Picker::ModelFolder | Picker::ModelFile => self.use_model(paths.first()),
            Picker::DataFiles | Picker::DataFolder => self.add_data(&paths),
            Picker::TemplateFile => {
                if let Some(path) = paths.first() {
                    self.config.data_options.template = path.display().to_string();
                }
            }
            Picker::RunsFolder
            | Picker::ModelsFolder
            | Picker::ExportFolder
            | Picker::Questions
            | Picker::MatchedData
            | Picker::SaveComparison(_) => {}
        }
        self.changed(effects);
    }

    fn use_model(&mut self, path: Option<&PathBuf>) {
        if let Some(path) = path {
            self.config.model = path.display().to_string();
        }
    }

    /// Takes files that were dropped on the window. What they are, the disk tells.
    pub fn dropped(&mut self, paths: Vec<PathBuf>, effects: &mut Vec<Effect>) {
        effects.push(Effect::Disk(DiskRequest::LookAt(paths)));
    }

    /// Takes what was dropped, once the disk has told what it is: a model, data, or both.
    pub fn looked_at(&mut self, dropped: Vec<Dropped>, effects: &mut Vec<Effect>) {
        let of_kind = |kind: DroppedKind| -> Vec<PathBuf> {
            let is_it = |dropped: &&Dropped| dropped.kind == kind;
            dropped
                .iter()
                .filter(is_it)
                .map(|dropped| dropped.path.clone())
                .collect()
        };
        let models = of_kind(DroppedKind::Model);
        self.use_model(models.first());
        let data = of_kind(DroppedKind::Data);
        if !data.is_empty() {
            self.add_data(&data);
        }
        let name = |path: &PathBuf| examples::file_name(&path.display().to_string());
        let mut not_taken: Vec<String> = Vec::new();
        for path in models.iter().skip(1) {
            not_taken.push(words::fine_tune::second_model(&name(path)));
        }
        for path in of_kind(DroppedKind::Unknown) {
            not_taken.push(words::fine_tune::unknown_kind(&name(&path)));
        }
        for path in of_kind(DroppedKind::Missing) {
            not_taken.push(words::fine_tune::nothing_there(&name(&path)));
        }
        self.dataset.not_taken = not_taken;
        self.changed(effects);
    }

    /// What stands in a field.
    pub fn text(&self, field: Field) -> String {
        let typed = self.typed.get(&field);
        typed.cloned().unwrap_or_else(|| field.text(&self.config))
    }

    /// What the engine would take where nothing is typed.
    pub fn default_text(&self, field: Field) -> String {
        field.default_text(&self.config, self.model.info.as_ref())
    }

    /// What is wrong with a field, if anything is.
    pub fn wrong(&self, field: Field) -> Option<Wrong> {
        let known = { self.unread.get(&field) }.or_else(|| self.contradictions.get(&field));
        known.cloned().or_else(|| {
            // What is asked anew was refused for something else.
            let problems = [
                (&self.memory.problem, self.is_planning()),
                (&self.dataset.problem, self.is_reading()),
            ];
            let mut refused = { problems.into_iter() }
                .filter(|(_, asked_anew)| !asked_anew)
                .filter_map(|(problem, _)| refused(problem.as_ref()?));
            refused
                .find(|(about, _)| *about == field)
                .map(|(_, wrong)| wrong)
        })
    }

    /// Whether the model is being looked at.
    pub fn is_looking_at_model(&self) -> bool {
        self.about_model.is_open()
    }

    /// Whether the dataset is being read, or will be in a moment.
    pub fn is_reading(&self) -> bool {
        self.about_data.is_open()
    }

    /// Whether other examples are on their way.
    pub fn is_fetching_rows(&self) -> bool {
        self.about_rows.is_open()
    }

    /// Whether the memory is being planned.
    pub fn is_planning(&self) -> bool {
        self.about_memory.is_open()
    }

    /// Whether a run can begin, and what it will be.
    pub fn ready(&self) -> Ready {
        match self.missing() {
            Some(missing) => Ready::Missing(missing),
            None => {
                let estimate = { !self.is_planning() }
                    .then(|| self.memory.of(self.config.method))
                    .flatten();
                let preview = self.dataset.preview.as_ref();
                Ready::Go(preview.map_or_else(Default::default, |preview| {
                    forecast(&self.config, preview, estimate)
                }))
            }
        }
    }

    fn missing(&self) -> Option<Missing> {
        let method = self.config.method;
        let mut fields = Field::ALL
            .into_iter()
            .filter(|field| field.matters_to(method));
        let wrong = fields.find_map(|field| Some((field, self.wrong(field)?)));
        let dataset = &self.dataset;
        let is_read = { dataset.preview.as_ref() }.is_some_and(|preview| preview.complete);
        Some(match () {
            () if self.config.model.is_empty() => Missing::Model,
            () if self.is_looking_at_model() => Missing::LookingAtModel,
            () if self.model.problem.is_some() => Missing::UsableModel,
            () if self.config.data.is_empty() => Missing::Dataset,
            () if self.is_reading() && wrong.is_none() => Missing::ReadingDataset,
            () if dataset.problem.is_some() && wrong.is_none() => Missing::UsableDataset,
            () if wrong.is_some() => {
                let (field, wrong) = wrong?;
                Missing::Field(field, wrong)
            }
            () if quantize_contradicts(&self.config) => Missing::Quantize,
            () if self.model.info.is_none() => Missing::LookingAtModel,
            () if dataset.canceled => Missing::WholeDataset,
            () if self.is_reading() || !is_read => Missing::ReadingDataset,
            () if dataset.examples() == Some(0) => Missing::Examples,
            () => return None,
        })
    }

    /// What the primary button would train; none while something is missing.
    pub fn run_config(&self, settings: &Settings) -> Option<RunConfig> {
        matches!(self.ready(), Ready::Go(_)).then(|| RunConfig {
            device: settings.device.clone(),
            threads: settings.threads,
            ..self.config.clone()
        })
    }
}
