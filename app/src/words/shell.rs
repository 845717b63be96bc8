//! The words around every page: the device chip, dropped files, closing.

/// The chip before the first answer.
pub const LOOKING_FOR_DEVICE: &str = "Looking for devices…";
/// The chip when the worker cannot be asked.
pub const NO_DEVICE: &str = "No device";
/// Over the window while files are held above it.
pub const DROP_HERE: &str = "Drop to use";
/// What dropping does.
pub const DROP_HELP: &str =
    "Datasets (JSONL, JSON, CSV, Parquet, text, folders) and models (a folder, a .gguf file)";
/// Closes a notice.
pub const DISMISS: &str = "Dismiss";
/// A run that trains needs the device.
pub const NOT_NOW: &str = "A run is training and needs the device's memory.";
/// Pauses it.
pub const PAUSE_RUN: &str = "Pause the run";
/// The dialog before closing.
pub const CLOSE_TITLE: &str = "A run is still training";
/// What closing means.
pub const CLOSE_TEXT: &str = "It can go on while the window is minimized, or be paused: everything is saved, the device is freed, and the run resumes exactly where it was.";
/// Minimizes.
pub const CLOSE_KEEP: &str = "Keep running";
/// Pauses and closes.
pub const CLOSE_PAUSE: &str = "Pause and close";
/// Does neither.
pub const CLOSE_STAY: &str = "Cancel";
/// While the run is saved.
pub const CLOSING: &str = "Saving the run…";
/// Does not wait for it.
pub const CLOSE_NOW: &str = "Close now";
/// What that means.
pub const CLOSE_NOW_HELP: &str =
    "If this takes too long: closed now, the run goes on from its last checkpoint.";

/// What is said under the pointer, and the keys that do the same.
pub fn with_keys(text: &str, keys: &str) -> String {
    format!("{text} ({keys})")
}

/// Memory on the chip: free of total.
pub fn memory(free: &str, total: &str) -> String {
    format!("{free} free of {total}")
}

/// What is said of a card under the pointer.
pub fn card<'a>(
    capability: &str,
    driver: Option<&str>,
    others: &str,
    programs: impl Iterator<Item = &'a str>,
) -> String {
    let driver = driver.map_or_else(String::new, |driver| format!(", driver {driver}"));
    let programs: Vec<_> = programs.take(MOST_PROGRAMS).collect();
    let programs = match programs.is_empty() {
        true => String::new(),
        false => format!(": {}", programs.join(", ")),
    };
    format!("Compute capability {capability}{driver}. Other programs hold {others}{programs}.")
}

/// More programs than this are not named.
const MOST_PROGRAMS: usize = 4;

/// Cards that are here do not compute.
pub fn no_card(reason: &str) -> String {
    format!("Computing on the processor: {reason}.")
}

/// The device that was chosen under Settings is not here.
pub fn device_gone(device: &str) -> String {
    format!("{device} is not here")
}
