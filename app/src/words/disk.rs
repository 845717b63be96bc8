//! What the disk says: settings, names of runs, and what goes to the bin. Paths and reasons are made
//! visible by whoever asks.

use crate::text::thousands;

/// Settings longer than any of ours.
pub const SETTINGS_TOO_LONG: &str = "it is too long to be a settings file";
/// The system names no place for settings.
pub const NO_SETTINGS_FOLDER: &str =
    "The settings cannot be kept: this system names no data folder; set STEPLADDER_HOME.";

/// A broken settings file was set aside.
pub fn settings_set_aside(problem: &str, kept: &str) -> String {
    format!(
        "The settings could not be read ({problem}) and are back to their defaults; the old file is {kept}."
    )
}

/// A broken settings file stays where it is.
pub fn settings_unreadable(path: &str, problem: &str) -> String {
    format!("The settings in {path} cannot be read: {problem}. Defaults are used.")
}

/// The settings were not written.
pub fn settings_not_kept(path: &str, problem: &str) -> String {
    format!("The settings cannot be kept in {path}: {problem}")
}

/// A file is longer than any of ours.
pub fn json_too_long(most: u64) -> String {
    format!("it is longer than {} bytes", thousands(most))
}

/// A file was there a moment ago.
pub fn gone(name: &str) -> String {
    format!("{name} is gone")
}

/// A file could not be read.
pub fn file_unreadable(name: &str, problem: &str) -> String {
    format!("{name}: {problem}")
}

/// Nothing was typed.
pub const NAME_EMPTY: &str = "A run needs a name.";
/// What cannot be seen cannot be found either.
pub const NAME_INVISIBLE: &str = "A name cannot have invisible characters in it.";
/// What some system cannot have at its ends.
pub const NAME_ENDS: &str =
    "A name cannot begin with a dot, dash or space, nor end with a dot or space.";

/// A name is too long.
pub fn name_too_long(most: usize) -> String {
    format!("This is longer than {most} characters.")
}

/// A name has what no name can have.
pub fn name_has(bad: char) -> String {
    format!("A name cannot have {bad} in it.")
}

/// A name belongs to a device.
pub fn name_of_device(device: &str) -> String {
    format!("Windows keeps {device} for a device.")
}

/// A name is taken.
pub fn name_taken(name: &str) -> String {
    format!("There is another {name} already.")
}

/// The system refused a new name.
pub fn not_renamed(problem: &str) -> String {
    format!("It cannot be renamed: {problem}.")
}

/// The system refused the bin.
pub fn not_to_bin(path: &str, problem: &str) -> String {
    format!("{path} cannot be moved to the bin: {problem}")
}

/// What was to be deleted lies elsewhere.
pub fn lies_elsewhere(path: &str, folder: &str) -> String {
    format!("{path} does not lie in {folder}.")
}

/// Nothing is there.
pub fn not_found(path: &str, problem: &str) -> String {
    format!("{path} cannot be found: {problem}")
}

/// A file where a folder should be.
pub fn no_folder(path: &str) -> String {
    format!("{path} is no folder.")
}

/// A folder that is no run.
pub fn no_run(path: &str, config: &str) -> String {
    format!("{path} is no run: it has no {config}.")
}

/// A run that another program made, or a damaged one.
pub fn no_run_of_ours(path: &str, config: &str, problem: &str) -> String {
    format!("{path} is no run of ours: {config} cannot be read: {problem}.")
}

/// Another program is at it.
pub fn in_use(path: &str) -> String {
    format!("{path} is in use by another program.")
}

/// A link, which leads to what may not be ours.
pub fn is_link(path: &str) -> String {
    format!("{path} is a link, and what it leads to may not be ours.")
}

/// Neither a folder with a configuration nor a file of weights.
pub fn no_model(path: &str) -> String {
    format!("{path} is no model.")
}

/// Runs that waited could not be kept.
pub fn set_aside_failed(problem: &str) -> String {
    format!("The runs that were waiting could not be kept: {problem}")
}

/// The folder of conversations cannot be read.
pub fn conversations_unreadable(problem: &str) -> String {
    format!("The conversations cannot be read: {problem}")
}

/// A broken conversation was set aside.
pub fn conversation_set_aside(problem: &str, kept: &str) -> String {
    format!("A conversation could not be read ({problem}) and is left out; its file is now {kept}.")
}

/// A broken conversation stays where it is.
pub fn conversation_unreadable(path: &str, problem: &str) -> String {
    format!("The conversation in {path} cannot be read: {problem}")
}

/// A conversation was not written.
pub fn conversation_not_kept(problem: &str) -> String {
    format!("This conversation cannot be kept: {problem}")
}

/// A file that is no conversation, or none any more.
pub fn no_conversation(path: &str) -> String {
    format!("{path} is no conversation.")
}
