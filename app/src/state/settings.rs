//! What the user sets once. Kept in one JSON file; a field that is missing there has its default.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Effect, Picker};

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Light, dark, or as the system has it.
    pub theme: ThemeChoice,
    /// Where new runs go; none: the data folder's `runs`.
    pub runs_folder: Option<PathBuf>,
    /// Folders that are searched for models besides those of known programs.
    pub models_folders: Vec<PathBuf>,
    /// `auto`, `cpu` or `cuda[:N]`.
    pub device: String,
    /// Threads to compute with; none: every core.
    pub threads: Option<usize>,
    /// Never go to the network.
    pub offline: bool,
    /// How much of the Fine-tune page is shown.
    pub detail: Detail,
    /// The program's own folder, as it was when the window opened.
    #[serde(skip)]
    pub data_folder: Option<PathBuf>,
}

/// The theme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeChoice {
    /// As the system has it.
    #[default]
    System,
    /// By day.
    Light,
    /// By night.
    Dark,
}

/// How much of the Fine-tune page is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// What most runs need.
    #[default]
    Simple,
    /// Everything.
    Advanced,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::default(),
            runs_folder: None,
            models_folders: Vec::new(),
            device: "auto".to_owned(),
            threads: None,
            offline: false,
            detail: Detail::default(),
            data_folder: None,
        }
    }
}

/// What the user did on the Settings page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsAction {
    /// Chose a theme.
    Theme(ThemeChoice),
    /// Asked for a dialog that chooses the folder of runs.
    PickRunsFolder,
    /// Went back to the usual folder of runs.
    UsualRunsFolder,
    /// Asked for a dialog that adds a folder of models.
    PickModelsFolder,
    /// Took a folder of models off the list.
    ForgetModelsFolder(usize),
    /// Chose a device.
    Device(String),
    /// Chose a number of threads.
    Threads(Option<usize>),
    /// Allowed the network, or not.
    Offline(bool),
    /// Chose how much of the Fine-tune page is shown.
    Detail(Detail),
}

impl Settings {
    /// Takes what the user did, and keeps it.
    pub fn act(&mut self, action: SettingsAction, effects: &mut Vec<Effect>) {
        match action {
            SettingsAction::Theme(theme) => self.theme = theme,
            SettingsAction::PickRunsFolder => {
                return effects.push(Effect::Pick(Picker::RunsFolder));
            }
            SettingsAction::PickModelsFolder => {
                return effects.push(Effect::Pick(Picker::ModelsFolder));
            }
            SettingsAction::UsualRunsFolder => self.runs_folder = None,
            SettingsAction::ForgetModelsFolder(place) => {
                if place < self.models_folders.len() {
                    self.models_folders.remove(place);
                }
            }
            SettingsAction::Device(device) => self.device = device,
            SettingsAction::Threads(threads) => self.threads = threads,
            SettingsAction::Offline(offline) => self.offline = offline,
            SettingsAction::Detail(detail) => self.detail = detail,
        }
        effects.push(Effect::SaveSettings(Box::new(self.clone())));
    }

    /// Takes chosen folders, and keeps them.
    pub fn picked(&mut self, picker: Picker, paths: Vec<PathBuf>, effects: &mut Vec<Effect>) {
        match picker {
            Picker::RunsFolder => self.runs_folder = paths.into_iter().next(),
            Picker::ModelsFolder => {
                for path in paths {
                    if !self.models_folders.contains(&path) {
                        self.models_folders.push(path);
                    }
                }
            }
            _ => return,
        }
        effects.push(Effect::SaveSettings(Box::new(self.clone())));
    }

    /// Where new runs go; none if the system names no place and the user neither.
    pub fn runs_folder(&self) -> Option<PathBuf> {
        { self.runs_folder.clone() }.or_else(|| Some(self.data_folder.as_ref()?.join("runs")))
    }

    /// Where models that are ours lie.
    pub fn own_models_folder(&self) -> Option<PathBuf> {
        Some(self.data_folder.as_ref()?.join("models"))
    }
}
