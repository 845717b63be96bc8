//! The words of the Settings page.

/// The card of the window's looks.
pub const APPEARANCE: &str = "Appearance";
/// Its field.
pub const THEME: &str = "Theme";
/// Its help.
pub const THEME_HELP: &str = "Light, dark, or as your desktop has it. System by default.";
/// Choices.
pub const THEMES: [&str; 3] = ["System", "Light", "Dark"];
/// The card of computing.
pub const COMPUTING: &str = "Computing";
/// A field.
pub const DEVICE: &str = "Device";
/// Its help.
pub const DEVICE_HELP: &str = "What new runs compute on. Auto, the first of this list, by default.";
/// The choice that leaves it to the program.
pub const DEVICE_AUTO: &str = "Auto";
/// A field.
pub const THREADS: &str = "Threads";
/// Its help.
pub const THREADS_HELP: &str = "For runs that start from now on. Resuming bit for bit needs the same number. Every core by default.";
/// The choice of every core.
pub const THREADS_ALL: &str = "Every core";
/// A field.
pub const OFFLINE: &str = "Stay offline";
/// Its help.
pub const OFFLINE_HELP: &str =
    "Never go to the network. This version never does, later ones may. Off by default.";
/// The card of folders.
pub const FOLDERS: &str = "Folders";
/// A field.
pub const RUNS_FOLDER: &str = "Runs";
/// Its help.
pub const RUNS_FOLDER_HELP: &str = "New runs go here, and the Runs page lists what lies here. In Stepladder's data folder by default.";
/// Opens a dialog.
pub const CHANGE: &str = "Change…";
/// Goes back to the default.
pub const USUAL: &str = "Use default";
/// Shows it in the file browser.
pub const SHOW: &str = "Show in folder";
/// A field.
pub const MODELS_FOLDERS: &str = "More model folders";
/// Its help.
pub const MODELS_FOLDERS_HELP: &str =
    "Searched besides the Hugging Face cache, LM Studio and Ollama. None by default.";
/// Adds one.
pub const ADD_FOLDER: &str = "Add folder…";
/// The card of models.
pub const MODELS: &str = "Models on this machine";
/// Looks again.
pub const SEARCH: &str = "Look again";
/// While it looks.
pub const SEARCHING: &str = "Looking…";
/// Takes a model to the Fine-tune page.
pub const USE: &str = "Use";
/// There are none.
pub const NO_MODELS: &str = "No models were found yet";
/// How they come.
pub const NO_MODELS_HELP: &str =
    "Add a folder above, or look again after another program has downloaded one.";
/// The dialog before deleting.
pub const DELETE_TITLE: &str = "Move this model to the bin?";
/// On a model that cannot be trained.
pub const UNSUPPORTED: &str = "Not supported";

/// Takes a model to the Fine-tune page.
pub fn use_model(name: &str) -> String {
    format!("Use {name}")
}

/// Moves a model of ours to the bin.
pub fn delete_model(name: &str) -> String {
    format!("Move {name} to the bin")
}

/// Before a model goes to the bin.
pub fn delete_text(name: &str, size: &str) -> String {
    format!("{name}, {size}, goes to the system's bin, from where it can be restored.")
}

/// Takes a folder off the list.
pub fn forget(folder: &str) -> String {
    format!("Remove {folder} from the list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_one_line_that_names_its_default() {
        for help in [
            THEME_HELP,
            DEVICE_HELP,
            THREADS_HELP,
            OFFLINE_HELP,
            RUNS_FOLDER_HELP,
            MODELS_FOLDERS_HELP,
        ] {
            assert!(help.contains("by default"), "{help}");
            assert!(help.len() <= 110, "{help} takes two lines");
        }
    }
}
