//! Every sentence and label of the window, a module for each screen: what a translation replaces.
//! Numbers are put into words by `text`.

use stepladder_protocol::{ErrorReport, Event};

use crate::state::{Page, Picker};

pub use self::hints::{hint, in_the_window};

pub mod chat;
pub mod compare;
pub mod config;
pub mod disk;
pub mod fine_tune;
pub mod models;
pub mod runs;
pub mod settings;
pub mod shell;

mod hints;

/// The program's name.
pub const PROGRAM: &str = "Stepladder";
/// What the filter of the dataset dialog is called.
pub const DATASETS: &str = "Datasets";
/// The disk's thread has ended, which is a defect.
pub const DISK_GONE: &str =
    "Nothing can be read or written any more: please start Stepladder again.";

/// A page's name.
pub fn page(page: Page) -> &'static str {
    match page {
        Page::FineTune => "Fine-tune",
        Page::Runs => "Runs",
        Page::Compare => "Compare",
        Page::Chat => "Chat",
        Page::Settings => "Settings",
    }
}

/// What a file dialog asks.
pub fn picker_title(picker: Picker) -> &'static str {
    match picker {
        Picker::ModelFolder => "Choose a model folder",
        Picker::ModelFile => "Choose a .gguf model",
        Picker::DataFiles => "Choose dataset files",
        Picker::DataFolder => "Choose a folder of dataset files",
        Picker::TemplateFile => "Choose a chat template",
        Picker::RunsFolder => "Choose where new runs go",
        Picker::ModelsFolder => "Choose a folder to search for models",
        Picker::ExportFolder => "Choose where the export goes",
        Picker::Questions => "Choose a file of questions",
        Picker::MatchedData => "Choose a dataset to train on",
        Picker::SaveComparison(_) => "Choose where the file goes",
    }
}

/// A dialog did not open.
pub fn dialog_failed(problem: &str) -> String {
    format!(
        "The file dialog cannot be opened ({problem}). Files can be dropped on the window instead."
    )
}

/// The system has no file dialog.
pub fn dialog_missing() -> &'static str {
    "This desktop has no file dialog: install xdg-desktop-portal or zenity, or drop files on the window."
}

/// The system's file browser did not open.
pub fn show_failed(path: &str, problem: &str) -> String {
    format!("{path} cannot be shown in a file browser: {problem}")
}

/// There is no place for runs.
pub fn no_data_folder() -> Event {
    Event::Failed(ErrorReport::new(
        "no_data_folder",
        "this system names no data folder",
        "choose a folder for the runs under Settings",
    ))
}
